-- $1 namespace, $2 and $3 definition and key of the last line of the page before, $4 limit: lines, one after the
-- other, and whether their first saga has a place.
with recursive line as (
    (select l.definition, l.key, l.places
       from sagad.saga_lock l
      where l.namespace_id = $1::int
        and (l.definition, l.key) > ($2::text collate "C", $3::text collate "C")
        and l.waits
      order by l.definition, l.key, l.ticket
      limit 1)
    union all
    select n.definition, n.key, n.places
      from line
           cross join lateral (select l.definition, l.key, l.places
                                 from sagad.saga_lock l
                                where l.namespace_id = $1::int
                                  and (l.definition, l.key) > (line.definition, line.key)
                                  and l.waits
                                order by l.definition, l.key, l.ticket
                                limit 1) as n
)
select page.definition, page.key, held.taken < page.places
  from (select line.definition, line.key, line.places
          from line
         limit $4::bigint) as page
       cross join lateral (select count(*) as taken
                             from (select 1
                                     from sagad.saga_lock l
                                    where l.namespace_id = $1::int
                                      and l.definition = page.definition
                                      and l.key = page.key
                                      and not l.waits
                                    limit page.places) as l) as held;
