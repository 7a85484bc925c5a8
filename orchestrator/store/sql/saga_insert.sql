-- $1 namespace, $2 node, arrays: $3 id, $4 definition, $5 created_at, $6 revision, $7 attention, $8 state,
-- $9 paused, $10 due_at, $11 finished_at, $12 packed, $13 odd_id; $14: what is due until then is in the
-- writer's memory. An id that exists: unique_violation.
insert into sagad.saga (namespace_id, id, definition_id, created_at, odd_id, node, revision,
                        attention, state, paused, due_at, wake_at, finished_at, packed)
select $1::int, v.id, v.definition_id, v.created_at, v.odd_id, $2::int, v.revision, v.attention,
       v.state, v.paused, v.due_at,
       case when v.due_at > $14::bigint and v.finished_at is null then v.due_at end,
       v.finished_at, v.packed
  from unnest($3::uuid[], $4::bigint[], $5::bigint[], $6::int[], $7::int[],
              $8::smallint[], $9::boolean[], $10::bigint[], $11::bigint[], $12::bytea[], $13::boolean[])
       as v(id, definition_id, created_at, revision, attention,
            state, paused, due_at, finished_at, packed, odd_id);
