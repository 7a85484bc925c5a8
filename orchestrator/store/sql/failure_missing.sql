-- $1 namespace, $2 ids above this one, $3 bits of attention, $4 limit: sagas that are stuck or try again and have no
-- row that says why.
select s.id, s.definition_id, s.state, s.attention, s.revision, s.packed
  from sagad.saga s
 where s.namespace_id = $1::int
   and s.id > $2::uuid
   and s.attention <> 0
   and s.attention & $3::int <> 0
   and not exists (select 1
                     from sagad.failure f
                    where f.namespace_id = $1::int
                      and f.saga_id = s.id)
 order by s.id
 limit $4::bigint;
