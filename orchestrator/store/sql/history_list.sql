-- $1 namespace, $2 saga, $3 seq to begin after, $4 limit: rows that hold later entries, oldest first.
select h.seq, h.count, h.revision, h.at, h.entries, h.payload, h.output
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
 limit $4::bigint;
