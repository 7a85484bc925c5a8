-- $1 namespace, $2 id, $3 verb, $4 step, $5 item, $6 output, $7 filter, $8 reason, $9 actor, $10 rate, $11 name, $12 payload:
-- the batch of the pages that were frozen, and who made it. An empty one is done.
with frozen as materialized (
    select coalesce(sum(cardinality(p.ids)), 0)::bigint as total, sagad.now_ms() as now_ms
      from sagad.operator_batch_page p
     where p.namespace_id = $1::int
       and p.batch_id = $2::uuid
), made as (
    insert into sagad.operator_batch (namespace_id, id, verb, step, item, output, filter, reason, actor, rate, state,
                                      total, done, failed, holder, held_until, created_at, updated_at, finished_at,
                                      name, payload)
    select $1::int, $2::uuid, $3::text, $4::text, $5::int, $6::text, $7::text, $8::text, $9::text, $10::int,
           case when f.total = 0 then 3 else 1 end, f.total, 0, 0, 0, 0, f.now_ms, f.now_ms,
           case when f.total = 0 then f.now_ms end, $11::text, $12::text
      from frozen f
)
insert into sagad.operator_batch_act (namespace_id, batch_id, seq, at, verb, actor, reason)
select $1::int, $2::uuid, 1, f.now_ms, 'make', $9::text, $8::text
  from frozen f;
