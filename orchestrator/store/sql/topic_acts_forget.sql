-- $1 namespace, $2 name, $3 how many acts of the name are kept, $4 of the namespace.
delete from sagad.topic_act a
 using (select o.ctid as place
          from (select t.ctid
                  from sagad.topic_act t
                 where t.namespace_id = $1::int
                   and t.name = $2::text
                 order by t.id desc
                offset $3::bigint) o
        union
        select o.ctid
          from (select t.ctid
                  from sagad.topic_act t
                 where t.namespace_id = $1::int
                 order by t.id desc
                offset $4::bigint) o) as old
 where a.ctid = old.place;
