-- Entries of the history are packed (sagas/machine/history_entry.h): a fifth of the bytes. What was
-- written as JSON stays as it is and is still read.

alter table sagad.history alter column entries type bytea using convert_to(entries, 'UTF8');

do $$
declare
    part regclass;
begin
    for part in
        select 'sagad.history'::regclass union all
        select inhrelid::regclass from pg_inherits where inhparent = 'sagad.history'::regclass
    loop
        execute format('alter table %s alter column entries set compression lz4', part);
    end loop;
exception
    when feature_not_supported or syntax_error or invalid_parameter_value then
        raise debug 'no lz4 here';
end $$;
