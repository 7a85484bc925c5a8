-- $1 namespace, $2 state, $3 definition, $4 key, $5 no more than these, $6 batch: a group of failures. How many
-- were frozen; SG003: more.
select sagad.freeze($1::int, $6::uuid, coalesce(array_agg(f.saga_id order by f.saga_id), '{}'), $5::bigint)
  from (select f.saga_id
          from sagad.failure f
         where f.namespace_id = $1::int
           and f.state = $2::int
           and f.definition_id = $3::bigint
           and f.key = $4::bigint
         limit $5::bigint + 1) as f;
