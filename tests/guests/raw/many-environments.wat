;; Describes 100,000 environments without a name.
(memory (export "memory") 100)
(func (export "deploy:consumer/plugin@0.1.0#describe") (result i32)
  (i32.store (i32.const 1068) (i32.const 100000))
  (i32.store (i32.const 1072) (i32.const 100000))
  (i32.const 1024))
