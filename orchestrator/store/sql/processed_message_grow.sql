-- $1 namespace, $2 writer, arrays: $3 topic, $4 partition, $5 first offset, $6 last offset, $7 first_at,
-- $8 last_at. Continues the range of this writer that ends just before, or begins another.
with clock as materialized (
    select c.now_ms, sagad.week_of(c.now_ms) as week
      from (select sagad.now_ms()) as c(now_ms)
)
insert into sagad.processed_message as m (week, namespace_id, topic, partition, writer,
                                          first_offset, last_offset, first_at, last_at, at)
select c.week, $1::int, v.topic, v.partition, $2::bigint,
       coalesce(before.first_offset, v.first_offset), v.last_offset, v.first_at, v.last_at, c.now_ms
  from clock c
       cross join unnest($3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
             as v(topic, partition, first_offset, last_offset, first_at, last_at)
       left join lateral (select p.first_offset
                            from sagad.processed_message p
                           where p.week = c.week
                             and p.namespace_id = $1::int
                             and p.topic = v.topic
                             and p.partition = v.partition
                             and p.writer = $2::bigint
                             and v.first_offset between p.first_offset and p.last_offset + 1
                           order by p.first_offset desc
                           limit 1) as before on true
on conflict (namespace_id, topic, partition, writer, first_offset, week) do update
   set last_offset = greatest(m.last_offset, excluded.last_offset),
       first_at = least(m.first_at, excluded.first_at),
       last_at = greatest(m.last_at, excluded.last_at),
       at = excluded.at;
