-- $1 namespace, $2 sagas: they are over.
delete from sagad.saga_lock l
 using (select h.place
          from unnest($2::uuid[]) as v(saga_id)
               cross join lateral (select h.ctid as place
                                     from sagad.saga_lock h
                                    where h.namespace_id = $1::int
                                      and h.saga_id = v.saga_id
                                   offset 0) as h) as h
 where l.ctid = h.place;
