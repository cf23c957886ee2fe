;; Says that it is for another service than its file is named for.
(func (export "deploy:consumer/plugin@0.1.0#describe") (result i32)
  (i32.store (i32.const 1024) (i32.const 2052))
  (i32.store (i32.const 1028) (i32.const 4))
  (i32.const 1024))
