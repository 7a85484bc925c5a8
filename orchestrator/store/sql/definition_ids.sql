-- $1 namespace, $2 names (null: all), $3 version (0: any).
select d.id
  from sagad.definition d
 where d.namespace_id = $1::int
   and ($2::text[] is null or d.name = any($2::text[]))
   and $3::int in (0, d.version);
