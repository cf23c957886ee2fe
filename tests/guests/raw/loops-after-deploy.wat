;; After the answer: while it frees what it answered.
(func (export "cabi_post_deploy:consumer/plugin@0.1.0#deploy") (param i32)
  (loop $again (br $again)))
