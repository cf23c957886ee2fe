;; 2 GiB of memory from the beginning.
(memory (export "memory") 32768)
