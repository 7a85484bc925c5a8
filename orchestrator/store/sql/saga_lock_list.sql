-- $1 namespace, $2 and $3 definition and key of the first lock, $4 last definition, $5 limit, $6 size of the
-- samples, $7 count no further: locks in order, held or waited for.
with recursive lock as (
    (select l.definition, l.key
       from sagad.saga_lock l
      where l.namespace_id = $1::int
        and (l.definition, l.key) >= ($2::text collate "C", $3::text collate "C")
        and l.definition <= $4::text collate "C"
      order by l.definition, l.key
      limit 1)
    union all
    select n.definition, n.key
      from lock
           cross join lateral (select l.definition, l.key
                                 from sagad.saga_lock l
                                where l.namespace_id = $1::int
                                  and (l.definition, l.key) > (lock.definition, lock.key)
                                  and l.definition <= $4::text collate "C"
                                order by l.definition, l.key
                                limit 1) as n
)
select page.definition, page.key, coalesce(line.places, held.places), held.count, held.ids,
       line.count, line.ids, line.since
  from (select lock.definition, lock.key
          from lock
         limit $5::bigint) as page
       cross join lateral (select count(*) as count, max(h.places) filter (where h.nth = 1) as places,
                                  string_agg(uuid_send(h.saga_id), '' order by h.ticket) filter (where h.nth <= $6::bigint) as ids
                             from (select l.saga_id, l.ticket, l.places, row_number() over (order by l.ticket) as nth
                                     from sagad.saga_lock l
                                    where l.namespace_id = $1::int
                                      and l.definition = page.definition
                                      and l.key = page.key
                                      and not l.waits
                                    order by l.ticket
                                    limit $7::bigint) as h) as held
       cross join lateral (select count(*) as count, max(w.places) filter (where w.nth = 1) as places,
                                  min(w.since) as since,
                                  string_agg(uuid_send(w.saga_id), '' order by w.ticket) filter (where w.nth <= $6::bigint) as ids
                             from (select l.saga_id, l.ticket, l.places, l.since, row_number() over (order by l.ticket) as nth
                                     from sagad.saga_lock l
                                    where l.namespace_id = $1::int
                                      and l.definition = page.definition
                                      and l.key = page.key
                                      and l.waits
                                    order by l.ticket
                                    limit $7::bigint) as w) as line
 order by page.definition, page.key;
