-- $1 namespace, $2 ids below this one, $3 limit: open ones, newest first.
select l.id, l.at, l.topic, l.partition, l."offset", l.reason, l.key, l.headers, l.value, l.settled
  from sagad.dead_letter l
 where l.namespace_id = $1::int
   and l.settled is null
   and l.id < $2::bigint
 order by l.id desc
 limit $3::bigint;
