-- $1 namespace, $2 how long ago in ms, $3 limit: sagas whose turn it is and that do not know.
select l.saga_id
  from sagad.saga_lock l
 where l.namespace_id = $1::int
   and not l.waits
   and not l.told
   and l.granted < sagad.now_ms() - $2::bigint
 order by l.granted
 limit $3::bigint;
