-- $1 key, $2 op, $3 the input, $4 ce_type. Answers with the tracking number.
insert into parcels (key, op, order_id, customer_id, tracking_no)
select $1, $2, input ->> 'order_id', input ->> 'customer_id', 'TN-' || substr(md5($1), 1, 12)
  from (select $3::jsonb, $4::text) as command (input, type)
returning jsonb_build_object('tracking_no', tracking_no)
