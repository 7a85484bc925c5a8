-- $1 namespace, arrays: $2 name, $3 uid, $4 turn read, $5 next_at, $6 waiting, $7 wake_at, $8 scheduled_at, $9 saga (null:
-- none was started), $10 error code, $11 error detail (null: none), $12 missed, $13 missed until, $14 skipped, $15 skipped
-- until, $16 is it dealt with (else only wake_at and the error count).
--
-- The rows are locked. A schedule moves only where its turn is the one that was read; a saga that was started is written
-- down once, whoever comes with it and even when the schedule was changed or deleted meanwhile.
with result as materialized (
    select v.*, sagad.now_ms() as now_ms
      from unnest($2::text[], $3::uuid[], $4::int[], $5::bigint[], $6::bytea[], $7::bigint[],
                  $8::bigint[], $9::uuid[], $10::text[], $11::text[], $12::int[], $13::bigint[],
                  $14::int[], $15::bigint[], $16::boolean[])
           as v(name, uid, turn, next_at, waiting, wake_at, scheduled_at, saga_id, error_code,
                error_detail, missed, missed_until, skipped, skipped_until, settled)
), started as (
    insert into sagad.schedule_event (namespace_id, name, at, kind, scheduled_at, saga_id)
    select $1::int, r.name, r.now_ms, 'started', r.scheduled_at, r.saga_id
      from result r
     where r.saga_id is not null
    on conflict (namespace_id, name, saga_id) where saga_id is not null do nothing
    returning name
), known as materialized (
    select r.*, k.place, k.moves, st.name is not null as is_new
      from result r
           cross join lateral (select s.ctid as place, s.turn = r.turn as moves
                                 from sagad.schedule s
                                where s.namespace_id = $1::int
                                  and s.name = r.name
                                  and s.uid = r.uid
                               offset 0) as k
           left join started st on st.name = r.name
), moved as (
    update sagad.schedule s
       set turn = s.turn + case when k.moves and k.settled then 1 else 0 end,
           next_at = case when k.moves and k.settled then k.next_at else s.next_at end,
           waiting = case when k.moves and k.settled then k.waiting else s.waiting end,
           wake_at = case when k.moves then k.wake_at else k.now_ms end,
           last_scheduled_at = case when k.is_new then greatest(s.last_scheduled_at, k.scheduled_at)
                                    else s.last_scheduled_at end,
           last_at = case when k.is_new then k.now_ms else s.last_at end,
           last_saga = case when k.is_new then k.saga_id else s.last_saga end,
           error_at = case when k.error_code is not null then k.now_ms
                           when k.saga_id is null then s.error_at end,
           error_code = case when k.error_code is not null or k.saga_id is not null then k.error_code
                             else s.error_code end,
           error_detail = case when k.error_code is not null or k.saga_id is not null
                               then k.error_detail else s.error_detail end,
           started = s.started + case when k.is_new then 1 else 0 end,
           missed = s.missed + case when k.moves and k.settled then k.missed else 0 end,
           skipped = s.skipped + case when k.moves and k.settled then k.skipped else 0 end,
           failed = s.failed + case when k.moves and k.settled and k.error_code is not null then 1
                                    else 0 end
      from known k
     where s.ctid = k.place
), noted as (
    insert into sagad.schedule_event (namespace_id, name, at, kind, scheduled_at, count, detail)
    select $1::int, k.name, k.now_ms, e.kind, e.scheduled_at, e.count, e.detail
      from known k
           cross join lateral (values ('missed', k.missed_until, k.missed, null::text),
                                      ('skipped', k.skipped_until, k.skipped, null::text),
                                      ('failed', k.scheduled_at, case when k.error_code is not null then 1 else 0 end,
                                       k.error_code || ': ' || k.error_detail))
                as e(kind, scheduled_at, count, detail)
     where k.moves
       and k.settled
       and e.count > 0
)
delete from sagad.schedule_event e
 using (select o.place
          from known k
               cross join lateral (select e.ctid as place
                                     from sagad.schedule_event e
                                    where e.namespace_id = $1::int
                                      and e.name = k.name
                                      and e.actor is null
                                    order by e.id desc
                                   offset 200) as o
         where k.turn % 16 = 0) as old -- the last 200 and a few more are kept
 where e.ctid = old.place;
