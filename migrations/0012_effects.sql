-- What open sagas have done that is neither confirmed nor undone: a row for each step, or item of one, that
-- declares an `effect`. Written by the commit that made it so, deleted by the one that undid it or ended the
-- saga: a saga whose definition declares no effect costs nothing here.
create table sagad.effect (
    namespace_id  int not null,
    saga_id       uuid not null,
    step          text collate "C" not null,
    item          int not null,             -- -1: the step has no items
    definition_id bigint not null,
    since         bigint not null,
    state         smallint not null,        -- of the saga
    unknown       boolean not null,         -- nobody knows whether it happened
    topic         text collate "C" not null, -- '': none
    kind          text collate "C" not null,
    currency      text collate "C" not null, -- '': none
    amount        numeric,                  -- null: not known
    primary key (namespace_id, saga_id, step, item)
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05,
        autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
create index effect_state on sagad.effect (namespace_id, state);
