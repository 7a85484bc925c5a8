-- Ids that are no UUIDv7, random ones above all, tell of times before 2020 or after 2100, nearly always. They get
-- tables of their own, so that <table>_other stays small: attaching a week looks through it under a lock.

do $$
declare
    early uuid := sagad.week_start(2609);       -- 2 January 2020
    late  uuid := sagad.week_start(6783);       -- 31 December 2099
    place record;
begin
    for place in
        select t.parent, t.key, s.suffix, s.inside, s.bounds
          from (values ('saga_start', 'id'), ('saga_tag', 'saga_id'), ('history', 'saga_id')) as t(parent, key)
               cross join (values ('early', '%I < %L', format('from (minvalue) to (%L)', early)),
                                  ('late', '%I >= %L', format('from (%L) to (maxvalue)', late)))
                          as s(suffix, inside, bounds)
    loop
        execute format('create table sagad.%I (like sagad.%I including all)',
                       place.parent || '_' || place.suffix, place.parent);
        execute format('alter table sagad.%I set (vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0.05, '
                       'autovacuum_vacuum_insert_scale_factor = 0.2, autovacuum_analyze_scale_factor = 0.2)',
                       place.parent || '_' || place.suffix);
        execute format('with moved as (delete from sagad.%I where ' || place.inside || ' returning *) '
                       'insert into sagad.%I select * from moved',
                       place.parent || '_other', place.key,
                       case place.suffix when 'early' then early else late end,
                       place.parent || '_' || place.suffix);
        execute format('alter table sagad.%I attach partition sagad.%I for values %s',
                       place.parent, place.parent || '_' || place.suffix, place.bounds);
    end loop;
end $$;

-- Sagas beside the weeks that ended so long ago go, with their starts; between two places of one of the tables.
-- How many went.
create function sagad.retire_starts(place text, space int, age bigint, low text, high text) returns bigint
    language plpgsql as $$
declare
    found bigint;
begin
    execute format($query$
        with page as materialized (
            select c.ctid as place, c.id
              from sagad.%1$I c
             where c.ctid >= $3::tid
               and c.ctid < $4::tid
               and c.namespace_id = $1
        ), gone as (
            delete from sagad.saga s
             using page p
                   cross join lateral (select h.ctid
                                         from sagad.saga h
                                        where h.namespace_id = $1
                                          and h.id = p.id
                                       offset 0) as h
             where s.ctid = h.ctid
               and s.finished_at < sagad.now_ms() - $2
            returning p.place
        ), started as (
            delete from sagad.%1$I c
             using page p
             where c.ctid = p.place
               and (p.place in (select g.place from gone g)
                    or not exists (select
                                     from sagad.saga s
                                    where s.namespace_id = $1
                                      and s.id = p.id
                                    offset 0))
        )
        select count(*) from gone $query$, place)
       into found using space, age, low, high;
    return found;
end $$;

-- Rows beside the weeks go whose saga is gone.
create function sagad.retire_rest(place text, low text, high text) returns void
    language plpgsql as $$
begin
    execute format($query$
        with page as materialized (
            select t.ctid as place, t.namespace_id, t.saga_id
              from sagad.%1$I t
             where t.ctid >= $1::tid
               and t.ctid < $2::tid
        )
        delete from sagad.%1$I t
         using page p
         where t.ctid = p.place
           and not exists (select
                             from sagad.saga s
                            where s.namespace_id = p.namespace_id
                              and s.id = p.saga_id
                            offset 0) $query$, place)
      using low, high;
end $$;
