-- $1 namespace, $2 writer, arrays: $3 topic, $4 partition, $5 first offset, $6 last offset, $7 first_at,
-- $8 last_at. Continues the range of this writer that ends just before, or begins another.
with v as materialized (
    select *
      from unnest($3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
           as v(topic, partition, first_offset, last_offset, first_at, last_at)
), grown as (
    update sagad.processed_message p
       set last_offset = greatest(p.last_offset, v.last_offset),
           first_at = least(p.first_at, v.first_at),
           last_at = greatest(p.last_at, v.last_at),
           at = sagad.now_ms()
      from v
     where p.day = sagad.day_of(sagad.now_ms())
       and p.namespace_id = $1::int
       and p.topic = v.topic
       and p.partition = v.partition
       and p.writer = $2::bigint
       and v.first_offset between p.first_offset and p.last_offset + 1
    returning p.topic, p.partition
)
insert into sagad.processed_message (day, namespace_id, topic, partition, writer,
                                     first_offset, last_offset, first_at, last_at, at)
select sagad.day_of(sagad.now_ms()), $1::int, v.topic, v.partition, $2::bigint,
       v.first_offset, v.last_offset, v.first_at, v.last_at, sagad.now_ms()
  from v
 where not exists (select
                     from grown g
                    where g.topic = v.topic
                      and g.partition = v.partition);
