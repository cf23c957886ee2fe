;; Fails with as much message as a call may carry: 200 kB of NUL.
(memory (export "memory") 10)
(func (export "deploy:consumer/plugin@0.1.0#deploy") (param i32 i32 i32 i32 i32 i32) (result i32)
  (i32.store8 (i32.const 1200) (i32.const 2))
  (i32.store (i32.const 1204) (i32.const 100000))
  (i32.store (i32.const 1208) (i32.const 200000))
  (i32.const 1200))
