-- What is only added to is kept in partitions by the week of the saga's id: a week that is over is
-- dropped instead of deleted row by row. Ids that are no UUIDv7 of a week that was made, and sagas that
-- outlive their week, are in <table>_other. The hot row stays in one table: its plans prune nothing.

-- The least UUIDv7 of a week: 48 bits of milliseconds.
create function sagad.week_start(week int) returns uuid
    language sql immutable as
$$ select (lpad(to_hex(week::bigint * 604800000), 12, '0') || '00000000000000000000')::uuid $$;

alter table sagad.history rename to history_before;
alter index sagad.history_pkey rename to history_before_pkey;
alter table sagad.saga_start rename to saga_start_before;
alter index sagad.saga_start_pkey rename to saga_start_before_pkey;
alter table sagad.saga_tag rename to saga_tag_before;
alter index sagad.saga_tag_pkey rename to saga_tag_before_pkey;

create table sagad.history (like sagad.history_before including defaults including storage including compression,
    primary key (namespace_id, saga_id, seq)) partition by range (saga_id);
create table sagad.saga_start (like sagad.saga_start_before including defaults including storage including compression,
    primary key (namespace_id, definition_id, id)) partition by range (id);
create table sagad.saga_tag (like sagad.saga_tag_before including defaults including storage including compression,
    primary key (namespace_id, kind, name, value, saga_id)) partition by range (saga_id);

-- Written once, deleted by dropping: vacuum only to freeze and for index-only scans.
create function sagad.tune_week(part text) returns void
    language plpgsql as $$
begin
    execute format('alter table sagad.%I set (autovacuum_vacuum_insert_scale_factor = 0.2, '
                   'autovacuum_analyze_scale_factor = 0.2)', part);
end $$;

create table sagad.history_other partition of sagad.history default;
create table sagad.saga_start_other partition of sagad.saga_start default;
create table sagad.saga_tag_other partition of sagad.saga_tag default;
select sagad.tune_week(part)
  from unnest('{history_other,saga_start_other,saga_tag_other}'::text[]) as part;

-- Make one week of one table where it is not there. Attaching asks <table>_other whether it holds rows of
-- that week, under a lock: for a moment, as long as there is little in it.
create function sagad.make_week(parent text, key text, week int) returns void
    language plpgsql as $$
declare
    part text := format('%s_w%s', parent, week);
    low  uuid := sagad.week_start(week);
    high uuid := sagad.week_start(week + 1);
begin
    if to_regclass(format('sagad.%I', part)) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(1935763297, -1);
    if to_regclass(format('sagad.%I', part)) is not null then
        return;
    end if;
    execute format('create table sagad.%I (like sagad.%I including all)', part, parent);
    perform sagad.tune_week(part);
    execute format('with moved as (delete from sagad.%I where %I >= $1 and %2$I < $2 returning *) '
                   'insert into sagad.%3$I select * from moved', parent || '_other', key, part)
      using low, high;
    execute format('alter table sagad.%I attach partition sagad.%I for values from (%L) to (%L)',
                   parent, part, low, high);
exception
    -- Another session made it: an advisory lock does not refresh what we know of the catalogue.
    when duplicate_table then
        null;
end $$;

create function sagad.make_week(week int) returns void
    language plpgsql as $$
begin
    perform sagad.make_week('saga_start', 'id', week);
    perform sagad.make_week('saga_tag', 'saga_id', week);
    perform sagad.make_week('history', 'saga_id', week);
end $$;

-- The weeks of the sagas that are there, as far as they are plausible.
do $$
declare
    present int;
begin
    for present in
        select distinct sagad.week_of(s.at)
          from (select ('x' || substr(replace(s.id::text, '-', ''), 1, 12))::bit(48)::bigint as at
                  from sagad.saga s
                 where not s.odd_id) as s
         where s.at between sagad.now_ms() - 157680000000 and sagad.now_ms() + 1209600000
    loop
        perform sagad.make_week(present);
    end loop;
end $$;

insert into sagad.saga_start select * from sagad.saga_start_before;
insert into sagad.saga_tag select * from sagad.saga_tag_before;
insert into sagad.history select * from sagad.history_before;
drop table sagad.saga_start_before, sagad.saga_tag_before, sagad.history_before;

-- From the week before the given instant to two weeks ahead.
create or replace function sagad.make_partitions(at bigint) returns void
    language plpgsql as $$
begin
    for week in sagad.week_of(at) - 1 .. sagad.week_of(at) + 2 loop
        perform sagad.make_partition('request_key', week);
        perform sagad.make_partition('processed_message', week);
        perform sagad.make_week(week);
    end loop;
end $$;

select sagad.make_partitions(sagad.now_ms());
