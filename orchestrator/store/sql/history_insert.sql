-- $1 namespace, arrays: $2 saga, $3 seq, $4 count, $5 revision, $6 at, $7 entries, $8 payload,
-- $9 output. A seq that exists: unique_violation.
insert into sagad.history (namespace_id, saga_id, seq, count, revision, at, entries, payload, output)
select $1::int, v.saga_id, v.seq, v.count, v.revision, v.at, v.entries, v.payload, v.output
  from unnest($2::uuid[], $3::int[], $4::int[], $5::int[], $6::bigint[],
              $7::bytea[], $8::text[], $9::text[])
       as v(saga_id, seq, count, revision, at, entries, payload, output);
