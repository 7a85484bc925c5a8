-- Definitions, sagas and their history. All instants are Unix milliseconds.

create table sagad.namespace (
    id   int generated always as identity primary key,
    name text collate "C" not null unique
);

create table sagad.definition (
    id           bigint generated always as identity primary key,
    namespace_id int not null,
    name         text collate "C" not null,
    version      int not null,              -- 0: given inline with a start
    hash         bytea not null,            -- of the content
    source       text not null,
    created_at   bigint not null,
    deprecated   boolean not null default false
);
create unique index definition_version on sagad.definition (namespace_id, name, version) where version > 0;
create unique index definition_content on sagad.definition (namespace_id, name, hash) where version > 0;
create unique index definition_inline on sagad.definition (namespace_id, name, hash) where version = 0;

-- What is said of a name with all its versions. No row: nothing.
create table sagad.definition_name (
    namespace_id int not null,
    name         text collate "C" not null,
    paused       boolean not null,
    primary key (namespace_id, name)
);

-- For people: what the numbers in saga.state mean.
create table sagad.saga_state (
    state smallint primary key,
    name  text not null unique
);
insert into sagad.saga_state (state, name)
values (0, 'pending'), (1, 'running'), (2, 'compensating'), (3, 'succeeded'),
       (4, 'compensated'), (5, 'stuck'), (6, 'terminated');

-- The hot row: updated at every event. Half of each page is kept free and no index names a column
-- that an ordinary event changes, so that updates stay on their page (HOT). What never changes
-- comes first: WAL holds only the part of the row between its unchanged ends.
--
-- wake_at is a lower bound of due_at and follows it lazily: it moves when due_at becomes earlier,
-- and else only when the bound was reached.
create table sagad.saga (
    namespace_id  int not null,
    id            uuid not null,
    definition_id bigint not null,
    created_at    bigint not null,
    odd_id        boolean not null,         -- its id does not tell when it was created
    node          int not null,             -- that wrote last; 0: none
    revision      int not null,
    attention     int not null,             -- bits
    state         smallint not null,
    paused        boolean not null,
    due_at        bigint,
    wake_at       bigint,
    finished_at   bigint,
    packed        bytea not null,           -- the step states, sagas/machine/codec.h
    primary key (namespace_id, id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05,
        autovacuum_vacuum_cost_delay = 1);
create index saga_not_succeeded on sagad.saga (namespace_id, state, id) where state <> 3;
create index saga_odd_id on sagad.saga (namespace_id, id) where odd_id;
create index saga_attention on sagad.saga (namespace_id, id) where attention <> 0;
create index saga_wake on sagad.saga (namespace_id, wake_at) where wake_at is not null;

-- What a saga was started with: written once. Its key also finds the sagas of a definition, in a
-- table where that costs one index entry a saga.
create table sagad.saga_start (
    namespace_id  int not null,
    definition_id bigint not null,
    id            uuid not null,
    start_at      bigint,
    input         text not null,
    labels        text,
    attributes    text,
    trace         text,
    trace_state   text,
    primary key (namespace_id, definition_id, id)
) with (autovacuum_vacuum_insert_scale_factor = 0.2, autovacuum_analyze_scale_factor = 0.2);

-- Searchable labels ('l') and attributes ('a'). A long value is split: its head is in the key.
create table sagad.saga_tag (
    namespace_id int not null,
    kind         "char" not null,
    name         text collate "C" not null,
    value        text collate "C" not null,
    saga_id      uuid not null,
    value_rest   text collate "C",
    primary key (namespace_id, kind, name, value, saga_id)
);

-- How many of the wanted kinds and names a saga has with one of the wanted values.
create function sagad.count_tags(namespace int, saga uuid, kinds "char"[], names text[],
                                 vals text[], rests text[]) returns bigint
    language sql stable as $$
    select count(distinct (w.kind, w.name))
      from unnest(kinds, names, vals, rests) as w(kind, name, value, value_rest)
           cross join lateral (select 1
                                 from sagad.saga_tag t
                                where t.namespace_id = namespace
                                  and t.kind = w.kind
                                  and t.name = w.name
                                  and t.value = w.value
                                  and t.saga_id = saga
                                  and t.value_rest is not distinct from w.value_rest
                               offset 0) as t
$$;

-- One row an event, append-only.
create table sagad.history (
    namespace_id int not null,
    saga_id      uuid not null,
    seq          int not null,              -- of the first entry
    count        int not null,
    revision     int not null,              -- of the saga after the event
    at           bigint not null,
    entries      text not null,
    payload      text,
    output       text,
    primary key (namespace_id, saga_id, seq)
) with (autovacuum_vacuum_insert_scale_factor = 0.2, autovacuum_analyze_scale_factor = 0.2);

-- A statement that must touch `wanted` rows and touched others lost a race: nothing is written.
create function sagad.require(what text, wanted bigint, counted bigint) returns void
    language plpgsql as $$
begin
    if counted is distinct from wanted then
        raise exception '% of % % rows', counted, wanted, what using errcode = 'SG001';
    end if;
end $$;

-- lz4 where this server has it, else its default.
do $$
declare
    place record;
begin
    for place in
        select c.relname, a.attname
          from pg_class c
          join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace = 'sagad'::regnamespace
           and (c.relname, a.attname) in (values
               ('definition', 'source'), ('saga', 'packed'), ('saga_start', 'input'),
               ('saga_start', 'labels'), ('saga_start', 'attributes'),
               ('history', 'entries'), ('history', 'payload'), ('history', 'output'))
    loop
        execute format('alter table sagad.%I alter column %I set compression lz4',
                       place.relname, place.attname);
    end loop;
exception
    when feature_not_supported or syntax_error or invalid_parameter_value then
        raise debug 'no lz4 here';
end $$;
