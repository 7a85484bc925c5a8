-- $1 version, $2 the script: is it what was applied?
select checksum = sha256(convert_to($2::text, 'UTF8'))
  from sagad.schema_version
 where version = $1::int;
