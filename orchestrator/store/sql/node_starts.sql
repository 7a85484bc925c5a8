-- $1 namespace, $2 our own node, $3 sagas that it started in its last round: what all others started in theirs.
with told as (
    update sagad.node n
       set starts = $3::bigint
     where n.id = $2::int
)
select coalesce(sum(n.starts), 0)::bigint
  from sagad.node n
 where n.namespace_id = $1::int
   and n.id <> $2::int;
