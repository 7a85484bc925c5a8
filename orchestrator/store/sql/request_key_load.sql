-- $1 namespace, $2 keys. Remembered for seven days and the ten minutes in which weeks overlap.
select v.position::int, k.fingerprint, k.saga_id is not null, k.saga_id, k.status, k.answer
  from unnest($2::text[]) with ordinality as v(key, position)
       cross join lateral (select k.fingerprint, k.saga_id, k.status, k.answer
                             from sagad.request_key k
                            where k.namespace_id = $1::int
                              and k.key = v.key
                              and k.week between sagad.week_of(sagad.now_ms()) - 1
                                             and sagad.week_of(sagad.now_ms()) + 1
                              and k.created_at > sagad.now_ms() - 605400000
                            order by k.week desc
                            limit 1) as k;
