-- $1 name
insert into sagad.namespace (name) values ($1::text) on conflict do nothing;
