-- $1 namespace, $2 array of packed events
insert into sagad.event_batch (namespace_id, transaction, part, at, events)
select $1::int, pg_current_xact_id()::text::bigint, v.part, sagad.now_ms(), v.events
  from unnest($2::bytea[]) with ordinality as v(events, part);
