-- $1 namespace, $2 reasons, $3 topics (null: all), $4 after, $5 before (0: open), $6 no more than these, $7 batch: open
-- dead letters, their numbers as ids. How many were frozen; SG003: more.
select sagad.freeze($1::int, $7::uuid,
                    coalesce(array_agg(lpad(to_hex(l.id), 32, '0')::uuid order by l.id), '{}'), $6::bigint)
  from (select l.id
          from sagad.dead_letter l
         where l.namespace_id = $1::int
           and l.id > 0
           and l.settled is null
           and ($2::text[] is null or l.reason = any($2::text[]))
           and ($3::text[] is null or l.topic = any($3::text[]))
           and ($4::bigint = 0 or l.at > $4::bigint)
           and ($5::bigint = 0 or l.at < $5::bigint)
         order by l.id
         limit $6::bigint + 1) as l;
