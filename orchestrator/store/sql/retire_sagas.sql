-- $1 namespace, $2 week, $3 ids above this one, $4 limit, $5 retention (ms): of the next sagas of that week those
-- that ended so long ago go. The last id that was looked at; how many were; how many went.
with page as materialized (
    select s.id, s.ctid as place
      from sagad.saga s
     where s.namespace_id = $1::int
       and s.id > $3::uuid
       and s.id >= sagad.week_start($2::int)
       and s.id < sagad.week_start($2::int + 1)
     order by s.id
     limit $4::bigint
), gone as (
    delete from sagad.saga s
     using page p
     where s.ctid = p.place
       and s.finished_at < sagad.now_ms() - $5::bigint
    returning 1
)
select (select p.id from page p order by p.id desc limit 1),
       (select count(*) from page),
       (select count(*) from gone);
