-- $1 writer. Waits for a batch that is still being committed.
select batch from sagad.writer where id = $1::bigint for update;
