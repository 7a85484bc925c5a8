-- $1 namespace, $2 name, $3 hash, $4 source, $5 stated version (0: any), $6 now.
-- No row: the stated version is not the next one. Two at once: unique_violation, try again.
with found as (
    select d.id, d.name, d.version, d.hash, d.source, d.created_at, d.deprecated
      from sagad.definition d
     where d.namespace_id = $1::int
       and d.name = $2::text
       and d.hash = $3::bytea
       and d.version > 0
), next as (
    select coalesce(max(d.version), 0) + 1 as version
      from sagad.definition d
     where d.namespace_id = $1::int
       and d.name = $2::text
       and d.version > 0
), made as (
    insert into sagad.definition (namespace_id, name, version, hash, source, created_at)
    select $1::int, $2::text, n.version, $3::bytea, $4::text, $6::bigint
      from next n
     where not exists (select from found)
       and $5::int in (0, n.version)
    returning id, name, version, hash, source, created_at, deprecated
)
select r.id, r.name, r.version, r.hash, r.source, r.created_at, r.deprecated,
       coalesce((select p.paused
                   from sagad.definition_name p
                  where p.namespace_id = $1::int
                    and p.name = $2::text), false),
       r.is_new
  from (select f.*, false from found f
         union all
        select m.*, true from made m)
       as r(id, name, version, hash, source, created_at, deprecated, is_new);
