-- $1 namespace, $2 ids below this one, $3 states, $4 definition names, $5 version (0: any),
-- $6 attention bits (0: all), arrays of tags: $7 kind, $8 name, $9 value, $10 value_rest, $11 how many
-- different kinds and names they have, $12 created after, $13 created before (0: open), $14 count no
-- further. Null arrays: all.
-- Driven by the index of those that need attention.
with wanted_definition as materialized (
    select d.id
      from sagad.definition d
     where d.namespace_id = $1::int
       and ($4::text[] is null or d.name = any($4::text[]))
       and $5::int in (0, d.version)
)
select count(*)
  from (
    select 1
      from sagad.saga s
     where s.namespace_id = $1::int
       and s.id < $2::uuid
       and s.attention <> 0
       and ($3::smallint[] is null or s.state = any($3::smallint[]))
       and (($4::text[] is null and $5::int = 0)
            or s.definition_id in (select w.id from wanted_definition w))
       and ($6::int = 0 or s.attention & $6::int <> 0)
       and ($12::bigint = 0 or s.created_at > $12::bigint)
       and ($13::bigint = 0 or s.created_at < $13::bigint)
       and ($11::int = 0
            or sagad.count_tags($1, s.id, $7, $8, $9, $10) = $11::int)
     limit $14::bigint
  ) as found;
