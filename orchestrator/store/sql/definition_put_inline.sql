-- $1 namespace, $2 name, $3 hash, $4 source, $5 now. No row: another transaction is making it, try again.
with found as (
    select d.id, d.name, d.version, d.hash, d.source, d.created_at, d.deprecated
      from sagad.definition d
     where d.namespace_id = $1::int
       and d.name = $2::text
       and d.hash = $3::bytea
       and d.version = 0
), made as (
    insert into sagad.definition (namespace_id, name, version, hash, source, created_at)
    select $1::int, $2::text, 0, $3::bytea, $4::text, $5::bigint
     where not exists (select from found)
    on conflict (namespace_id, name, hash) where version = 0 do nothing
    returning id, name, version, hash, source, created_at, deprecated
)
select f.*, false from found f
 union all
select m.*, false from made m;
