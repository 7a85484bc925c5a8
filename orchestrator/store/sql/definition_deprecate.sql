-- $1 namespace, $2 name, $3 version, $4 deprecated or not. No row: there is no such version.
update sagad.definition
   set deprecated = $4::boolean
 where namespace_id = $1::int
   and name = $2::text
   and version = $3::int
   and version > 0
returning 1;
