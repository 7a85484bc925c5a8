-- $1 namespace, $2 name
select value from sagad.secret where namespace_id = $1::int and name = $2::text;
