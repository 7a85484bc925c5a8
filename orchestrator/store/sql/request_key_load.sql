-- $1 namespace, $2 keys. Remembered for seven days and the ten minutes in which weeks overlap.
with clock as materialized (
    select c.now_ms, sagad.week_of(c.now_ms) as week
      from (select sagad.now_ms()) as c(now_ms)
)
select v.position::int, k.fingerprint, k.saga_id is not null, k.saga_id, k.status, k.answer
  from unnest($2::text[]) with ordinality as v(key, position)
       cross join lateral (select k.fingerprint, k.saga_id, k.status, k.answer
                             from sagad.request_key k
                            where k.namespace_id = $1::int
                              and k.key = v.key
                              and k.week between (select c.week - 1 from clock c)
                                             and (select c.week from clock c)
                              and k.created_at > (select c.now_ms - 605400000 from clock c)
                            order by k.week desc
                            limit 1) as k;
