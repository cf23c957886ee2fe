;; One page after the other.
(func (export "deploy:consumer/plugin@0.1.0#deploy") (param i32 i32 i32 i32 i32 i32) (result i32)
  (loop $again (drop (memory.grow (i32.const 1))) (br $again))
  (unreachable))
