-- $1 namespace, $2 batch, $3 first item, $4 limit: items in order.
select i.seq, i.id, f.kind, f.why, f.at
  from (select p.page * 1000::bigint + u.n - 1 as seq, u.id
          from sagad.operator_batch_page p
               cross join lateral unnest(p.ids) with ordinality as u(id, n)
         where p.namespace_id = $1::int
           and p.batch_id = $2::uuid
           and p.page >= $3::bigint / 1000
           and p.page <= ($3::bigint + $4::bigint) / 1000
           and p.page * 1000::bigint + u.n - 1 >= $3::bigint
         order by p.page, u.n
         limit $4::bigint) as i
       left join lateral (select f.kind, f.why, f.at
                            from sagad.operator_batch_failure f
                           where f.namespace_id = $1::int
                             and f.batch_id = $2::uuid
                             and f.seq = i.seq
                          offset 0) as f on true
 order by i.seq;
