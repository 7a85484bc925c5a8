-- $1 namespace, $2 ids, in order and without repetition, $3 no more than these, $4 batch. How many were frozen.
select sagad.freeze($1::int, $4::uuid, coalesce($2::uuid[], '{}'), $3::bigint);
