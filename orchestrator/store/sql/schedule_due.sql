-- $1 namespace, $2 limit, $3 for how long (ms) nobody else gets them: schedules whose time has come, the earliest first,
-- with this database's time and whether the previous saga is open.
with clock as materialized (
    select sagad.now_ms() as now_ms
), due as materialized (
    select d.ctid as place
      from sagad.schedule d
     where d.namespace_id = $1::int
       and d.wake_at <= (select c.now_ms from clock c)
     order by d.wake_at
     limit $2::bigint
       for update skip locked
), s as (
    update sagad.schedule s
       set wake_at = (select c.now_ms from clock c) + $3::bigint
      from due
     where s.ctid = due.place
    returning s.*
)
select s.name, s.uid, s.definition, s.version, s.cron, s.time_zone, s.input, s.catch_up,
       s.catch_up_window, s.overlap, s.paused, s.created_at, s.updated_at, s.revision, s.turn,
       s.next_at, s.waiting, s.last_scheduled_at, s.last_at, s.last_saga, s.error_at, s.error_code,
       s.error_detail, s.started, s.missed, s.skipped, s.failed,
       (select c.now_ms from clock c),
       exists (select
                 from sagad.saga p
                where p.namespace_id = s.namespace_id
                  and p.id = s.last_saga
                  and p.finished_at is null)
  from s;
