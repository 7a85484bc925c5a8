-- $1 namespace, $2 name, $3 kind, $4 scheduled_at, $5 count, $6 actor, $7 reason, $8 detail: what somebody did. The last
-- 200 of a name are kept.
with made as (
    insert into sagad.schedule_event (namespace_id, name, at, kind, scheduled_at, count, actor,
                                      reason, detail)
    select $1::int, $2::text, sagad.now_ms(), $3::text, $4::bigint, $5::bigint, $6::text, $7::text,
           $8::text
)
delete from sagad.schedule_event e
 using (select o.ctid as place
          from sagad.schedule_event o
         where o.namespace_id = $1::int
           and o.name = $2::text
           and o.actor is not null
         order by o.id desc
        offset 199) as old
 where e.ctid = old.place;
