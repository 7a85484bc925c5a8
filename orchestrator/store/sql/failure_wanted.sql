-- $1 namespace: a row while its older sagas are to be looked through.
select 1
  from sagad.failure_backfill b
 where b.namespace_id = $1::int;
