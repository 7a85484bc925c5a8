-- What nobody asks for any more by the database's clock: keys after seven days, ranges after two.
select sagad.drop_partitions('request_key', sagad.week_of(sagad.now_ms()) - 1),
       sagad.drop_partitions('processed_message', sagad.week_of(sagad.now_ms() - 172800000));
