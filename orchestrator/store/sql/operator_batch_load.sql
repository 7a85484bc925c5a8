-- $1 namespace, $2 id: the batch, and the first of its items.
select b.id, b.verb, b.step, b.item, b.output, b.name, b.payload, b.filter, b.reason, b.actor, b.rate, b.state,
       b.total, b.done, b.failed, b.created_at, b.updated_at, b.finished_at,
       (select string_agg(uuid_send(u.id), '' order by u.n)
          from unnest(p.ids[1:10]) with ordinality as u(id, n)) as sample
  from sagad.operator_batch b
       left join lateral (select p.ids
                            from sagad.operator_batch_page p
                           where p.namespace_id = $1::int
                             and p.batch_id = $2::uuid
                             and p.page = 0
                          offset 0) as p on true
 where b.namespace_id = $1::int
   and b.id = $2::uuid;
