-- $1 namespace, $2 id
select l.id, l.at, l.topic, l.partition, l."offset", l.reason, l.key, l.headers, l.value, l.settled
  from sagad.dead_letter l
 where l.namespace_id = $1::int
   and l.id = $2::bigint;
