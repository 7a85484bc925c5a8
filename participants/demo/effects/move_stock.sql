-- $1 key, $2 op, $3 the input, $4 ce_type. Answers with the reservation's id.
insert into reservations (key, op, order_id, sku, qty)
select $1, $2, input ->> 'order_id', input ->> 'sku', (input ->> 'qty')::numeric
  from (select $3::jsonb, $4::text) as command (input, type)
returning jsonb_build_object('reservation_id', 'rs-' || substr(md5(key), 1, 12))
