;; An outcome of a kind that there is not.
(func (export "deploy:consumer/plugin@0.1.0#deploy") (param i32 i32 i32 i32 i32 i32) (result i32)
  (i32.store8 (i32.const 1200) (i32.const 99))
  (i32.const 1200))
