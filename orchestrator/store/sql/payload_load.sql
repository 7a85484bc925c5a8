-- $1 namespace, $2 ids: what history holds of payloads and outputs, with the place of the saga in $2.
select v.position::int, h.seq, h.payload, h.output
  from unnest($2::uuid[]) with ordinality as v(id, position)
       cross join lateral (select h.seq, h.payload, h.output
                             from sagad.history h
                            where h.namespace_id = $1::int
                              and h.saga_id = v.id
                              and (h.payload is not null or h.output is not null)
                            order by h.seq) as h;
