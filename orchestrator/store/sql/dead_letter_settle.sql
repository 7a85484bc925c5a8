-- $1 namespace, $2 id, $3 replayed or discarded. No row: settled before, or not there.
update sagad.dead_letter l
   set settled = $3::text
  from (select d.ctid as place
          from sagad.dead_letter d
         where d.namespace_id = $1::int
           and d.id = $2::bigint
        offset 0) as d
 where l.ctid = d.place
   and l.settled is null
returning 1;
