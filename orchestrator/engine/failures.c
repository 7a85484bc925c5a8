/*
 * orchestrator/engine/failures.c
 *   Which sagas have a trouble that they did not have, or another one; and those that had one
 *   before the database kept account of it.
 */
#include "orchestrator/engine/batch.h"
#include "orchestrator/store/failure.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"
#include "sagas/machine/codec.h"

enum { PAGE_MAX = 1000 };

uint64_t failures_key(const struct saga *saga)
{
    const struct failure failure = saga_failure(saga);
    return failure_key(&failure, saga->definition->stored_id);
}

static struct failure_write write_of(const struct saga *saga, const struct uuid *id)
{
    const struct failure failure = saga_failure(saga);
    const int64_t definition_id = saga->definition->stored_id;
    return (struct failure_write){
        .id = *id,
        .definition_id = definition_id,
        .failure = failure,
        .key = (int64_t)failure_key(&failure, definition_id),
        .revision = saga->revision,
    };
}

void batch_note_failures(struct batch *batch)
{
    batch->failures = NULL;
    batch->failure_count = 0;
    size_t room = 0;
    for (size_t i = 0; i < batch->touched_count; i++) {
        const struct cached *cached = batch->touched[i];
        if (failures_key(cached->saga) == cached->stored_failure) continue;
        batch->failures = batch_grow(batch, batch->failures, batch->failure_count, &room,
                                     sizeof *batch->failures);
        struct failure_write *write = &batch->failures[batch->failure_count++];
        *write = write_of(cached->saga, &cached->id);
        write->since_ms = batch->now_ms;
    }
}

/* ---- what was there before ---- */

static bool read_failure(struct engine *engine, struct store *store, struct arena *arena,
                         const struct saga_row *row, struct failure_write *ret_write,
                         struct err *err)
{
    const struct definition *definition = NULL;
    const char *what = NULL;
    if (!registry_by_id(engine->options.registry, store, row->definition_id, &definition, err)) {
        return false;
    }
    struct saga *saga = saga_new(arena, definition);
    if (!saga_unpack(saga, row->packed, &what)) {
        return err_set(err, ERR_INTERNAL, "a saga cannot be read: %s", what);
    }
    *ret_write = write_of(saga, &row->id);
    ret_write->since_ms = saga->updated_at_ms;
    return true;
}

/* One that cannot be read is passed over: it cannot be carried on with either. */
static bool add_page(struct engine *engine, struct store *store, struct arena *arena,
                     const struct saga_row *rows, size_t count, bool *ret_all, struct err *err)
{
    struct failure_write *writes = arena_array(arena, count, sizeof *writes);
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        struct err failure;
        if (read_failure(engine, store, arena, &rows[i], &writes[made], &failure)) {
            made += writes[made].failure.state != FAILURE_NONE;
        } else if (failure.kind == ERR_UNAVAILABLE) {
            *err = failure;
            return false;
        } else {
            log_event(LOG_WARNING, "failure_unread", "reason=\"%s\"", failure.text);
        }
    }
    size_t added = 0;
    if (made > 0 && !store_failures_add_missing(store, writes, made, &added, err)) return false;
    *ret_all = added == made;
    return true;
}

static bool begin(struct store *store, struct look_back *look, struct err *err)
{
    bool wanted = false;
    if (!store_failures_wanted(store, &wanted, err)) return false;
    look->begun = true;
    look->done = !wanted;
    return true;
}

static bool look_on(struct engine *engine, struct store *store, struct arena *arena,
                    struct look_back *look, struct err *err)
{
    struct saga_row *rows = NULL;
    size_t count = 0;
    if (!store_failures_missing(store, &look->after, PAGE_MAX, arena, &rows, &count, err)) {
        return false;
    }
    if (count == 0) {
        if (!store_failures_complete(store, err)) return false;
        log_event(LOG_INFO, "failures_grouped", "sagas=%llu", (unsigned long long)look->sagas);
        look->done = true;
        return true;
    }
    bool all = false;
    if (!add_page(engine, store, arena, rows, count, &all, err)) return false;
    if (all) look->after = rows[count - 1].id; /* else those that moved meanwhile once more */
    look->sagas += count;
    return true;
}

bool failures_look_back(struct engine *engine, struct store *store, struct look_back *look,
                        struct err *err)
{
    if (!look->begun) return begin(store, look, err);
    struct arena arena = {0};
    const bool good = look_on(engine, store, &arena, look, err);
    arena_done(&arena);
    return good;
}
