;; Describes itself with a version of 10 MB.
(memory (export "memory") 200)
(func (export "deploy:consumer/plugin@0.1.0#describe") (result i32)
  (i32.store (i32.const 1032) (i32.const 100000))
  (i32.store (i32.const 1036) (i32.const 10000000))
  (i32.const 1024))
