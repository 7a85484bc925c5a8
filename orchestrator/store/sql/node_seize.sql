-- $1 namespace, $2 dead node: locked until the end of the transaction. SG001: it lives, or is gone.
with node as materialized (
    select n.id
      from sagad.node n
     where n.namespace_id = $1::int
       and n.id = $2::int
       for update
)
select sagad.require('node', 1, count(*))
  from node n
 where pg_try_advisory_xact_lock(1935763297, n.id);
