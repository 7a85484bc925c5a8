-- $1 namespace, $2 sagas: they go on.
delete from sagad.failure f
 using (select h.place
          from unnest($2::uuid[]) as v(saga_id)
               cross join lateral (select h.ctid as place
                                     from sagad.failure h
                                    where h.namespace_id = $1::int
                                      and h.saga_id = v.saga_id
                                   offset 0) as h) as h
 where f.ctid = h.place;
