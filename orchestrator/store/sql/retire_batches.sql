-- $1 namespace, $2 retention (ms), $3 limit: of one batch that ended so long ago some of the failures go, or with the
-- last of them the batch. How many batches went; is anything left to do?
with old as materialized (
    select b.id
      from sagad.operator_batch b
     where b.namespace_id = $1::int
       and b.finished_at < sagad.now_ms() - $2::bigint
     order by b.id
     limit 1
), picked as materialized (
    select f.ctid as place
      from old o
           cross join lateral (select f.ctid
                                 from sagad.operator_batch_failure f
                                where f.namespace_id = $1::int
                                  and f.batch_id = o.id
                                limit $3::bigint) as f
), less as (
    delete from sagad.operator_batch_failure f
     using picked p
     where f.ctid = p.place
), last as materialized (
    select o.id
      from old o
     where (select count(*) from picked) < $3::bigint
), pages as (
    delete from sagad.operator_batch_page p
     using last l
     where p.namespace_id = $1::int
       and p.batch_id = l.id
), acts as (
    delete from sagad.operator_batch_act a
     using last l
     where a.namespace_id = $1::int
       and a.batch_id = l.id
), gone as (
    delete from sagad.operator_batch b
     using last l
     where b.namespace_id = $1::int
       and b.id = l.id
    returning 1
)
select (select count(*) from gone), exists (select from old);
