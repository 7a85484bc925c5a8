-- $1 namespace, $2 retention (ms), $3 and $4 places to begin at and to end before: sagas that lie beside the
-- weeks and ended so long ago go, with their starts. How many went.
with page as materialized (
    select c.ctid as place, c.id
      from sagad.saga_start_other c
     where c.ctid >= $3::text::tid
       and c.ctid < $4::text::tid
       and c.namespace_id = $1::int
), gone as (
    delete from sagad.saga s
     using page p
           cross join lateral (select h.ctid
                                 from sagad.saga h
                                where h.namespace_id = $1::int
                                  and h.id = p.id
                               offset 0) as h
     where s.ctid = h.ctid
       and s.finished_at < sagad.now_ms() - $2::bigint
    returning p.place
), started as (
    delete from sagad.saga_start_other c
     using page p
     where c.ctid = p.place
       and (p.place in (select g.place from gone g)
            or not exists (select
                             from sagad.saga s
                            where s.namespace_id = $1::int
                              and s.id = p.id
                            offset 0))
)
select count(*) from gone;
