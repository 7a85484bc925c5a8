-- Topics of commands: which are paused, and who said so.

-- Those that are paused, nothing else; all nodes read them every second.
create table sagad.topic_pause (
    namespace_id int not null,
    name         text collate "C" not null,
    at           bigint not null,
    actor        text not null,
    reason       text,
    primary key (namespace_id, name)
) with (autovacuum_vacuum_scale_factor = 0.05);

-- Who paused and resumed what, and why. The last 100 of a name and 10,000 of a namespace are kept.
create table sagad.topic_act (
    namespace_id int not null,
    id           bigint generated always as identity,
    name         text collate "C" not null,
    at           bigint not null,
    verb         text not null,
    actor        text not null,
    reason       text,
    primary key (namespace_id, id)
) with (autovacuum_vacuum_scale_factor = 0.05);
create index topic_act_name on sagad.topic_act (namespace_id, name, id);
