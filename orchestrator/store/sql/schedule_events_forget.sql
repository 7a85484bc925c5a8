-- Of schedules that were deleted 90 days ago: everything until then.
with gone as materialized (
    select d.namespace_id, d.name, d.id
      from sagad.schedule_event d
     where d.kind = 'deleted'
       and d.at < sagad.now_ms() - 7776000000
     order by d.at
     limit 1000
)
delete from sagad.schedule_event e
 using (select o.place
          from gone g
               cross join lateral (select o.ctid as place
                                     from sagad.schedule_event o
                                    where o.namespace_id = g.namespace_id
                                      and o.name = g.name
                                      and o.id <= g.id
                                   offset 0) as o) as old
 where e.ctid = old.place;
