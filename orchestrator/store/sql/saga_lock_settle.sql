-- $1 namespace, arrays: $2 definition, $3 key. One node at a time settles a lock; what it reads, it reads after this.
select pg_advisory_xact_lock(h.number)
  from (select distinct hashtextextended(v.definition || ' ' || v.key, $1::int) as number
          from unnest($2::text[], $3::text[]) as v(definition, key)
         order by number
        offset 0) as h;
