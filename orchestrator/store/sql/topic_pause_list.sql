-- $1 namespace: the topics that are paused.
select p.name, p.at, p.actor, p.reason
  from sagad.topic_pause p
 where p.namespace_id = $1::int
 order by p.name
 limit 1000;
