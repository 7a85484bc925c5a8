-- $1 namespace, arrays: $2 saga, $3 step, $4 item, $5 definition, $6 since, $7 state of the saga, $8 unknown, $9 topic,
-- $10 kind, $11 currency, $12 amount as text
insert into sagad.effect (namespace_id, saga_id, step, item, definition_id, since, state, unknown, topic, kind,
                          currency, amount)
select $1::int, v.saga_id, v.step, v.item, v.definition_id, v.since, v.state, v.unknown, v.topic, v.kind, v.currency,
       v.amount::numeric
  from unnest($2::uuid[], $3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::smallint[], $8::boolean[],
              $9::text[], $10::text[], $11::text[], $12::text[])
       as v(saga_id, step, item, definition_id, since, state, unknown, topic, kind, currency, amount)
on conflict (namespace_id, saga_id, step, item) do update
   set state = excluded.state, unknown = excluded.unknown;
