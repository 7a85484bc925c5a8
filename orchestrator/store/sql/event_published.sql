-- $1 namespace, $2 place up to which Kafka has the events
update sagad.event_position
   set published = $2::bigint
 where namespace_id = $1::int
   and published < $2::bigint;
