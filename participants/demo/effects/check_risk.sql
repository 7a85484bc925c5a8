-- $1 key, $2 op, $3 the input, $4 ce_type. Everybody is trusted.
insert into checks (key, op, customer_id, amount)
select $1, $2, input ->> 'customer_id', (input ->> 'amount')::numeric
  from (select $3::jsonb, $4::text) as command (input, type)
returning '{"score":0.1}'
