;; Describes a shape that there is not.
(func (export "deploy:consumer/plugin@0.1.0#describe") (result i32)
  (i32.store (i32.const 1108) (i32.const 2048))
  (i32.store (i32.const 1112) (i32.const 3))
  (i32.const 1024))
