-- $1 namespace, $2 name, $3 value: kept only where there is none.
insert into sagad.secret (namespace_id, name, value)
values ($1::int, $2::text, $3::bytea)
on conflict do nothing;
