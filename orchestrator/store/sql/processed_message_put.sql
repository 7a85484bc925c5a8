-- $1 namespace, $2 writer, arrays: $3 topic, $4 partition, $5 first offset, $6 last offset, $7 first_at,
-- $8 last_at. The same first offset extends the range. One that ends earlier than it did is of a topic
-- that was made anew: what is known of the old one goes.
with clock as materialized (
    select c.now_ms, sagad.week_of(c.now_ms) as week
      from (select sagad.now_ms()) as c(now_ms)
)
insert into sagad.processed_message as m (week, namespace_id, topic, partition, writer,
                                          first_offset, last_offset, first_at, last_at, at)
select c.week, $1::int, v.topic, v.partition, $2::bigint,
       v.first_offset, v.last_offset, v.first_at, v.last_at, c.now_ms
  from clock c
       cross join unnest($3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
             as v(topic, partition, first_offset, last_offset, first_at, last_at)
on conflict (namespace_id, topic, partition, writer, first_offset, week) do update
   set last_offset = excluded.last_offset,
       first_at = case when excluded.last_offset < m.last_offset then excluded.first_at
                       else least(m.first_at, excluded.first_at) end,
       last_at = case when excluded.last_offset < m.last_offset then excluded.last_at
                      else greatest(m.last_at, excluded.last_at) end,
       at = excluded.at;
