-- $1 namespace, $2 ids: one row each where there is a saga, with its place in $2.
select v.position::int, s.id, s.definition_id, s.state, s.attention, s.revision, s.packed, s.due_at,
       s.created_at, c.start_at, s.finished_at, c.labels, c.attributes, c.trace, c.trace_state, c.input
  from unnest($2::uuid[]) with ordinality as v(id, position)
       cross join lateral (select s.*
                             from sagad.saga s
                            where s.namespace_id = $1::int
                              and s.id = v.id
                           offset 0) as s
       cross join lateral (select c.*
                             from sagad.saga_start c
                            where c.namespace_id = $1::int
                              and c.definition_id = s.definition_id
                              and c.id = v.id
                           offset 0) as c;
