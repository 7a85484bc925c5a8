-- $1 namespace, $2 dead node, $3 id to begin after, $4 limit, $5 new node. When fewer than the limit were
-- left, the node is forgotten. Open states one by one, in the order of the index.
with picked as materialized (
    select p.id, p.place
      from unnest('{0,1,2,5}'::smallint[]) as open(state)
           cross join lateral (select s.id, s.ctid as place
                                 from sagad.saga s
                                where s.namespace_id = $1::int
                                  and s.state = open.state
                                  and s.state <> 3
                                  and s.id > $3::uuid
                                  and s.node = $2::int
                                order by s.id
                                limit $4::bigint) as p
     order by p.id
     limit $4::bigint
), taken as (
    update sagad.saga s
       set node = $5::int
      from picked p
     where s.ctid = p.place
       and s.node = $2::int
       and s.finished_at is null
    returning s.id
), forgotten as (
    delete from sagad.node n
     where n.id = $2::int
       and (select count(*) from picked) < $4::bigint
)
select t.id from taken t order by t.id;
