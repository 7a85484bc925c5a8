-- $1 namespace, $2 name, $3 uid, $4 revision read. SG001: it changed meanwhile, or it is gone.
with gone as (
    delete from sagad.schedule s
     where s.namespace_id = $1::int
       and s.name = $2::text
       and s.uid = $3::uuid
       and s.revision = $4::int
    returning 1
)
select sagad.require('schedule', 1, (select count(*) from gone));
