-- $1 namespace, $2 topic, $3 partition: newest first.
select p.first_offset, p.last_offset, p.first_at, p.last_at
  from sagad.processed_message p
 where p.namespace_id = $1::int
   and p.topic = $2::text
   and p.partition = $3::int
 order by p.last_offset desc, p.at desc
 limit 10000;
