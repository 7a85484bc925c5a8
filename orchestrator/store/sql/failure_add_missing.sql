-- $1 namespace, arrays: $2 saga, $3 definition, $4 key of the group, $5 since, $6 state, $7 op, $8 step, $9 code,
-- $10 revision. How many still are as they were read; a saga that moves meanwhile waits for this.
with held as materialized (
    select v.saga_id, v.definition_id, v.key, v.since, v.state, v.op, v.step, v.code
      from unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::smallint[],
                  $7::smallint[], $8::text[], $9::text[], $10::int[])
           as v(saga_id, definition_id, key, since, state, op, step, code, revision)
           cross join lateral (select 1
                                 from sagad.saga s
                                where s.namespace_id = $1::int
                                  and s.id = v.saga_id
                                  and s.revision = v.revision
                                  for share
                               offset 0) as s
), made as (
    insert into sagad.failure (namespace_id, saga_id, definition_id, key, since, state, op, step, code)
    select $1::int, h.saga_id, h.definition_id, h.key, h.since, h.state, h.op, h.step, h.code
      from held h
    on conflict (namespace_id, saga_id) do nothing
)
select count(*) from held;
