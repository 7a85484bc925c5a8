-- $1 namespace, arrays: $2 saga, $3 kind, $4 name, $5 value, $6 value_rest
insert into sagad.saga_tag (namespace_id, saga_id, kind, name, value, value_rest)
select $1::int, v.saga_id, v.kind, v.name, v.value, v.value_rest
  from unnest($2::uuid[], $3::"char"[], $4::text[], $5::text[], $6::text[])
       as v(saga_id, kind, name, value, value_rest);
