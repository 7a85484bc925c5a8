-- Sagas that ended long ago go: their hot rows one by one, the rest week by week.

-- A week that was made and is no partition any more.
create function sagad.old_weeks() returns setof regclass
    language sql stable as $$
select c.oid::regclass
  from pg_class c
 where c.relnamespace = 'sagad'::regnamespace
   and c.relkind = 'r'
   and c.relname ~ '^(history|saga_start|saga_tag)_w[0-9]+$'
   and not c.relispartition
$$;

create function sagad.sagas_of_week(week int, at_most int, out spaces int[], out definitions bigint[], out ids uuid[])
    language sql stable as $$
select array_agg(s.namespace_id order by s.namespace_id, s.id),
       array_agg(s.definition_id order by s.namespace_id, s.id),
       array_agg(s.id order by s.namespace_id, s.id)
  from (select s.namespace_id, s.definition_id, s.id
          from sagad.namespace n
               cross join lateral (select s.namespace_id, s.definition_id, s.id
                                     from sagad.saga s
                                    where s.namespace_id = n.id
                                      and s.id >= sagad.week_start(week)
                                      and s.id < sagad.week_start(week + 1)
                                    order by s.id
                                    limit at_most) as s
         limit at_most) as s
$$;

-- Lock one of the tables, or give up so that whoever queues behind this lock goes on after 30 ms in all.
create function sagad.lock_soon(place text, since timestamptz) returns void
    language plpgsql as $$
begin
    perform set_config('lock_timeout',
                       greatest(1, 30 - extract(epoch from clock_timestamp() - since) * 1000)::int::text, true);
    execute format('lock table only sagad.%I in access exclusive mode', place);
end $$;

-- Drop one of them. Nobody waits for it. Null: there is none.
create function sagad.drop_old_week() returns text
    language plpgsql as $$
declare
    place regclass := (select w from sagad.old_weeks() as w limit 1);
begin
    if place is not null then
        execute format('drop table if exists %s', place);
    end if;
    return place::text;
end $$;

-- Take a week out of the tables; what belongs to sagas that are kept moves to <table>_other. Returns how
-- many are kept: more than at_most, and the week stays as it is. Null: not now, try again. -1: not
-- before the hot table was vacuumed, since finding them takes too long for what holds locks.
create function sagad.retire_week(week int, at_most int) returns int
    language plpgsql as $$
declare
    parents text[] := '{saga_start,saga_tag,history}';
    parent  text;
    began   timestamptz := clock_timestamp();
    kept    record;
    again   record;
    tags    sagad.saga_tag[];
begin
    if not pg_try_advisory_xact_lock(1935763297, -2) then
        return null;
    end if;
    if not exists (select
                     from pg_class c
                    where c.oid = to_regclass(format('sagad.history_w%s', week))
                      and c.relispartition) then
        return 0;
    end if;
    kept := sagad.sagas_of_week(week, at_most + 1);
    if cardinality(kept.ids) > at_most then
        return cardinality(kept.ids);
    end if;
    if clock_timestamp() - began > '10 ms' then
        return -1;
    end if;
    if kept.ids is not null then
        execute format('select array_agg(t::sagad.saga_tag) from sagad.saga_tag_w%s t '
                       ' where (t.namespace_id, t.saga_id) in (select * from unnest($1, $2))', week)
           into tags using kept.spaces, kept.ids;
    end if;

    began := clock_timestamp();
    foreach parent in array parents loop
        perform sagad.lock_soon(parent, began);
    end loop;
    foreach parent in array parents loop
        perform sagad.lock_soon(format('%s_w%s', parent, week), began);
        perform sagad.lock_soon(parent || '_other', began);
    end loop;
    again := sagad.sagas_of_week(week, at_most + 1);
    if again is distinct from kept then
        raise exception 'sagas were added' using errcode = 'lock_not_available';
    end if;
    foreach parent in array parents loop
        execute format('alter table sagad.%I detach partition sagad.%I', parent, format('%s_w%s', parent, week));
    end loop;
    execute format('insert into sagad.saga_start_other select c.* from unnest($1, $2, $3) as k(space, definition, id) '
                   'cross join lateral (select * from sagad.saga_start_w%s c where c.namespace_id = k.space '
                   'and c.definition_id = k.definition and c.id = k.id offset 0) as c', week)
      using kept.spaces, kept.definitions, kept.ids;
    execute format('insert into sagad.history_other select h.* from unnest($1, $2) as k(space, id) '
                   'cross join lateral (select * from sagad.history_w%s h where h.namespace_id = k.space '
                   'and h.saga_id = k.id offset 0) as h', week)
      using kept.spaces, kept.ids;
    insert into sagad.saga_tag_other select t.* from unnest(tags) as t;
    return coalesce(cardinality(kept.ids), 0);
exception
    when lock_not_available then
        return null;
end $$;

-- Giving free pages back to the disk locks everybody out; they are filled again soon.
alter table sagad.saga set (vacuum_truncate = off);
alter table sagad.saga_start_other set (vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0.05);
alter table sagad.saga_tag_other set (vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0.05);
alter table sagad.history_other set (vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0.05);
