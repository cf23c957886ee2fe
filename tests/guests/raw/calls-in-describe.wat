;; A plugin that is asked what it is may call nothing.
(func (export "deploy:consumer/plugin@0.1.0#describe") (result i32)
  (call $info (i32.const 2048) (i32.const 3))
  (i32.const 1024))
