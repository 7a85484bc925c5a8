-- $1 namespace, $2 node, $3 name: the lock on a new connection, and the row where another node took it away.
with held as materialized (
    select pg_try_advisory_lock(1935763297, $2::int) as mine
), kept as (
    insert into sagad.node (id, namespace_id, name, started_at)
    select $2::int, $1::int, $3::text, sagad.now_ms()
      from held h
     where h.mine
    on conflict (id) do nothing
)
select h.mine from held h;
