-- $1 namespace, arrays: $2 key, $3 fingerprint, $4 saga, $5 status, $6 answer.
-- A key of this week: unique_violation. SG001: a key of last week that is still remembered.
--
-- In the first five minutes of a week a key is also written into the week before, so that it meets a
-- transaction that began there and is still open at a unique index.
with clock as materialized (
    select c.now_ms, sagad.week_of(c.now_ms) as week
      from (select sagad.now_ms()) as c(now_ms)
), made as (
    insert into sagad.request_key (week, namespace_id, key, fingerprint, created_at,
                                   saga_id, status, answer)
    select w.week, $1::int, v.key, v.fingerprint, w.now_ms, v.saga_id, v.status, v.answer
      from (select c.now_ms, sagad.week_of(c.now_ms - 300000) from clock c
             union
            select c.now_ms, c.week from clock c) as w(now_ms, week)
           cross join unnest($2::text[], $3::bytea[], $4::uuid[], $5::smallint[], $6::text[])
                as v(key, fingerprint, saga_id, status, answer)
)
select sagad.require('request key', 0, count(*))
  from unnest($2::text[]) as v(key)
       cross join lateral (select 1
                             from sagad.request_key k
                            where k.namespace_id = $1::int
                              and k.key = v.key
                              and k.week = (select c.week - 1 from clock c)
                              and k.created_at > (select c.now_ms - 605400000 from clock c)
                           offset 0) as remembered;
