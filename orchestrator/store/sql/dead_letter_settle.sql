-- $1 namespace, $2 id, $3 replayed or discarded. No row: settled before, or not there.
update sagad.dead_letter
   set settled = $3::text
 where namespace_id = $1::int
   and id = $2::bigint
   and settled is null
returning 1;
