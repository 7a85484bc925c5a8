-- $1 namespace. Last place, last published one, first place that is kept (0: none).
select coalesce(p.place, 0), coalesce(p.published, 0), coalesce(f.place, 0)
  from (select 1) as one
       left join sagad.event_position p
              on p.namespace_id = $1::int
       left join lateral (select b.place
                            from sagad.event_batch b
                           where b.namespace_id = $1::int
                             and b.place > 0
                           order by b.place
                           limit 1) as f
              on true;
