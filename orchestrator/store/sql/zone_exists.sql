-- $1 zone: is it one of the IANA names that PostgreSQL knows, spelt like this?
select exists (select
                 from pg_catalog.pg_timezone_names z
                where z.name = $1::text
                  and z.name !~ '^(posix|right)/|^(localtime|posixrules|Factory)$');
