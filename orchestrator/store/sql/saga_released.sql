-- $1 namespace, $2 ids above this one, $3 limit: pending sagas that wait although their definition is not paused any more.
-- Those that an operator paused are among them. While no definition was ever resumed it reads nothing.
select s.id
  from sagad.saga s
       cross join lateral (select d.name
                             from sagad.definition d
                            where d.id = s.definition_id
                           offset 0) as d
 where s.namespace_id = $1::int
   and s.id > $2::uuid
   and s.attention <> 0
   and s.state = 0
   and s.paused
   and exists (select 1
                 from sagad.definition_name n
                where n.namespace_id = $1::int
                  and not n.paused)
   and not exists (select 1
                     from sagad.definition_name n
                    where n.namespace_id = $1::int
                      and n.name = d.name
                      and n.paused)
 order by s.id
 limit $3::bigint;
