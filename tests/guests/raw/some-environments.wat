;; Describes 51 environments, one more than the most.
(memory (export "memory") 10)
(func (export "deploy:consumer/plugin@0.1.0#describe") (result i32)
  (i32.store (i32.const 1068) (i32.const 100000))
  (i32.store (i32.const 1072) (i32.const 51))
  (i32.const 1024))
