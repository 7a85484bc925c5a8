-- $1 namespace, $2 node, arrays: $3 id, $4 revision as loaded, $5 revision, $6 attention, $7 state,
-- $8 paused, $9 due_at, $10 finished_at, $11 packed; $12: what is due until then is in the writer's memory.
-- SG001: a revision moved.
--
-- The rows are found by key before they are updated by place, so that no plan can join the other way
-- round. The revision is asked for twice: the second one is checked again when the row was waited for.
-- wake_at is set for what lies beyond $12 and moves only to an earlier instant there, so that
-- ordinary updates touch no index.
with updated as (
    update sagad.saga s
       set node = $2::int, revision = v.revision, attention = v.attention, state = v.state,
           paused = v.paused, due_at = v.due_at, finished_at = v.finished_at, packed = v.packed,
           wake_at = case when v.finished_at is not null then null
                          when v.due_at > $12::bigint and (v.due_at < s.wake_at or s.wake_at is null)
                          then v.due_at
                          else s.wake_at end
      from unnest($3::uuid[], $4::int[], $5::int[], $6::int[], $7::smallint[],
                  $8::boolean[], $9::bigint[], $10::bigint[], $11::bytea[])
           as v(id, revision_before, revision, attention, state,
                paused, due_at, finished_at, packed)
           cross join lateral (select h.ctid
                                 from sagad.saga h
                                where h.namespace_id = $1::int
                                  and h.id = v.id
                               offset 0) as h
     where s.ctid = h.ctid
       and s.revision = v.revision_before
    returning 1
)
select sagad.require('saga', cardinality($3::uuid[]), count(*)) from updated;
