-- $1 namespace, $2 name, $3 ids below this one, $4 limit: newest first.
select e.id, e.at, e.kind, e.scheduled_at, e.saga_id, e.count, e.actor, e.reason, e.detail
  from sagad.schedule_event e
 where e.namespace_id = $1::int
   and e.name = $2::text
   and e.id < $3::bigint
 order by e.id desc
 limit $4::bigint;
