-- $1 namespace, arrays: $2 saga, $3 definition, $4 key of the group, $5 since, $6 state, $7 op, $8 step, $9 code
insert into sagad.failure (namespace_id, saga_id, definition_id, key, since, state, op, step, code)
select $1::int, v.saga_id, v.definition_id, v.key, v.since, v.state, v.op, v.step, v.code
  from unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::smallint[],
              $7::smallint[], $8::text[], $9::text[])
       as v(saga_id, definition_id, key, since, state, op, step, code)
on conflict (namespace_id, saga_id) do update
   set definition_id = excluded.definition_id, key = excluded.key, since = excluded.since,
       state = excluded.state, op = excluded.op, step = excluded.step, code = excluded.code;
