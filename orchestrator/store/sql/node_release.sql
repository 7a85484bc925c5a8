-- $1 node, $2 process of our lost connection: end it if it still holds the node's lock.
select pg_terminate_backend(l.pid)
  from pg_locks l
 where l.locktype = 'advisory'
   and l.classid = 1935763297
   and l.objid = $1::int::oid
   and l.objsubid = 2
   and l.granted
   and l.pid = $2::int;
