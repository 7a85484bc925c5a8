-- $1 namespace, $2 name, $3 version (0: the newest)
select d.id, d.name, d.version, d.hash, d.source, d.created_at, d.deprecated,
       coalesce(p.paused, false)
  from sagad.definition d
       left join sagad.definition_name p on p.namespace_id = d.namespace_id and p.name = d.name
 where d.namespace_id = $1::int
   and d.name = $2::text
   and d.version > 0
   and ($3::int = 0 or d.version = $3::int)
 order by d.version desc
 limit 1;
