/*
 * orchestrator/engine/load.c
 *   What a batch needs to know before it can decide: at most two round trips, none when all its
 *   sagas are in memory and its keys are new.
 */
#include "orchestrator/engine/batch.h"
#include "orchestrator/engine/locks.h"

#include "orchestrator/base/log.h"
#include "sagas/machine/codec.h"

#include <stdlib.h>
#include <string.h>

static int compare_ids(const void *a, const void *b)
{
    return memcmp(((const struct uuid *)a)->byte, ((const struct uuid *)b)->byte,
                  sizeof(struct uuid));
}

/*
 * Starts mostly come with a new key, and one that is not new meets a unique index at the commit.
 * What need not write its key is not found out that way: a command may be refused, the id that a
 * caller chose may exist. A start that is refused asks for another try (decide.c).
 */
static bool is_key_read_first(const struct batch *batch, const struct work *work)
{
    return batch->reads_keys || work->request->kind != REQUEST_START || work->request->start.has_id;
}

static bool load_keys(struct batch *batch, struct err *err)
{
    struct arena *arena = &batch->worker->arena;
    struct bytes *keys = arena_array(arena, batch->count, sizeof *keys);
    size_t *places = arena_array(arena, batch->count, sizeof *places);
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct work *work = batch->works[i];
        if (work->kind != WORK_REQUEST || work->request->key.key.data == NULL) continue;
        batch->key_given[i] = true;
        batch->key_unread[i] = !is_key_read_first(batch, work);
        if (batch->key_unread[i]) {
            batch->any_unread = true;
            continue;
        }
        places[count] = i;
        keys[count++] = work->request->key.key;
    }
    if (count == 0) return true;
    struct request_key_row *rows = arena_array(arena, count, sizeof *rows);
    if (!store_load_keys(batch->worker->store, keys, count, arena, rows, err)) return false;
    for (size_t i = 0; i < count; i++) {
        batch->key_rows[places[i]] = rows[i];
    }
    return true;
}

/* The saga that `works[i]` is about, where it may be in PostgreSQL already. */
static const struct uuid *wanted_id(const struct batch *batch, size_t i)
{
    const struct work *work = batch->works[i];
    if (batch->key_given[i] && batch->key_rows[i].found) {
        return batch->key_rows[i].has_saga ? &batch->key_rows[i].saga_id : NULL;
    }
    if (work->kind == WORK_RECORD) return inbound_saga(work->inbound);
    if (work->kind == WORK_REQUEST && work->request->kind == REQUEST_START &&
        !work->request->start.has_id) {
        return NULL;
    }
    return &work->saga_id;
}

static bool fill(struct batch *batch, const struct saga_row *row, struct err *err)
{
    struct worker *worker = batch->worker;
    const struct definition *definition = NULL;
    if (!registry_by_id(worker->engine->options.registry, worker->store, row->definition_id,
                        &definition, err)) {
        return false;
    }
    struct cached *cached = cache_add(worker->cache, &row->id);
    struct saga *saga = saga_new(&cached->arena, definition);
    cached->saga = saga;
    saga->id = row->id;
    saga->input = bytes_copy(&cached->arena, row->input);
    saga->labels = bytes_copy(&cached->arena, row->labels);
    saga->attributes = bytes_copy(&cached->arena, row->attributes);
    saga->trace = bytes_copy(&cached->arena, row->trace);
    saga->trace_state = bytes_copy(&cached->arena, row->trace_state);
    saga->created_at_ms = row->created_at_ms;
    saga->start_at_ms = row->start_at_ms;
    const char *what = NULL;
    if (!saga_unpack(saga, row->packed, &what)) {
        char id[UUID_TEXT_SIZE];
        uuid_print(&row->id, id);
        cache_drop(worker->cache, cached);
        return err_set(err, ERR_INTERNAL, "saga %s: packed state: %s", id, what);
    }
    for (size_t i = 0; i < row->payload_count; i++) {
        saga_attach(saga, row->payloads[i].seq, row->payloads[i].payload, row->payloads[i].output);
    }
    cached->stored_revision = row->revision;
    cached->stored_definition = row->definition_id;
    cached->stored_failure = failures_key(saga);
    effects_stored(cached);
    locks_remember(cached);
    cached->loaded_in = worker->batch_number;
    cache_settle(worker->cache, cached);
    return true;
}

/*
 * What is decided of memory is checked by the commit; where it may be decided that there is nothing
 * to write, nothing checks that no other node did something meanwhile. An operator's
 * command and a signal may be refused, a repeated request only shows the saga, a resend has nothing
 * to write, a timer that PostgreSQL says is due may be one that memory knows nothing of, and so may
 * be the line that a saga stood in until its turn came. All are few.
 */
static bool needs_truth(const struct batch *batch, size_t i, const struct cached *cached)
{
    const struct work *work = batch->works[i];
    switch (work->kind) {
    case WORK_REQUEST:
        return work->request->kind == REQUEST_COMMAND ||
               (batch->key_given[i] && batch->key_rows[i].found);
    case WORK_RECORD: return work->inbound->is_signal;
    case WORK_TIMER: return work->due_at_ms == 0;
    case WORK_RESEND:
    case WORK_RELEASE: return true;
    case WORK_GRANT: return cached->saga->lock != LOCK_AWAITED;
    }
    abort();
}

static void forget_doubtful(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct uuid *id = wanted_id(batch, i);
        struct cached *cached = id == NULL ? NULL : cache_find(batch->worker->cache, id);
        if (cached == NULL || !needs_truth(batch, i, cached)) continue;
        cache_drop(batch->worker->cache, cached);
    }
}

static bool load_sagas(struct batch *batch, struct err *err)
{
    struct worker *worker = batch->worker;
    struct uuid *ids = arena_array(&worker->arena, batch->count, sizeof *ids);
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct uuid *id = wanted_id(batch, i);
        if (id == NULL) continue;
        if (cache_find(worker->cache, id) == NULL) ids[count++] = *id;
    }
    if (count == 0) return true;
    qsort(ids, count, sizeof *ids, compare_ids);
    size_t distinct = 1;
    for (size_t i = 1; i < count; i++) {
        if (!uuid_equal(&ids[i], &ids[distinct - 1])) ids[distinct++] = ids[i];
    }
    struct saga_row *rows = arena_array(&worker->arena, distinct, sizeof *rows);
    if (!store_load(worker->store, ids, distinct, &worker->arena, rows, err)) return false;
    for (size_t i = 0; i < distinct; i++) {
        if (rows[i].found && !fill(batch, &rows[i], err)) return false;
    }
    return true;
}

bool batch_load(struct batch *batch, struct err *err)
{
    if (!load_keys(batch, err)) return false;
    forget_doubtful(batch);
    return load_sagas(batch, err);
}
