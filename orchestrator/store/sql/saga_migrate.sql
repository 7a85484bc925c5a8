-- $1 namespace, arrays: $2 saga, $3 definition that it had, $4 that it gets; after the update of those sagas.
-- SG001: one is not there, or had another definition.
select sagad.migrate_sagas($1::int, $2::uuid[], $3::bigint[], $4::bigint[]);
