-- Drop a table of a week that was taken out: its name. Null: there is none.
select sagad.drop_old_week();
