-- What was answered and what was taken. Both are forgotten by dropping partitions.

-- The database's clock decides on partitions, so that all nodes agree.
create function sagad.now_ms() returns bigint
    language sql stable as
$$ select (extract(epoch from now()) * 1000)::bigint $$;

create function sagad.week_of(at bigint) returns int
    language sql immutable as
$$ select (at / 604800000)::int $$;

-- Idempotency keys, remembered for seven days. A key is unique in its week; in the first minutes of a
-- week it is also written into the one before.
create table sagad.request_key (
    week         int not null,
    namespace_id int not null,
    key          text collate "C" not null,
    fingerprint  bytea not null,
    created_at   bigint not null,
    saga_id      uuid,
    status       smallint not null,
    answer       text,                      -- null: a start, shown again from its saga
    primary key (namespace_id, key, week)
) partition by list (week);

-- Offsets of replies that are dealt with, as ranges. Each writer extends its own.
create table sagad.processed_message (
    week         int not null,
    namespace_id int not null,
    topic        text collate "C" not null,
    partition    int not null,
    writer       bigint not null,
    first_offset bigint not null,
    last_offset  bigint not null,
    first_at     bigint not null,           -- record timestamps: lowest and highest
    last_at      bigint not null,
    at           bigint not null,
    primary key (namespace_id, topic, partition, writer, first_offset, week)
) partition by list (week);

create table sagad.dead_letter (
    id           bigint generated always as identity primary key,
    namespace_id int not null,
    at           bigint not null,
    topic        text collate "C" not null,
    partition    int not null,
    "offset"     bigint not null,
    reason       text not null,
    key          bytea,
    headers      text,
    value        bytea,
    settled      text                       -- replayed, discarded; null: open
);
create index dead_letter_open on sagad.dead_letter (namespace_id, id) where settled is null;
-- The same record delivered again is the same dead letter.
create unique index dead_letter_record on sagad.dead_letter (namespace_id, topic, partition, "offset", at)
    where settled is null;

-- Make the partition of one week where it is not there. Attaching blocks nobody.
create function sagad.make_partition(parent text, week int) returns void
    language plpgsql as $$
declare
    part text := format('%s_w%s', parent, week);
begin
    if to_regclass(format('sagad.%I', part)) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(1935763297, -1);
    if to_regclass(format('sagad.%I', part)) is not null then
        return;
    end if;
    execute format('create table sagad.%I (like sagad.%I including all)', part, parent);
    if parent = 'processed_message' then
        execute format('alter table sagad.%I set (fillfactor = 50)', part);
    end if;
    execute format('alter table sagad.%I attach partition sagad.%I for values in (%s)',
                   parent, part, week);
exception
    -- Another session made it: an advisory lock does not refresh what we know of the catalogue.
    when duplicate_table then
        null;
end $$;

-- Two weeks ahead.
create function sagad.make_partitions(at bigint) returns void
    language plpgsql as $$
begin
    for week in sagad.week_of(at) - 1 .. sagad.week_of(at) + 2 loop
        perform sagad.make_partition('request_key', week);
        perform sagad.make_partition('processed_message', week);
    end loop;
end $$;

create function sagad.drop_partitions(parent text, first_kept int) returns void
    language plpgsql as $$
declare
    part record;
begin
    for part in
        select c.relname
          from pg_inherits i
          join pg_class c on c.oid = i.inhrelid
         where i.inhparent = format('sagad.%I', parent)::regclass
           and substr(c.relname, length(parent) + 3)::int < first_kept
    loop
        execute format('drop table sagad.%I', part.relname);
    end loop;
end $$;

select sagad.make_partitions(sagad.now_ms());
