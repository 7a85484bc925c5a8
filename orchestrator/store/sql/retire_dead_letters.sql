-- $1 namespace, $2 ids above this one, $3 limit, $4 retention (ms): of the next dead letters those that were settled
-- and are so old go. The last id that was looked at; how many were; how many went.
with page as materialized (
    select l.id, l.ctid as place
      from sagad.dead_letter l
     where l.namespace_id = $1::int
       and l.id > $2::bigint
     order by l.id
     limit $3::bigint
), gone as (
    delete from sagad.dead_letter l
     using page p
     where l.ctid = p.place
       and l.settled is not null
       and l.at < sagad.now_ms() - $4::bigint
    returning 1
)
select coalesce((select max(p.id) from page p), $2::bigint),
       (select count(*) from page),
       (select count(*) from gone);
