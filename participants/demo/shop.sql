-- participants/demo/shop.sql
--   What the demo participants keep, in the first schema of the search_path, beside the barrier.
--
-- Every table but content_states is a ledger: one row for each effect and each undoing of it
-- (`op`). Nothing here is unique on purpose: if the barrier let an effect through twice, it would
-- show, and tests count it.

begin;

select pg_advisory_xact_lock(hashtext('saga_shop'), hashtext(current_schema()));

create table if not exists reservations (
    key text not null, op text not null, order_id text, sku text, qty numeric,
    at timestamptz not null default clock_timestamp());

create table if not exists checks (
    key text not null, op text not null, customer_id text, amount numeric,
    at timestamptz not null default clock_timestamp());

create table if not exists charges (
    key text not null, op text not null, order_id text, customer_id text, amount numeric, currency text,
    at timestamptz not null default clock_timestamp());

create table if not exists parcels (
    key text not null, op text not null, order_id text, customer_id text, tracking_no text,
    at timestamptz not null default clock_timestamp());

create table if not exists mails (
    key text not null, op text not null, template text, customer_id text, order_id text, tracking_no text,
    at timestamptz not null default clock_timestamp());

-- part: rights catalogue artwork availability search cache; region is empty but for availability.
create table if not exists content_changes (
    key text not null, op text not null, part text, title_id text, region text, previous text, state text,
    at timestamptz not null default clock_timestamp());
create index if not exists content_changes_key on content_changes (key);

create table if not exists content_states (
    part text, title_id text, region text, state text,
    primary key (part, title_id, region));

-- Every effect and every undoing, for counting.
create or replace view ledger as
    select 'reservations' as kind, key, op from reservations
    union all select 'checks', key, op from checks
    union all select 'charges', key, op from charges
    union all select 'parcels', key, op from parcels
    union all select 'mails', key, op from mails
    union all select 'content_changes', key, op from content_changes;

commit;
