-- $1 namespace, $2 name: the version that would be next.
select coalesce(max(d.version), 0) + 1
  from sagad.definition d
 where d.namespace_id = $1::int
   and d.name = $2::text
   and d.version > 0;
