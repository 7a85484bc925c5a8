-- $1 namespace, $2 id, $3 limit: the latest acts, latest first.
select a.at, a.verb, a.actor, a.reason
  from sagad.operator_batch_act a
 where a.namespace_id = $1::int
   and a.batch_id = $2::uuid
 order by a.seq desc
 limit $3::bigint;
