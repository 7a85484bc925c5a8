-- One process migrates at a time; given back when the session ends.
select pg_advisory_lock(1935763297, 0);
