-- $1 dead node: whatever still writes in its name is refused from now on, what was under way is waited for.
update sagad.writer set node = -1 where node = $1::int;
