-- $1 namespace, $2 kind, $3 name, $4 heads of values: the planner's guess of how many sagas have one
-- of them.
explain (format json)
select 1
  from sagad.saga_tag t
 where t.namespace_id = $1::int
   and t.kind = $2::text::"char"
   and t.name = $3::text
   and t.value = any($4::text[]);
