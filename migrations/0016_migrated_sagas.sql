-- Sagas that get another version of their definition. Each by its whole key: they are few, and the partition of a start
-- is found by its id. What a saga was started with goes with it, for its key finds the sagas of a definition.
create function sagad.migrate_sagas(namespace int, ids uuid[], befores bigint[], afters bigint[]) returns void
    language plpgsql as $$
declare
    moved bigint;
begin
    for i in 1 .. cardinality(ids) loop
        update sagad.saga_start
           set definition_id = afters[i]
         where namespace_id = namespace
           and definition_id = befores[i]
           and id = ids[i];
        get diagnostics moved = row_count;
        perform sagad.require('start', 1, moved);
        update sagad.saga
           set definition_id = afters[i]
         where namespace_id = namespace
           and id = ids[i]
           and definition_id = befores[i];
        get diagnostics moved = row_count;
        perform sagad.require('saga', 1, moved);
    end loop;
end $$;
