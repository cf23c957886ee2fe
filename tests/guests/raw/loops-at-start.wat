;; Never gets as far as being called.
(start $forever)
(func $forever (loop $again (br $again)))
