-- $1 weeks after this one, $2 retention (ms): the next week that ended so long ago. No row: none.
select w.week
  from (select substring(c.relname from '^history_w([0-9]+)$')::int as week
          from pg_inherits i
               join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'sagad.history'::regclass) as w
 where w.week > $1::int
   and (w.week + 1)::bigint * 604800000 <= sagad.now_ms() - $2::bigint
 order by w.week
 limit 1;
