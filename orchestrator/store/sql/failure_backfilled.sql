-- $1 namespace
delete from sagad.failure_backfill b
 where b.namespace_id = $1::int;
