-- $1 namespace, $2 batch, $3 first item, $4 limit: items that failed, in order.
select f.seq, i.id, f.kind, f.why, f.at
  from (select f.seq, f.kind, f.why, f.at
          from sagad.operator_batch_failure f
         where f.namespace_id = $1::int
           and f.batch_id = $2::uuid
           and f.seq >= $3::bigint
         order by f.seq
         limit $4::bigint) as f
       cross join lateral (select p.ids[f.seq % 1000 + 1] as id
                             from sagad.operator_batch_page p
                            where p.namespace_id = $1::int
                              and p.batch_id = $2::uuid
                              and p.page = f.seq / 1000
                           offset 0) as i
 order by f.seq;
