-- $1 namespace, $2 state, $3 definition, $4 key, $5 size of the sample: one group, or no row.
select $2::int, $3::bigint, $4::bigint, counted.count, counted.first_at, counted.last_at, d.name, d.version,
       one.op, one.step, one.code, sample.ids
  from (select f.op, f.step, f.code
          from sagad.failure f
         where f.namespace_id = $1::int
           and f.state = $2::int
           and f.definition_id = $3::bigint
           and f.key = $4::bigint
         limit 1) as one
       cross join lateral (select count(*) as count, min(f.since) as first_at, max(f.since) as last_at
                             from sagad.failure f
                            where f.namespace_id = $1::int
                              and f.state = $2::int
                              and f.definition_id = $3::bigint
                              and f.key = $4::bigint) as counted
       cross join lateral (select d.name, d.version
                             from sagad.definition d
                            where d.id = $3::bigint
                           offset 0) as d
       cross join lateral (select string_agg(uuid_send(s.saga_id), '' order by s.since desc, s.saga_id desc) as ids
                             from (select f.saga_id, f.since
                                     from sagad.failure f
                                    where f.namespace_id = $1::int
                                      and f.state = $2::int
                                      and f.definition_id = $3::bigint
                                      and f.key = $4::bigint
                                    order by f.since desc, f.saga_id desc
                                    limit $5::bigint) as s) as sample;
