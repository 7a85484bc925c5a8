-- $1 namespace, $2 batch, $3 holder, $4 items that were dealt with before, $5 and are done now, $6 or failed, $7 to be held
-- for so long (ms), arrays of those that failed: $8 seq, $9 kind, $10 why. The state. No row: another node goes on.
with moved as (
    update sagad.operator_batch b
       set done = b.done + $5::bigint, failed = b.failed + $6::bigint, updated_at = sagad.now_ms(),
           held_until = sagad.now_ms() + $7::bigint,
           state = case when b.total = $4::bigint + $5::bigint + $6::bigint and b.state <> 4 then 3 else b.state end,
           finished_at = case when b.total = $4::bigint + $5::bigint + $6::bigint then sagad.now_ms()
                              else b.finished_at end
     where b.namespace_id = $1::int
       and b.id = $2::uuid
       and b.holder = $3::bigint
       and b.done + b.failed = $4::bigint
    returning b.state, b.updated_at
), told as (
    insert into sagad.operator_batch_failure (namespace_id, batch_id, seq, kind, why, at)
    select $1::int, $2::uuid, v.seq, v.kind, v.why, m.updated_at
      from moved m
           cross join unnest($8::bigint[], $9::smallint[], $10::text[]) as v(seq, kind, why)
)
select m.state from moved m;
