-- $1 namespace, arrays: $2 key, $3 fingerprint, $4 saga, $5 status, $6 answer.
-- A key of this week: unique_violation. SG001: a key of last week that is still remembered.
--
-- Five minutes around the turn of a week a key is written into both, so that two transactions that
-- see different weeks still meet at a unique index.
with v as materialized (
    select *
      from unnest($2::text[], $3::bytea[], $4::uuid[], $5::smallint[], $6::text[])
           as v(key, fingerprint, saga_id, status, answer)
), made as (
    insert into sagad.request_key (week, namespace_id, key, fingerprint, created_at,
                                   saga_id, status, answer)
    select w.week, $1::int, v.key, v.fingerprint, sagad.now_ms(), v.saga_id, v.status, v.answer
      from v
           cross join (select sagad.week_of(sagad.now_ms() - 300000)
                        union
                       select sagad.week_of(sagad.now_ms() + 300000)) as w(week)
)
select sagad.require('request key', 0, count(*))
  from v
       cross join lateral (select 1
                             from sagad.request_key k
                            where k.namespace_id = $1::int
                              and k.key = v.key
                              and k.week = sagad.week_of(sagad.now_ms()) - 1
                              and k.created_at > sagad.now_ms() - 605400000
                           offset 0) as remembered;
