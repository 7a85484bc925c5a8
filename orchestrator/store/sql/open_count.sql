-- $1 namespace: sagas that have not ended, by definition, state and attention.
select d.name, o.state, o.attention, sum(o.count)::bigint
  from (select s.definition_id, s.state, s.attention, count(*)
          from unnest('{0,1,2,5}'::smallint[]) as open(state)
               cross join lateral (select s.definition_id, s.state, s.attention
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
