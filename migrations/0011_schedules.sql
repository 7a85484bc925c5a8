-- Sagas that start by the clock.

-- What people said comes first, then where the schedule stands. `revision` counts what people
-- changed, `turn` what moved next_at or waiting: whoever read an older turn moves nothing.
create table sagad.schedule (
    namespace_id      int not null,
    name              text collate "C" not null,
    uid               uuid not null,            -- of this life of the name: ids of sagas are made of it
    definition        text collate "C" not null,
    version           int not null,             -- 0: the newest
    cron              text not null,
    time_zone         text not null,
    input             text not null,
    catch_up          smallint not null,        -- sagas/calendar/schedule.h
    catch_up_window   bigint not null,
    overlap           smallint not null,
    created_at        bigint not null,
    paused            boolean not null,
    updated_at        bigint not null,
    revision          int not null,
    turn              int not null,
    next_at           bigint,
    waiting           bytea not null,           -- instants, eight bytes each
    wake_at           bigint,                   -- when somebody is to look; moved on by who does
    last_scheduled_at bigint,
    last_at           bigint,
    last_saga         uuid,
    error_at          bigint,
    error_code        text,
    error_detail      text,
    started           bigint not null default 0,
    missed            bigint not null default 0,
    skipped           bigint not null default 0,
    failed            bigint not null default 0,
    primary key (namespace_id, name)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05,
        autovacuum_vacuum_cost_delay = 1);
create index schedule_wake on sagad.schedule (namespace_id, wake_at) where wake_at is not null;

-- What became of its times, and what people did (those have an actor). The last 200 of both are kept
-- for a name, and outlive the schedule.
create table sagad.schedule_event (
    namespace_id int not null,
    name         text collate "C" not null,
    id           bigint generated always as identity,
    at           bigint not null,
    kind         text not null,
    scheduled_at bigint,
    saga_id      uuid,
    count        bigint not null default 1,     -- of times, where one row stands for several
    actor        text,
    reason       text,
    detail       text,
    primary key (namespace_id, name, id)
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05,
        autovacuum_vacuum_cost_delay = 1);
create unique index schedule_event_saga on sagad.schedule_event (namespace_id, name, saga_id)
 where saga_id is not null;
create index schedule_event_gone on sagad.schedule_event (at) where kind = 'deleted';

-- How far local time is ahead of UTC. An unknown zone is an error.
create function sagad.zone_offset(zone text, at_s bigint) returns int
    language sql stable as $$
    select (extract(epoch from to_timestamp(at_s) at time zone zone) - at_s)::int
$$;
