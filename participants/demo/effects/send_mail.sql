-- $1 key, $2 op, $3 the input, $4 ce_type.
insert into mails (key, op, template, customer_id, order_id, tracking_no)
select $1, $2, input ->> 'template', input ->> 'customer_id', input ->> 'order_id',
       input ->> 'tracking_no'
  from (select $3::jsonb, $4::text) as command (input, type)
returning '{}'
