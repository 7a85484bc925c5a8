-- $1 namespace, $2 place, $3 age in ms of those up to it, $4 age in ms of those behind it, $5 limit. How many went.
with old as materialized (
    select b.ctid as tid
      from sagad.event_batch b
     where b.namespace_id = $1::int
       and b.place > 0
       and b.at < sagad.now_ms() - case when b.place <= $2::bigint then $3::bigint else $4::bigint end
     order by b.place
     limit $5::bigint
), gone as (
    delete from sagad.event_batch b
     using old
     where b.ctid = old.tid
    returning 1
)
select count(*) from gone;
