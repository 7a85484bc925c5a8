-- $1 namespace, $2 name to begin after, $3 limit: the newest version of each name.
-- From one name to the next by the index, however many versions a name has.
with recursive name(name) as (
    (select d.name
       from sagad.definition d
      where d.namespace_id = $1::int
        and d.name > $2::text
        and d.version > 0
      order by d.name
      limit 1)
    union all
    select (select d.name
              from sagad.definition d
             where d.namespace_id = $1::int
               and d.name > n.name
               and d.version > 0
             order by d.name
             limit 1)
      from name n
     where n.name is not null
)
select newest.id, newest.name, newest.version, newest.hash, newest.source, newest.created_at,
       newest.deprecated, coalesce(p.paused, false)
  from name n
       cross join lateral (select d.*
                             from sagad.definition d
                            where d.namespace_id = $1::int
                              and d.name = n.name
                              and d.version > 0
                            order by d.version desc
                            limit 1) as newest
       left join sagad.definition_name p
              on p.namespace_id = newest.namespace_id and p.name = newest.name
 limit $3::bigint;
