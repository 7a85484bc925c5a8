-- $1 namespace, $2 overdue before, $3 own node: sagas that have not ended, by definition, state and
-- attention, and some of those that are overdue although this node, or none that there is, should
-- have fired them.
select d.name, o.state, o.attention, sum(o.count)::bigint, string_agg(o.overdue, '')
  from (select s.definition_id, s.state, s.attention, count(*),
               substr(string_agg(uuid_send(s.id), '')
                          filter (where s.due_at < $2::bigint
                                    and (s.node = $3::int
                                         or s.node <> all(array(select n.id from sagad.node n)))),
                      1, 16000) as overdue
          from unnest('{0,1,2,5}'::smallint[]) as open(state)
               cross join lateral (select s.definition_id, s.state, s.attention, s.id, s.due_at, s.node
                                     from sagad.saga s
                                    where s.namespace_id = $1::int
                                      and s.state = open.state
                                      and s.state <> 3
                                   offset 0) as s
         group by s.definition_id, s.state, s.attention) as o
       cross join lateral (select d.name
                             from sagad.definition d
                            where d.id = o.definition_id
                           offset 0) as d
 group by d.name, o.state, o.attention
 order by d.name, o.state, o.attention;
