-- $1 name
select id from sagad.namespace where name = $1::text;
