;; Delivers an artifact that it gave back.
(func (export "deploy:consumer/plugin@0.1.0#deploy") (param i32 i32 i32 i32 i32 i32) (result i32)
  (call $resolve (local.get 0) (local.get 1) (local.get 4) (local.get 5) (i32.const 0) (i32.const 0) (i32.const 1300))
  (call $drop (i32.load (i32.const 1304)))
  (call $deliver (i32.load (i32.const 1304)) (i32.const 2056) (i32.const 11) (i32.const 1400))
  (i32.const 1200))
