-- $1 namespace, $2 name, $3 uid, $4 definition, $5 version, $6 cron, $7 time zone, $8 input, $9 catch_up,
-- $10 catch_up_window, $11 overlap, $12 paused, $13 next_at, $14 revision read, $15 is next_at to be set,
-- $16 times that were missed by that. SG001: it changed meanwhile, or it is gone.
with changed as (
    update sagad.schedule s
       set definition = $4::text, version = $5::int, cron = $6::text, time_zone = $7::text,
           input = $8::text, catch_up = $9::smallint, catch_up_window = $10::bigint,
           overlap = $11::smallint, paused = $12::boolean,
           next_at = case when $15::boolean then $13::bigint else s.next_at end,
           turn = s.turn + case when $15::boolean then 1 else 0 end,
           wake_at = case when s.waiting <> '' then sagad.now_ms()
                          when $12::boolean then null
                          when $15::boolean then $13::bigint
                          else s.next_at end,
           missed = s.missed + $16::bigint,
           updated_at = sagad.now_ms(),
           revision = s.revision + 1
     where s.namespace_id = $1::int
       and s.name = $2::text
       and s.uid = $3::uuid
       and s.revision = $14::int
    returning 1
)
select sagad.require('schedule', 1, (select count(*) from changed));
