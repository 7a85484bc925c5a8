-- $1 namespace, $2 now: ranges at rest that touch or overlap become one, under a writer's number of their own.
with resting as materialized (
    select p.*
      from sagad.processed_message p
     where p.namespace_id = $1::int
       and p.at < sagad.now_ms() - 60000
       for update skip locked
), marked as (
    select r.*,
           case when r.first_offset <= 1 + max(r.last_offset)
                       over (partition by r.week, r.topic, r.partition
                                 order by r.first_offset, r.last_offset, r.writer
                                  rows between unbounded preceding and 1 preceding)
                then 0 else 1 end as begins
      from resting r
), grouped as (
    select m.*, sum(m.begins) over (partition by m.week, m.topic, m.partition
                                        order by m.first_offset, m.last_offset, m.writer) as number
      from marked m
), merged as materialized (
    select g.week, g.topic, g.partition, g.number,
           min(g.first_offset) as first_offset, max(g.last_offset) as last_offset,
           min(g.first_at) as first_at, max(g.last_at) as last_at, max(g.at) as at
      from grouped g
     group by g.week, g.topic, g.partition, g.number
    having count(*) > 1
), replaced as (
    delete from sagad.processed_message p
     using grouped g
     where p.week = g.week
       and p.namespace_id = $1::int
       and p.topic = g.topic
       and p.partition = g.partition
       and p.writer = g.writer
       and p.first_offset = g.first_offset
       and (g.week, g.topic, g.partition, g.number)
           in (select m.week, m.topic, m.partition, m.number from merged m)
)
insert into sagad.processed_message (week, namespace_id, topic, partition, writer,
                                     first_offset, last_offset, first_at, last_at, at)
select m.week, $1::int, m.topic, m.partition, -$2::bigint,
       m.first_offset, m.last_offset, m.first_at, m.last_at, m.at
  from merged m;
