-- $1 the caller's now: two weeks ahead of both clocks. One that is years ahead is not believed.
select sagad.make_partitions(sagad.now_ms()),
       sagad.make_partitions(greatest(sagad.now_ms(), least($1::bigint, sagad.now_ms() + 5184000000)));
