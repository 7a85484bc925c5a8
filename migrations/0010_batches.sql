-- Batches: one command of an operator to a set of sagas, or the replay of dead letters, item by item. The set is
-- frozen when the batch is made. Items are taken in order, so that two numbers tell which are dealt with;
-- only what failed has rows.
create table sagad.operator_batch (
    namespace_id int not null,
    id           uuid not null,
    verb         text not null,
    step         text,
    item         int,                       -- of a foreach; null: all of them
    output       text,
    filter       text,                      -- as it was asked for; null: by ids
    reason       text not null,
    actor        text not null,
    rate         int not null,              -- items a second
    state        smallint not null,         -- 1 running, 2 paused, 3 done, 4 stopped
    total        bigint not null,
    done         bigint not null,
    failed       bigint not null,
    holder       bigint not null,           -- who works on it; 0: nobody
    held_until   bigint not null,
    created_at   bigint not null,
    updated_at   bigint not null,
    finished_at  bigint,
    primary key (namespace_id, id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
create index operator_batch_running on sagad.operator_batch (namespace_id, id) where state = 1;

-- A thousand items each. A dead letter's number is written as an id.
create table sagad.operator_batch_page (
    namespace_id int not null,
    batch_id     uuid not null,
    page         int not null,
    ids          uuid[] not null,
    primary key (namespace_id, batch_id, page)
) with (autovacuum_vacuum_scale_factor = 0.05);

create table sagad.operator_batch_failure (
    namespace_id int not null,
    batch_id     uuid not null,
    seq          bigint not null,           -- of the item, from 0
    kind         smallint not null,
    why          text not null,
    at           bigint not null,
    primary key (namespace_id, batch_id, seq)
) with (autovacuum_vacuum_scale_factor = 0.05);

-- Who made it, paused it, let it go on, stopped it, and why.
create table sagad.operator_batch_act (
    namespace_id int not null,
    batch_id     uuid not null,
    seq          int not null,
    at           bigint not null,
    verb         text not null,
    actor        text not null,
    reason       text,
    primary key (namespace_id, batch_id, seq)
);

-- Items of a batch in pages; raises when they are more than may be.
create function sagad.freeze(namespace int, batch uuid, members uuid[], at_most bigint) returns bigint
    language plpgsql as $$
begin
    if cardinality(members) > at_most then
        raise exception 'more than % items', at_most using errcode = 'SG003';
    end if;
    insert into sagad.operator_batch_page (namespace_id, batch_id, page, ids)
    select namespace, batch, ((u.n - 1) / 1000)::int, array_agg(u.id order by u.n)
      from unnest(members) with ordinality as u(id, n)
     group by (u.n - 1) / 1000;
    return cardinality(members);
end $$;
