-- $1 node; 0: none. No row: that node was taken for dead.
with alive as materialized (
    select n.id
      from sagad.node n
     where n.id = $1::int
       for key share
)
insert into sagad.writer (node, batch, fence, at)
select $1::int, 0, 0, sagad.now_ms()
 where $1::int = 0
    or exists (select from alive)
returning id;
