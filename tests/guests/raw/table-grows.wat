;; A thousand elements after the other.
(table $bomb 0 funcref)
(func (export "deploy:consumer/plugin@0.1.0#deploy") (param i32 i32 i32 i32 i32 i32) (result i32)
  (loop $again (drop (table.grow $bomb (ref.null func) (i32.const 1000))) (br $again))
  (unreachable))
