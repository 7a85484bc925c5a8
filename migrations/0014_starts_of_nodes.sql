-- How many sagas a node started in its last round, so that each node knows its share of all starts.
alter table sagad.node add column starts bigint not null default 0;
