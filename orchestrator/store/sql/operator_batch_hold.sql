-- $1 namespace, $2 holder, $3 for how long (ms), $4 limit: running batches that are ours, or nobody's, are ours for so long.
with picked as materialized (
    select b.ctid as place
      from sagad.operator_batch b
     where b.namespace_id = $1::int
       and b.state = 1
       and (b.holder = $2::bigint or b.held_until < sagad.now_ms())
     order by b.id
     limit $4::bigint
       for update skip locked
)
update sagad.operator_batch b
   set holder = $2::bigint, held_until = sagad.now_ms() + $3::bigint
  from picked p
 where b.ctid = p.place
returning b.id, b.verb, b.step, b.item, b.output, b.name, b.payload, b.filter, b.reason, b.actor, b.rate, b.state,
       b.total, b.done, b.failed, b.created_at, b.updated_at, b.finished_at,
       null::bytea;
