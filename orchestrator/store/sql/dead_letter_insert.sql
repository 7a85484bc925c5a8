-- $1 namespace, arrays: $2 at, $3 topic, $4 partition, $5 offset, $6 reason, $7 key, $8 headers, $9 value.
-- A record that is delivered again while its dead letter is open adds nothing.
insert into sagad.dead_letter (namespace_id, at, topic, partition, "offset", reason,
                               key, headers, value)
select $1::int, v.at, v.topic, v.partition, v.record_offset, v.reason, v.key, v.headers, v.value
  from unnest($2::bigint[], $3::text[], $4::int[], $5::bigint[], $6::text[],
              $7::bytea[], $8::text[], $9::bytea[])
       as v(at, topic, partition, record_offset, reason, key, headers, value)
on conflict (namespace_id, topic, partition, "offset", at) where settled is null do nothing;
