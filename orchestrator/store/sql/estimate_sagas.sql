-- $1 namespace, $2 states, $3 definition ids (null arrays: all), $4 created after, $5 created before
-- (0: open), $6 attention bits (0: all; the statistics know only whether there are any): the planner's
-- guess of how many sagas there are.
explain (format json)
select 1
  from sagad.saga s
 where s.namespace_id = $1::int
   and ($2::smallint[] is null or s.state = any($2::smallint[]))
   and ($3::bigint[] is null or s.definition_id = any($3::bigint[]))
   and ($4::bigint = 0 or s.created_at > $4::bigint)
   and ($5::bigint = 0 or s.created_at < $5::bigint)
   and ($6::int = 0 or s.attention <> 0);
