-- Connections that wrote nothing for a week. One that still lives takes a new row.
delete from sagad.writer where at < sagad.now_ms() - 604800000;
