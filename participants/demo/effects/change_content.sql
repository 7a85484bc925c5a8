-- $1 key, $2 op, $3 the input, $4 ce_type: content.<part>.set.v1 or .restore.v1. Answers with the
-- state before. An undo puts back what its own action replaced, found by the key.
with command (input, type) as (
    select $3::jsonb, $4::text
), wish as materialized (
    select split_part(type, '.', 2) as part, input ->> 'title_id' as title_id,
           coalesce(input ->> 'region', '') as region,
           case $2 when 'action'
               then input ->> 'state'
               else (select previous from content_changes where key = $1 and op = 'action')
           end as state
      from command
), before as materialized (
    select c.state
      from content_states c
      join wish using (part, title_id, region)
       for update of c
), now as (
    insert into content_states (part, title_id, region, state)
    select part, title_id, region, state from wish
    on conflict (part, title_id, region) do update set state = excluded.state
)
insert into content_changes (key, op, part, title_id, region, previous, state)
select $1, $2, part, title_id, region, (select state from before), state
  from wish
returning jsonb_build_object('previous', previous)
