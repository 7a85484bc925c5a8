-- $1 namespace, $2 now, $3 limit, $4 until when those that are due are left to who asked.
-- The rest of what the lazy bound brought up is moved on to where it is due, or out of the index.
with picked as materialized (
    select s.ctid as place, s.due_at, s.finished_at
      from sagad.saga s
     where s.namespace_id = $1::int
       and s.wake_at <= $2::bigint
     order by s.wake_at
     limit $3::bigint
       for update skip locked
), moved as (
    update sagad.saga s
       set wake_at = case when p.finished_at is not null then null
                          when p.due_at <= $2::bigint then $4::bigint
                          else p.due_at end
      from picked p
     where s.ctid = p.place
    returning s.id, s.due_at, coalesce(s.finished_at is null and s.due_at <= $2::bigint, false) as is_due
)
select m.id, m.is_due from moved m order by m.due_at, m.id;
