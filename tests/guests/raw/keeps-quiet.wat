;; Nothing is wrong with it but that it does nothing: what the others differ from.
