-- $1 version, $2 name, $3 the script
insert into sagad.schema_version (version, name, checksum)
values ($1::int, $2::text, sha256(convert_to($3::text, 'UTF8')));
