-- $1 writer, $2 batch that must not commit any more
update sagad.writer
   set fence = greatest(fence, $2::bigint), at = sagad.now_ms()
 where id = $1::bigint;
