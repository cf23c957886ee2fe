;; Fails with 10 MB of message.
(memory (export "memory") 200)
(func (export "deploy:consumer/plugin@0.1.0#deploy") (param i32 i32 i32 i32 i32 i32) (result i32)
  (i32.store8 (i32.const 1200) (i32.const 2))
  (i32.store (i32.const 1204) (i32.const 100000))
  (i32.store (i32.const 1208) (i32.const 10000000))
  (i32.const 1200))
