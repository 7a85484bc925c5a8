-- $1 namespace, $2 saga, $3 size of the sample, $4 count no further: where it stands in line, and who holds the lock.
select own.definition, own.key, own.places, own.since, own.waits,
       case when own.waits then 1 + before.count else 0 end, held.count, held.ids
  from (select l.definition, l.key, l.places, l.since, l.waits, l.ticket
          from sagad.saga_lock l
         where l.namespace_id = $1::int
           and l.saga_id = $2::uuid
        offset 0) as own
       cross join lateral (select count(*) as count
                             from (select 1
                                     from sagad.saga_lock l
                                    where l.namespace_id = $1::int
                                      and l.definition = own.definition
                                      and l.key = own.key
                                      and l.waits
                                      and l.ticket < own.ticket
                                    limit $4::bigint) as l) as before
       cross join lateral (select count(*) as count,
                                  string_agg(uuid_send(h.saga_id), '' order by h.ticket) filter (where h.nth <= $3::bigint) as ids
                             from (select l.saga_id, l.ticket, row_number() over (order by l.ticket) as nth
                                     from sagad.saga_lock l
                                    where l.namespace_id = $1::int
                                      and l.definition = own.definition
                                      and l.key = own.key
                                      and not l.waits
                                    order by l.ticket
                                    limit $4::bigint) as h) as held;
