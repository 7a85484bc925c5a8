-- $1 namespace, $2 batch, $3 page: its ids, one behind the other.
select (select string_agg(uuid_send(u.id), '' order by u.n)
          from unnest(p.ids) with ordinality as u(id, n))
  from sagad.operator_batch_page p
 where p.namespace_id = $1::int
   and p.batch_id = $2::uuid
   and p.page = $3::int;
