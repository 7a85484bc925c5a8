-- $1 namespace, arrays: $2 id, $3 start_at, $4 input, $5 labels, $6 attributes, $7 trace, $8 trace_state
insert into sagad.saga_start (namespace_id, id, start_at, input, labels, attributes, trace, trace_state)
select $1::int, v.id, v.start_at, v.input, v.labels, v.attributes, v.trace, v.trace_state
  from unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
       as v(id, start_at, input, labels, attributes, trace, trace_state);
