-- $1 namespace, $2 ids below this one, $3 states (null: all), $4 limit: newest first.
select b.id, b.verb, b.step, b.item, b.output, b.name, b.payload, b.filter, b.reason, b.actor, b.rate, b.state,
       b.total, b.done, b.failed, b.created_at, b.updated_at, b.finished_at,
       (select string_agg(uuid_send(u.id), '' order by u.n)
          from unnest(p.ids[1:10]) with ordinality as u(id, n)) as sample
  from (select b.*
          from sagad.operator_batch b
         where b.namespace_id = $1::int
           and b.id < $2::uuid
           and ($3::smallint[] is null or b.state = any($3::smallint[]))
         order by b.id desc
         limit $4::bigint) as b
       left join lateral (select p.ids
                            from sagad.operator_batch_page p
                           where p.namespace_id = $1::int
                             and p.batch_id = b.id
                             and p.page = 0
                          offset 0) as p on true
 order by b.id desc;
