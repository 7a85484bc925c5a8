-- Sagas whose definition says `concurrency`, from when their time has come until they end: in line, and from
-- when it is their turn among those that may be open. A row is written by the commit that puts its saga in line
-- and deleted by the one that ends it; whose turn it is is settled after the commits, under an advisory lock.
create table sagad.saga_lock (
    namespace_id int not null,
    saga_id      uuid not null,
    definition   text collate "C" not null,
    key          text collate "C" not null,     -- '': the definition's only one
    ticket       bigint not null generated always as identity,
    places       bigint not null,               -- how many may be open, as this saga's version says
    since        bigint not null,               -- when it got in line
    waits        boolean not null default true,
    granted      bigint,                        -- when it was its turn
    told         boolean not null default false, -- the saga knows
    primary key (namespace_id, saga_id)
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05,
        autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
create index saga_lock_places on sagad.saga_lock (namespace_id, definition, key, waits, ticket);
-- What the sweep looks through: lines only, not the locks that nobody waits for.
create index saga_lock_line on sagad.saga_lock (namespace_id, definition, key, ticket) where waits;
create index saga_lock_untold on sagad.saga_lock (namespace_id, granted) where not waits and not told;
