;; A message that is no text.
(data (i32.const 3000) "\ff\fe\c0\80")
(func (export "deploy:consumer/plugin@0.1.0#deploy") (param i32 i32 i32 i32 i32 i32) (result i32)
  (i32.store8 (i32.const 1200) (i32.const 2))
  (i32.store (i32.const 1204) (i32.const 3000))
  (i32.store (i32.const 1208) (i32.const 4))
  (i32.const 1200))
