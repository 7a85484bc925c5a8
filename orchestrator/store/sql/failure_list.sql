-- $1 namespace, $2 states, $3 definition names (null: all), $4 and $5 groups smaller than this count, or as large
-- with a key below this one, $6 limit, $7 size of the samples: groups, largest first.
with wanted_definition as materialized (
    select d.id
      from sagad.definition d
     where d.namespace_id = $1::int
       and ($3::text[] is null or d.name = any($3::text[]))
), counted as materialized (
    select f.state, f.definition_id, f.key, count(*) as count, min(f.since) as first_at, max(f.since) as last_at
      from unnest($2::smallint[]) as wanted(state)
           cross join lateral (select f.state, f.definition_id, f.key, f.since
                                 from sagad.failure f
                                where f.namespace_id = $1::int
                                  and f.state = wanted.state
                                  and ($3::text[] is null
                                       or f.definition_id in (select w.id from wanted_definition w))
                               offset 0) as f
     group by f.state, f.definition_id, f.key
), page as materialized (
    select c.state, c.definition_id, c.key, c.count, c.first_at, c.last_at
      from counted c
     where (c.count, c.key) < ($4::bigint, $5::bigint)
     order by c.count desc, c.key desc
     limit $6::bigint
)
select p.state, p.definition_id, p.key, p.count, p.first_at, p.last_at, d.name, d.version,
       one.op, one.step, one.code, sample.ids
  from page p
       cross join lateral (select d.name, d.version
                             from sagad.definition d
                            where d.id = p.definition_id
                           offset 0) as d
       cross join lateral (select f.op, f.step, f.code
                             from sagad.failure f
                            where f.namespace_id = $1::int
                              and f.state = p.state
                              and f.definition_id = p.definition_id
                              and f.key = p.key
                            limit 1) as one
       cross join lateral (select string_agg(uuid_send(s.saga_id), '' order by s.since desc, s.saga_id desc) as ids
                             from (select f.saga_id, f.since
                                     from sagad.failure f
                                    where f.namespace_id = $1::int
                                      and f.state = p.state
                                      and f.definition_id = p.definition_id
                                      and f.key = p.key
                                    order by f.since desc, f.saga_id desc
                                    limit $7::bigint) as s) as sample
 order by p.count desc, p.key desc;
