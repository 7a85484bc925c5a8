-- $1 writer, $2 batch, $3 node. SG002: this batch or this node was fenced.
with marked as (
    update sagad.writer
       set batch = $2::bigint, at = sagad.now_ms()
     where id = $1::bigint
       and fence < $2::bigint
       and node = $3::int
    returning 1
)
select sagad.require_writer(count(*)) from marked;
