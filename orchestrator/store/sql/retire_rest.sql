-- $1 table, $2 and $3 places to begin at and to end before: rows beside the weeks go whose saga is gone.
select sagad.retire_rest($1::text, $2::text, $3::text);
