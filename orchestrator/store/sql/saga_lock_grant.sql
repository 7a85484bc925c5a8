-- $1 namespace, arrays: $2 definition, $3 key. The first in each line, as many as there are places: it is their turn.
-- Places are counted as the saga's own version has them, and nobody passes one who still has to wait.
with wanted as materialized (
    select distinct v.definition, v.key
      from unnest($2::text[], $3::text[]) as v(definition, key)
), turn as materialized (
    select n.place
      from wanted w
           cross join lateral (select l.places
                                 from sagad.saga_lock l
                                where l.namespace_id = $1::int
                                  and l.definition = w.definition
                                  and l.key = w.key
                                  and l.waits
                                order by l.ticket
                                limit 1) as head
           cross join lateral (select count(*) as taken
                                 from (select 1
                                         from sagad.saga_lock l
                                        where l.namespace_id = $1::int
                                          and l.definition = w.definition
                                          and l.key = w.key
                                          and not l.waits
                                        limit head.places) as l) as held
           cross join lateral (select q.place, held.taken + row_number() over in_line <= min(q.places) over in_line as fits
                                 from (select l.ctid as place, l.places, l.ticket
                                         from sagad.saga_lock l
                                        where l.namespace_id = $1::int
                                          and l.definition = w.definition
                                          and l.key = w.key
                                          and l.waits
                                        order by l.ticket
                                        limit head.places - held.taken) as q
                               window in_line as (order by q.ticket rows unbounded preceding)) as n
     where n.fits
)
update sagad.saga_lock l
   set waits = false, granted = sagad.now_ms()
  from turn t
 where l.ctid = t.place
   and l.waits
returning l.saga_id;
