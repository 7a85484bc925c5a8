-- $1 namespace, $2 name. The lock is there before anybody can see the node.
with registered as (
    insert into sagad.node (namespace_id, name, started_at)
    values ($1::int, $2::text, sagad.now_ms())
    returning id
)
select r.id, pg_try_advisory_lock(1935763297, r.id) from registered r;
