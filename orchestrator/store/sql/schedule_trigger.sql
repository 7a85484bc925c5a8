-- $1 namespace, $2 name, $3 uid, $4 turn read, $5 the moment. SG001: it moved meanwhile, or it is gone.
with triggered as (
    update sagad.schedule s
       set waiting = s.waiting || int8send($5::bigint),
           turn = s.turn + 1,
           wake_at = sagad.now_ms()
     where s.namespace_id = $1::int
       and s.name = $2::text
       and s.uid = $3::uuid
       and s.turn = $4::int
    returning 1
)
select sagad.require('schedule', 1, (select count(*) from triggered));
