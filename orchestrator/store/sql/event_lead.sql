-- $1 namespace. One session at a time gives places and publishes.
select pg_try_advisory_lock(1935763298, $1::int);
