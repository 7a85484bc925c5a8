-- $1 namespace, $2 name, $3 uid, $4 definition, $5 version, $6 cron, $7 time zone, $8 input, $9 catch_up,
-- $10 catch_up_window, $11 overlap, $12 paused, $13 next_at. A name that exists: unique_violation.
insert into sagad.schedule (namespace_id, name, uid, definition, version, cron, time_zone, input,
                            catch_up, catch_up_window, overlap, paused, next_at, wake_at, created_at,
                            updated_at, revision, turn, waiting)
select $1::int, $2::text, $3::uuid, $4::text, $5::int, $6::text, $7::text, $8::text, $9::smallint,
       $10::bigint, $11::smallint, $12::boolean, $13::bigint,
       case when not $12::boolean then $13::bigint end, sagad.now_ms(), sagad.now_ms(), 1, 1, '';
