-- $1 and $2 places to begin at and to end before: rows beside the weeks go whose saga is gone.
with page as materialized (
    select t.ctid as place, t.namespace_id, t.saga_id
      from sagad.saga_tag_other t
     where t.ctid >= $1::text::tid
       and t.ctid < $2::text::tid
)
delete from sagad.saga_tag_other t
 using page p
 where t.ctid = p.place
   and not exists (select
                     from sagad.saga s
                    where s.namespace_id = p.namespace_id
                      and s.id = p.saga_id
                    offset 0);
