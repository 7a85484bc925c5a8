-- $1 namespace, $2 id, $3 state to be, $4 states that allow it, $5 verb, $6 actor, $7 reason. No row: none of these
-- states, or not there.
with moved as (
    update sagad.operator_batch b
       set state = $3::int, updated_at = sagad.now_ms(),
           finished_at = case when $3::int = 4 then sagad.now_ms() end
     where b.namespace_id = $1::int
       and b.id = $2::uuid
       and b.state = any($4::smallint[])
    returning b.updated_at
)
insert into sagad.operator_batch_act (namespace_id, batch_id, seq, at, verb, actor, reason)
select $1::int, $2::uuid,
       coalesce((select a.seq
                   from sagad.operator_batch_act a
                  where a.namespace_id = $1::int
                    and a.batch_id = $2::uuid
                  order by a.seq desc
                  limit 1), 0) + 1,
       m.updated_at, $5::text, $6::text, $7::text
  from moved m
returning 1;
