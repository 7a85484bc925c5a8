-- $1 namespace, $2 names: hold them until the end of the transaction.
select s.name
  from unnest($2::text[]) as v(name)
       cross join lateral (select k.name
                             from sagad.schedule k
                            where k.namespace_id = $1::int
                              and k.name = v.name
                           offset 0) as s
 order by s.name
   for update of s;
