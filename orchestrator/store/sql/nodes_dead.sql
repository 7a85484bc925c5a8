-- $1 namespace, $2 our own node: those whose lock nobody holds.
select n.id
  from sagad.node n
 where n.namespace_id = $1::int
   and n.id <> $2::int
   and not exists (select
                     from pg_locks l
                    where l.locktype = 'advisory'
                      and l.database = (select d.oid from pg_database d where d.datname = current_database())
                      and l.classid = 1935763297
                      and l.objid = n.id::oid
                      and l.objsubid = 2
                      and l.granted)
 order by n.id;
