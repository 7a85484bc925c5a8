-- participants/sql/barrier.sql
--   Each command takes effect once, however often it is delivered.
--
-- Installs into the first schema of the search_path, again and again without harm:
--   psql "$DATABASE_URL" -c 'create schema if not exists payments'
--   PGOPTIONS='-c search_path=payments' psql "$DATABASE_URL" -f barrier.sql
--
-- A participant handles a command in one transaction of its own (READ COMMITTED, the default):
--
--   begin;
--   select verdict, reply from payments.saga_begin($1, $2);  -- ce_idempotencykey, ce_sagaop
--     run      do it; then select payments.saga_done($1, $2, $3);  answer success with $3
--     replay   it was done before: answer success with `reply`, the stored bytes
--     skip     an undo whose action never ran, and now never will: answer success;
--              to a probe, which leaves no mark: it never ran, answer failure
--     refuse   an action that was already undone: answer failure
--   commit;  and answer only then
--
-- A refusal or an error of the participant's own rolls back, leaves no row, and the command may be
-- tried again. A commit between saga_begin and saga_done fails: only successes are stored.
--
-- Deliveries that race wait for each other at the unique key; exactly one is told `run`, the others
-- get its reply, or, should it roll back, the next one is told `run`. An undo first claims the row
-- of its action: either the action was there before it, or it will be refused for ever. Whoever
-- handles several keys in one transaction takes them in sorted order.

begin;

select pg_advisory_xact_lock(hashtext('saga_barrier'), hashtext(current_schema()));

create table if not exists saga_barrier (
    key   text        not null, -- saga/step or saga/step/index
    op    text        not null check (op in ('action', 'compensate')),
    state text        not null check (state in ('begun', 'done', 'skipped')),
    reply text,                 -- as it was sent, byte for byte
    at    timestamptz not null default now(),
    primary key (key, op)
) with (fillfactor = 70);

create index if not exists saga_barrier_at on saga_barrier using brin (at);

-- $1 key, $2 op: 'action', 'compensate', or 'probe' (replay: done; skip: never ran; refuse: undone).
create or replace function saga_begin(key text, op text, out verdict text, out reply text)
language plpgsql set search_path from current as $$
declare
    action saga_barrier;
begin
    if op is null or op not in ('action', 'compensate', 'probe') then
        raise 'saga_begin: op is %, not action, compensate or probe', coalesce(op, 'null');
    end if;

    loop
        -- This waits for a transaction that holds the row, and wins if that rolls back.
        insert into saga_barrier (key, op, state)
        values (saga_begin.key, 'action', case op when 'action' then 'begun' else 'skipped' end)
        on conflict do nothing;
        if found then
            verdict := case op when 'action' then 'run' else 'skip' end;
            if op = 'probe' then -- it only looks
                delete from saga_barrier b where b.key = saga_begin.key and b.op = 'action';
            end if;
            return;
        end if;

        select b.* into action
          from saga_barrier b
         where b.key = saga_begin.key and b.op = 'action';
        exit when found; -- else it was deleted in between: again
    end loop;

    if op = 'compensate' then
        if action.state = 'skipped' then
            verdict := 'skip';
            return;
        end if;
        insert into saga_barrier (key, op, state)
        values (saga_begin.key, 'compensate', 'begun')
        on conflict do nothing;
        if found then
            verdict := 'run';
            return;
        end if;
    end if;

    select b.reply into reply
      from saga_barrier b
     where b.key = saga_begin.key and b.op = 'compensate';
    if op = 'compensate' then
        verdict := 'replay';
    elsif found or action.state = 'skipped' then
        verdict := 'refuse';
        reply := null;
    else
        verdict := 'replay';
        reply := action.reply;
    end if;
end
$$;

-- $1 key, $2 op, $3 the reply as it will be sent; null is an empty one.
create or replace function saga_done(key text, op text, reply text) returns void
language plpgsql set search_path from current as $$
begin
    update saga_barrier b
       set state = 'done', reply = saga_done.reply
     where b.key = saga_done.key and b.op = saga_done.op and b.state = 'begun';
    if not found then
        raise 'saga_done(%, %) without a saga_begin that said run', key, op;
    end if;
end
$$;

create or replace function saga_barrier_check() returns trigger
language plpgsql set search_path from current as $$
begin
    perform from saga_barrier b where b.key = new.key and b.op = new.op and b.state = 'begun';
    if found then
        raise 'commit of (%, %) without saga_done: roll back what was refused', new.key, new.op;
    end if;
    return null;
end
$$;

do $$
begin
    create constraint trigger saga_barrier_only_done
        after insert on saga_barrier deferrable initially deferred
        for each row when (new.state = 'begun') execute function saga_barrier_check();
exception when duplicate_object then null;
end
$$;

-- Forget what is older than any saga can last; returns the number of rows.
create or replace function saga_forget(older_than interval) returns bigint
language plpgsql set search_path from current as $$
declare
    gone bigint;
begin
    delete from saga_barrier b where b.at < now() - older_than;
    get diagnostics gone = row_count;
    return gone;
end
$$;

commit;
