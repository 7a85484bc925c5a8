-- $1 namespace, $2 name, $3 actor, $4 reason. No row: it is not paused.
with gone as (
    delete from sagad.topic_pause p
     where p.namespace_id = $1::int
       and p.name = $2::text
    returning 1
)
insert into sagad.topic_act (namespace_id, name, at, verb, actor, reason)
select $1::int, $2::text, sagad.now_ms(), 'resume', $3::text, $4::text
  from gone
returning id;
