-- $1 key, $2 op, $3 the input, $4 ce_type. Answers with the charge's id.
insert into charges (key, op, order_id, customer_id, amount, currency)
select $1, $2, input ->> 'order_id', input ->> 'customer_id', (input ->> 'amount')::numeric,
       input ->> 'currency'
  from (select $3::jsonb, $4::text) as command (input, type)
returning jsonb_build_object('charge_id', 'ch-' || substr(md5(key), 1, 12))
