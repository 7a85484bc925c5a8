-- $1 namespace, $2 saga, $3 seq to begin after, $4 limit: rows that hold later entries, oldest first. The first
-- one lies beside the start, unless it is older than that place or holds more. A saga that is gone has none.
select e.seq, e.count, e.revision, e.at, e.entries, e.payload, e.output
  from sagad.saga s
       cross join lateral (
         select 1 as seq, c.first_count as count, 1 as revision, s.created_at as at,
                c.first_entries as entries, null::text as payload, null::text as output
           from sagad.saga_start c
          where c.namespace_id = $1::int
            and c.definition_id = s.definition_id
            and c.id = $2::uuid
            and c.first_count > $3::int
         union all
        (select h.seq, h.count, h.revision, h.at, h.entries, h.payload, h.output
           from sagad.history h
          where h.namespace_id = $1::int
            and h.saga_id = $2::uuid
            and h.seq >= coalesce((select max(b.seq)
                                     from sagad.history b
                                    where b.namespace_id = $1::int
                                      and b.saga_id = $2::uuid
                                      and b.seq <= $3::int), 0)
            and h.seq + h.count - 1 > $3::int
          order by h.seq
          limit $4::bigint)) as e
 where s.namespace_id = $1::int
   and s.id = $2::uuid
 order by e.seq
 limit $4::bigint;
