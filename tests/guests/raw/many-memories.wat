;; More memories than limits.instances allows.
(memory (export "memory") 2)
(memory 0) (memory 0) (memory 0) (memory 0) (memory 0) (memory 0) (memory 0)
(memory 0) (memory 0) (memory 0) (memory 0) (memory 0) (memory 0) (memory 0)
(memory 0) (memory 0) (memory 0) (memory 0) (memory 0) (memory 0) (memory 0)
