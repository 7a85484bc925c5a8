-- How many blocks <table>_other has: starts, history, tags.
select pg_relation_size('sagad.saga_start_other') / current_setting('block_size')::int,
       pg_relation_size('sagad.history_other') / current_setting('block_size')::int,
       pg_relation_size('sagad.saga_tag_other') / current_setting('block_size')::int;
