-- $1 namespace, $2 name: newest first.
select d.id, d.name, d.version, d.hash, d.source, d.created_at, d.deprecated,
       coalesce(p.paused, false)
  from sagad.definition d
       left join sagad.definition_name p on p.namespace_id = d.namespace_id and p.name = d.name
 where d.namespace_id = $1::int
   and d.name = $2::text
   and d.version > 0
 order by d.version desc;
