-- $1 namespace, arrays: $2 id, $3 definition, $4 start_at, $5 input, $6 labels, $7 attributes, $8 trace,
-- $9 trace_state, $10 entries of the first event: how many (0: they are in the history), $11 what
insert into sagad.saga_start (namespace_id, id, definition_id, start_at, input, labels, attributes,
                              trace, trace_state, first_count, first_entries)
select $1::int, v.id, v.definition_id, v.start_at, v.input, v.labels, v.attributes,
       v.trace, v.trace_state, v.first_count, v.first_entries
  from unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[],
              $8::text[], $9::text[], $10::int[], $11::bytea[])
       as v(id, definition_id, start_at, input, labels, attributes, trace, trace_state,
            first_count, first_entries);
