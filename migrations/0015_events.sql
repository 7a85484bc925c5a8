-- Events in the order in which their commits became visible: for streams of all sagas, and for Kafka.

-- What a batch added to histories, packed, once more and for a day: as many rows as batches, not as events. A
-- batch writes without a place. Whoever gives places gives them to what he sees, in the order of the
-- transactions: of one saga the later event was written by a transaction that began when the earlier one was
-- visible, so that its order is kept, and nothing can appear before a place that was given.
create table sagad.event_batch (
    namespace_id int not null,
    transaction  bigint not null,
    part         int not null,              -- a large batch has several rows
    at           bigint not null,
    place        bigint,                    -- null: not given yet
    events       bytea not null             -- orchestrator/store/event_rows.h
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.2,
        autovacuum_analyze_scale_factor = 0.1, autovacuum_vacuum_cost_delay = 1);
create index event_batch_waiting on sagad.event_batch (namespace_id, transaction, part) where place is null;
create unique index event_batch_place on sagad.event_batch (namespace_id, place) where place is not null;

-- The last place that was given, and the last one whose events Kafka has.
create table sagad.event_position (
    namespace_id int primary key,
    place        bigint not null,
    published    bigint not null
) with (fillfactor = 10);

-- Give places to at most `most` rows; the last place so far.
create function sagad.place_events(space int, most bigint) returns bigint
    language plpgsql as $$
declare
    last  bigint;
    given bigint;
begin
    if not exists (select from sagad.event_batch b where b.namespace_id = space and b.place is null) then
        return (select p.place from sagad.event_position p where p.namespace_id = space);
    end if;
    insert into sagad.event_position (namespace_id, place, published) values (space, 0, 0)
        on conflict do nothing;
    select p.place into last from sagad.event_position p where p.namespace_id = space for update;
    with waiting as materialized (
        select b.ctid as tid, b.transaction, b.part
          from sagad.event_batch b
         where b.namespace_id = space
           and b.place is null
         order by b.transaction, b.part
         limit most
    )
    update sagad.event_batch b
       set place = last + w.number
      from (select tid, row_number() over (order by transaction, part) as number from waiting) as w
     where b.ctid = w.tid;
    get diagnostics given = row_count;
    update sagad.event_position p set place = last + given where p.namespace_id = space and given > 0;
    return last + given;
end $$;

do $$
begin
    alter table sagad.event_batch alter column events set compression lz4;
exception
    when feature_not_supported or syntax_error or invalid_parameter_value then
        raise debug 'no lz4 here';
end $$;
