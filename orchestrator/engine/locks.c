/*
 * orchestrator/engine/locks.c
 *   Sagas that wait for each other: in line with the commit that made them wait, out of it with the
 *   one that ended them, and whose turn it is after that.
 *
 * Whose turn it is is settled in a transaction of its own (store_locks_grant) and reaches the saga
 * as an event. Whatever is lost in between, a node's death as well, the sweep finds: a line whose
 * first has a place, and a saga that was not told of its own.
 */
#include "orchestrator/engine/locks.h"
#include "orchestrator/engine/batch.h"

#include "orchestrator/base/log.h"

#include <string.h>

enum {
    PAGE_MAX = 500,
    UNTOLD_MS = 2000, /* the node that gave the place is first */
};

/* ---- with the batch ---- */

static bool find_change(const struct cached *cached, enum lock_change *ret_change)
{
    const enum lock_state lock = cached->saga->lock;
    if (lock == cached->stored_lock) return false;
    switch (lock) {
    case LOCK_AWAITED: *ret_change = LOCK_CHANGE_QUEUE; return true;
    case LOCK_HELD: *ret_change = LOCK_CHANGE_TELL; return true;
    case LOCK_NONE:
    case LOCK_STATE_COUNT: break;
    }
    *ret_change = LOCK_CHANGE_LEAVE;
    return true;
}

static struct lock_write write_of(struct batch *batch, const struct cached *cached,
                                  enum lock_change change)
{
    const struct saga *const saga = cached->saga;
    const struct bytes key = change == LOCK_CHANGE_LEAVE ? cached->stored_lock_key : saga->lock_key;
    return (struct lock_write){
        .id = cached->id,
        .change = change,
        .definition = saga->definition->name,
        .key = key.size == 0 ? BYTES("") : bytes_copy(&batch->worker->arena, key),
        .places = saga->definition->concurrency == NULL ? 1 : saga->definition->concurrency->limit,
        .at_ms = batch->now_ms,
    };
}

void batch_note_locks(struct batch *batch)
{
    batch->locks = NULL;
    batch->lock_count = 0;
    size_t room = 0;
    for (size_t i = 0; i < batch->touched_count; i++) {
        enum lock_change change = LOCK_CHANGE_QUEUE;
        if (!find_change(batch->touched[i], &change)) continue;
        batch->locks =
            batch_grow(batch, batch->locks, batch->lock_count, &room, sizeof *batch->locks);
        batch->locks[batch->lock_count++] = write_of(batch, batch->touched[i], change);
    }
}

void locks_remember(struct cached *cached)
{
    cached->stored_lock = cached->saga->lock;
    cached->stored_lock_key = cached->saga->lock_key;
}

/* ---- giving places ---- */

static bool grant(struct engine *engine, struct store *store, const struct lock_name *locks,
                  size_t count, struct arena *arena, struct err *err)
{
    struct uuid *sagas = NULL;
    size_t granted = 0;
    if (!store_locks_grant(store, locks, count, arena, &sagas, &granted, err)) return false;
    for (size_t i = 0; i < granted; i++) {
        (void)worker_give(worker_of(engine, &sagas[i]), work_new(WORK_GRANT, &sagas[i]));
    }
    return true;
}

void batch_settle_locks(struct batch *batch)
{
    struct worker *const worker = batch->worker;
    if (batch->lock_count == 0) return;
    struct lock_name *const locks = arena_array(&worker->arena, batch->lock_count, sizeof *locks);
    size_t count = 0;
    for (size_t i = 0; i < batch->lock_count; i++) {
        const struct lock_write *const write = &batch->locks[i];
        if (write->change == LOCK_CHANGE_TELL) continue;
        locks[count++] = (struct lock_name){write->definition, write->key};
    }
    struct err err;
    if (count == 0 || grant(worker->engine, worker->store, locks, count, &worker->arena, &err)) {
        return;
    }
    log_event(LOG_WARNING, "locks_unsettled", "locks=%zu reason=\"%s\"", count, err.text);
}

/* ---- the sweep ---- */

static bool tell_untold(struct engine *engine, struct store *store, struct arena *arena,
                        struct err *err)
{
    struct uuid *sagas = NULL;
    size_t count = 0;
    if (!store_locks_untold(store, UNTOLD_MS, PAGE_MAX, arena, &sagas, &count, err)) return false;
    for (size_t i = 0; i < count; i++) {
        (void)worker_give(worker_of(engine, &sagas[i]), work_new(WORK_GRANT, &sagas[i]));
    }
    return true;
}

static void move_on(struct lock_sweep *sweep, const struct lock_name *last)
{
    arena_reset(&sweep->arena);
    sweep->after = (struct lock_name){
        .definition = bytes_copy(&sweep->arena, last->definition),
        .key = last->key.size == 0 ? BYTES("") : bytes_copy(&sweep->arena, last->key),
    };
}

static bool settle_lines(struct engine *engine, struct store *store, struct lock_sweep *sweep,
                         struct arena *arena, struct err *err)
{
    static const struct lock_name FIRST = {
        {"", 0},
        {"", 0}
    };
    struct lock_line *lines = NULL;
    size_t count = 0;
    const bool begins = sweep->after.definition.data == NULL;
    if (!store_lock_lines(store, begins ? &FIRST : &sweep->after, PAGE_MAX, arena, &lines, &count,
                          err)) {
        return false;
    }
    struct lock_name *const free_ones = arena_array(arena, count + 1, sizeof *free_ones);
    size_t free_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (lines[i].has_place) free_ones[free_count++] = lines[i].lock;
    }
    if (free_count > 0 && !grant(engine, store, free_ones, free_count, arena, err)) return false;
    if (count == PAGE_MAX) {
        move_on(sweep, &lines[count - 1].lock);
    } else {
        sweep->after = (struct lock_name){0};
    }
    return true;
}

bool locks_sweep(struct engine *engine, struct store *store, struct lock_sweep *sweep,
                 struct arena *arena, struct err *err)
{
    return tell_untold(engine, store, arena, err) && settle_lines(engine, store, sweep, arena, err);
}
