-- $1 table: how many blocks it has.
select pg_relation_size(('sagad.' || $1::text)::regclass) / current_setting('block_size')::int;
