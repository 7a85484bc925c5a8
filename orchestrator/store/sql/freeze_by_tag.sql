-- $1 namespace, $2 ids below this one, $3 states, $4 definition names, $5 version (0: any),
-- $6 attention bits (0: all), arrays of tags: $7 kind, $8 name, $9 value, $10 value_rest, $11 how many
-- different kinds and names they have, $12 created after, $13 created before (0: open), $14 no more
-- than these, $15 batch. Null arrays: all. How many were frozen; SG003: more.
-- Driven by the index of the first tag, one of its values after the other.
with wanted_definition as materialized (
    select d.id
      from sagad.definition d
     where d.namespace_id = $1::int
       and ($4::text[] is null or d.name = any($4::text[]))
       and $5::int in (0, d.version)
)
select sagad.freeze($1::int, $15::uuid, coalesce(array_agg(f.id order by f.id), '{}'), $14::bigint)
  from (
    select k.id
      from unnest($7::"char"[], $8::text[], $9::text[], $10::text[])
           as wanted(kind, name, value, value_rest)
      cross join lateral (
        select k.saga_id as id
          from sagad.saga_tag k
         where k.namespace_id = $1::int
           and k.kind = wanted.kind
           and k.name = wanted.name
           and k.value = wanted.value
           and k.value_rest is not distinct from wanted.value_rest
           and k.saga_id < $2::uuid
        offset 0
      ) as k
      cross join lateral (
        select 1
          from sagad.saga s
         where s.namespace_id = $1::int
           and s.id = k.id
           and ($3::smallint[] is null or s.state = any($3::smallint[]))
           and (($4::text[] is null and $5::int = 0)
                or s.definition_id in (select w.id from wanted_definition w))
           and ($6::int = 0 or s.attention & $6::int <> 0)
           and ($12::bigint = 0 or s.created_at > $12::bigint)
           and ($13::bigint = 0 or s.created_at < $13::bigint)
           and ($11::int = 0
                or sagad.count_tags($1, s.id, $7, $8, $9, $10) = $11::int)
        offset 0
      ) as s
     where wanted.kind = ($7::"char"[])[1]
       and wanted.name = ($8::text[])[1]
     limit $14::bigint + 1
  ) as f;
