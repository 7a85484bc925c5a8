-- $1 namespace, $2 first place, $3 limit
select b.place, b.events
  from sagad.event_batch b
 where b.namespace_id = $1::int
   and b.place >= $2::bigint
 order by b.place
 limit $3::bigint;
