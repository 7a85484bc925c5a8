-- $1 namespace, $2 name, $3 paused or not. No row: there is no such name.
insert into sagad.definition_name (namespace_id, name, paused)
select $1::int, $2::text, $3::boolean
 where exists (select
                 from sagad.definition d
                where d.namespace_id = $1::int
                  and d.name = $2::text
                  and d.version > 0)
on conflict (namespace_id, name) do update set paused = excluded.paused
returning 1;
