-- $1 namespace, $2 at most so many rows
select coalesce(sagad.place_events($1::int, $2::bigint), 0);
