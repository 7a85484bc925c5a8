-- $1 namespace, $2 states of sagas, $3 names of definitions, $4 topics, $5 kinds, $6 currencies (null: all), $7 to $11
-- groups behind this one by definition, state, topic, kind and currency, $12 limit: groups, then a sum for each
-- currency (of the 500 with most effects), all of one moment.
with wanted_definition as materialized (
    select d.id
      from sagad.definition d
     where d.namespace_id = $1::int
       and ($3::text[] is null or d.name = any($3::text[]))
), summed as materialized (
    select grouping(e.definition_id) = 1 as is_total, e.definition_id, e.state, e.topic, e.kind, e.currency,
           count(*) as count, count(*) filter (where e.unknown) as unknown_count,
           count(*) filter (where e.amount is null) as unvalued_count, count(distinct e.saga_id) as sagas,
           coalesce(sum(e.amount), 0) as amount, coalesce(sum(e.amount) filter (where e.unknown), 0) as unknown_amount,
           min(e.since) as first_at, max(e.since) as last_at
      from unnest($2::smallint[]) as wanted(state)
           cross join lateral (select e.saga_id, e.definition_id, e.state, e.topic, e.kind, e.currency, e.unknown,
                                      e.amount, e.since
                                 from sagad.effect e
                                where e.namespace_id = $1::int
                                  and e.state = wanted.state
                                  and ($3::text[] is null
                                       or e.definition_id in (select w.id from wanted_definition w))
                                  and ($4::text[] is null or e.topic = any($4::text[]))
                                  and ($5::text[] is null or e.kind = any($5::text[]))
                                  and ($6::text[] is null or e.currency = any($6::text[]))
                               offset 0) as e
     group by grouping sets ((e.currency, e.kind, e.topic, e.state, e.definition_id), (e.currency))
), page as materialized (
    select s.is_total, s.definition_id, s.state, s.topic, s.kind, s.currency, s.count, s.unknown_count,
           s.unvalued_count, s.sagas, s.amount, s.unknown_amount, s.first_at, s.last_at
      from summed s
     where not s.is_total
       and (s.definition_id, s.state, s.topic, s.kind, s.currency)
           > ($7::bigint, $8::int, $9::text, $10::text, $11::text)
     order by s.definition_id, s.state, s.topic, s.kind, s.currency
     limit $12::bigint
), total as materialized (
    select s.is_total, s.definition_id, s.state, s.topic, s.kind, s.currency, s.count, s.unknown_count,
           s.unvalued_count, s.sagas, s.amount, s.unknown_amount, s.first_at, s.last_at
      from summed s
     where s.is_total
     order by s.count desc, s.currency
     limit 500
), shown as materialized (
    select * from page
    union all
    select * from total
)
select s.is_total, coalesce(s.definition_id, 0), d.name, coalesce(d.version, 0), coalesce(s.state, 0::smallint),
       coalesce(s.topic, ''), coalesce(s.kind, ''), s.currency, s.count, s.unknown_count, s.unvalued_count, s.sagas,
       s.amount::text, s.unknown_amount::text, s.first_at, s.last_at
  from shown s
       left join lateral (select d.name, d.version
                            from sagad.definition d
                           where d.id = s.definition_id
                          offset 0) as d on true
 order by s.is_total, s.definition_id, s.state, s.topic, s.kind, s.count desc, s.currency;
