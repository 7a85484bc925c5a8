-- $1 namespace, $2 name, $3 actor, $4 reason, $5 how many may be paused. No row: it is paused already, or too many are.
with made as (
    insert into sagad.topic_pause (namespace_id, name, at, actor, reason)
    select $1::int, $2::text, sagad.now_ms(), $3::text, $4::text
     where (select count(*)
              from sagad.topic_pause p
             where p.namespace_id = $1::int) < $5::bigint
    on conflict do nothing
    returning 1
)
insert into sagad.topic_act (namespace_id, name, at, verb, actor, reason)
select $1::int, $2::text, sagad.now_ms(), 'pause', $3::text, $4::text
  from made
returning id;
