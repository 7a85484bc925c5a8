-- $1 namespace, $2 name, $3 limit: the latest acts, latest first.
select a.at, a.verb, a.actor, a.reason
  from sagad.topic_act a
 where a.namespace_id = $1::int
   and a.name = $2::text
 order by a.id desc
 limit $3::bigint;
