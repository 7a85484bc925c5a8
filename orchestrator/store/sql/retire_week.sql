-- $1 week, $2 sagas that may be kept: how many are; null: not now; -1: vacuum first.
select sagad.retire_week($1::int, $2::int);
