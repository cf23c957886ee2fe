(start $trap)
(func $trap (unreachable))
