-- $1 namespace, $2 sagas, arrays of tags: $3 kind, $4 name, $5 value, $6 value_rest, $7 how many different kinds and
-- names they have. Those of the sagas that have one of the values of each.
select v.id
  from unnest($2::uuid[]) as v(id)
 where sagad.count_tags($1::int, v.id, $3::"char"[], $4::text[], $5::text[], $6::text[]) = $7::int;
