-- Two weeks ahead of the database's clock.
select sagad.make_partitions(sagad.now_ms());
