-- $1 namespace, arrays: $2 saga, $3 step, $4 item: they are undone.
delete from sagad.effect e
 using (select h.place
          from unnest($2::uuid[], $3::text[], $4::int[]) as v(saga_id, step, item)
               cross join lateral (select h.ctid as place
                                     from sagad.effect h
                                    where h.namespace_id = $1::int
                                      and h.saga_id = v.saga_id
                                      and h.step = v.step
                                      and h.item = v.item
                                   offset 0) as h) as h
 where e.ctid = h.place;
