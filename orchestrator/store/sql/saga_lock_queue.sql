-- $1 namespace, arrays: $2 saga, $3 definition, $4 key, $5 places, $6 since: they get in line, in this order.
insert into sagad.saga_lock (namespace_id, saga_id, definition, key, places, since)
select $1::int, v.saga_id, v.definition, v.key, v.places, v.since
  from unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::bigint[]) with ordinality
       as v(saga_id, definition, key, places, since, nth)
 order by v.nth;
