-- $1 table, $2 namespace, $3 retention (ms), $4 and $5 places to begin at and to end before: sagas that lie beside the
-- weeks and ended so long ago go, with their starts. How many went.
select sagad.retire_starts($1::text, $2::int, $3::bigint, $4::text, $5::text);
