-- $1 namespace, $2 name.
select s.name, s.uid, s.definition, s.version, s.cron, s.time_zone, s.input, s.catch_up,
       s.catch_up_window, s.overlap, s.paused, s.created_at, s.updated_at, s.revision, s.turn,
       s.next_at, s.waiting, s.last_scheduled_at, s.last_at, s.last_saga, s.error_at, s.error_code,
       s.error_detail, s.started, s.missed, s.skipped, s.failed,
       sagad.now_ms(), false
  from sagad.schedule s
 where s.namespace_id = $1::int
   and s.name = $2::text;
