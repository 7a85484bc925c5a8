-- The first row of a saga's history lies beside its start: one row and one index entry less a saga. What it holds
-- besides follows: seq and revision 1, the time of the saga's creation, no payload. first_count 0: it is in the history,
-- because it holds more or was written before.

alter table sagad.saga_start
    add column first_count int not null default 0,
    add column first_entries bytea;

do $$
declare
    part regclass;
begin
    for part in
        select 'sagad.saga_start'::regclass union all
        select inhrelid::regclass from pg_inherits where inhparent = 'sagad.saga_start'::regclass
    loop
        execute format('alter table %s alter column first_entries set compression lz4', part);
    end loop;
exception
    when feature_not_supported or syntax_error or invalid_parameter_value then
        raise debug 'no lz4 here';
end $$;
