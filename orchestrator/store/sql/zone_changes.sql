-- $1 zone, $2 from, $3 until (Unix seconds): the offset at the beginning, then each change and the offset from there on.
-- Weeks in which it changes first, then the day of each, the hour, the minute, the second. Two changes within a week that undo
-- each other are not seen; no zone has such.
with recursive week(at, before, after) as materialized (
    select d.at, d.offset_s, lead(d.offset_s) over (order by d.at)
      from (select g.at, sagad.zone_offset($1::text, g.at)
              from generate_series($2::bigint, $3::bigint, 604800) as g(at)) as d(at, offset_s)
), narrowed(at, width, before, after) as (
    select d.at, 604800, d.before, d.after
      from week d
     where d.before <> d.after
    union all
    select f.at, f.width, f.before, f.after
      from narrowed n
           cross join lateral (select case n.width when 604800 then 86400 when 86400 then 3600 when 3600 then 60 else 1 end) as w(width)
           cross join lateral (select p.at, w.width, p.offset_s,
                                      lead(p.offset_s) over (order by p.at)
                                 from (select g.at, sagad.zone_offset($1::text, g.at)
                                         from generate_series(n.at, n.at + n.width, w.width) as g(at))
                                      as p(at, offset_s)) as f(at, width, before, after)
     where n.width > 1
       and f.before <> f.after
)
select c.at, c.offset_s
  from (select $2::bigint, sagad.zone_offset($1::text, $2::bigint)
         union all
        select n.at + 1, n.after
          from narrowed n
         where n.width = 1) as c(at, offset_s)
 order by c.at;
