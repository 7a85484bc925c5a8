-- Sagas that are stuck or try again, by what is wrong with them. A row is written by the commit that made
-- its saga so and deleted by the one that ended it: a saga that never fails costs nothing here.
create table sagad.failure (
    namespace_id  int not null,
    saga_id       uuid not null,
    definition_id bigint not null,
    key           bigint not null,          -- of the group, sagas/machine/failure.h
    since         bigint not null,
    state         smallint not null,        -- 1 retrying, 2 stuck
    op            smallint not null,
    step          text collate "C",
    code          text collate "C",
    primary key (namespace_id, saga_id)
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05,
        autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
create index failure_group on sagad.failure (namespace_id, state, definition_id, key, since, saga_id);

-- Namespaces whose older sagas are still to be looked through: only the program can read what they stand at.
create table sagad.failure_backfill (
    namespace_id int primary key
);
insert into sagad.failure_backfill (namespace_id)
select n.id
  from sagad.namespace n;
