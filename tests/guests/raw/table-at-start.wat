;; A million elements from the beginning.
(table 1000000 funcref)
