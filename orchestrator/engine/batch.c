/*
 * orchestrator/engine/batch.c
 *   load -> decide -> one commit -> publish -> answer.
 *
 * Repeatable up to the commit: whatever fails, the sagas of the batch are dropped from memory and
 * decided again from PostgreSQL. An event that PostgreSQL refuses is found by
 * bisection and set aside alone. An ambiguous commit is resolved before anything else happens.
 */
#include "orchestrator/engine/batch.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"
#include "orchestrator/telemetry/metrics.h"
#include "sagas/machine/codec.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONFLICTS_MAX = 20,      /* others were faster that often: a node gone mad */
    POISON_PAUSE_MS = 60000, /* until a saga whose timer cannot be carried out is tried again */
    PAUSE_FIRST_MS = 50,
    PAUSE_MAX_MS = 1000,
    RESOLVE_PATIENCE_MS = 4000, /* then callers hear 503 while the commit is still unresolved */
};

/* ---- making the rows ---- */

static void add_tags(struct arena *arena, char kind, struct bytes object, struct saga_write *write,
                     struct tag_write *tags)
{
    const struct json_view *view = NULL;
    struct json_error error;
    if (object.data == NULL || !json_view_parse(object, arena, &view, &error)) return;
    for (const struct json_view *at = view->child; at != NULL; at = at->next) {
        if (at->type != VIEW_STRING) continue;
        tags[write->tag_count++] = (struct tag_write){kind, at->key, at->string};
    }
}

static void add_start_columns(struct batch *batch, const struct cached *cached,
                              struct saga_write *write)
{
    const struct saga *saga = cached->saga;
    struct arena *arena = &batch->worker->arena;
    write->fresh = true;
    write->definition_id = saga->definition->stored_id;
    write->created_at_ms = saga->created_at_ms;
    write->start_at_ms = saga->start_at_ms;
    write->input = saga->input;
    write->labels = saga->labels;
    write->attributes = saga->attributes;
    write->trace = saga->trace;
    write->trace_state = saga->trace_state;
    if (saga->labels.size <= 2 && saga->definition->attribute_count == 0) return;
    struct tag_write *tags =
        arena_array(arena, DEFINITION_LABELS_MAX + DEFINITION_ATTRIBUTES_MAX, sizeof *tags);
    add_tags(arena, 'l', saga->labels, write, tags);
    add_tags(arena, 'a', saga->attributes, write, tags);
    write->tags = tags;
}

static struct saga_write *make_saga_writes(struct batch *batch)
{
    struct arena *arena = &batch->worker->arena;
    struct saga_write *writes = arena_array(arena, batch->touched_count, sizeof *writes);
    for (size_t i = 0; i < batch->touched_count; i++) {
        const struct cached *cached = batch->touched[i];
        const struct saga *saga = cached->saga;
        struct buffer packed = buffer_in(arena);
        saga_pack(saga, &packed);
        writes[i] = (struct saga_write){
            .id = cached->id,
            .revision_before = cached->stored_revision,
            .revision = saga->revision,
            .state = saga->state,
            .attention = saga->attention,
            .paused = saga->paused,
            .packed = buffer_bytes(&packed),
            .due_at_ms = saga_next_due_ms(saga),
            .finished_at_ms = saga->finished_at_ms,
        };
        if (cached->fresh) add_start_columns(batch, cached, &writes[i]);
    }
    return writes;
}

/* ---- after the commit ---- */

static void measure(const struct cached *cached)
{
    const struct saga *saga = cached->saga;
    const char *name = saga->definition->name.data;
    if (cached->fresh) metrics_add(METRIC_STARTED, 1, name, NULL, NULL);
    if (!saga_is_finished(saga->state) || saga->finished_at_ms != saga->updated_at_ms) return;
    const char *outcome = saga_state_name(saga->state);
    metrics_add(METRIC_FINISHED, 1, name, outcome, NULL);
    metrics_observe(METRIC_DURATION_SECONDS,
                    (double)(saga->finished_at_ms - saga->created_at_ms) / 1000, name, outcome,
                    NULL);
}

static void publish(struct batch *batch)
{
    struct engine *engine = batch->worker->engine;
    for (size_t i = 0; i < batch->outgoing_count; i++) {
        const struct outgoing *outgoing = &batch->outgoing[i];
        const struct saga *saga = outgoing->cached->saga;
        char definition[IDENT_SIZE_MAX + 16];
        const int size = snprintf(definition, sizeof definition, "%s/%u",
                                  saga->definition->name.data, saga->definition->version);
        const struct bus_saga about = {
            .definition = {definition, (size_t)size},
            .trace = saga->trace,
            .trace_state = saga->trace_state,
            .now_ms = batch->now_ms,
        };
        if (!bus_send_command(engine->bus, &outgoing->command, &about)) {
            outbox_add(engine->outbox, &outgoing->cached->id);
        }
    }
    for (size_t i = 0; i < batch->dead_letter_count; i++) {
        const struct dead_letter_write *letter = &batch->dead_letters[i];
        const struct bus_header reason = {BYTES("sagad_reason"), bytes_of(letter->reason)};
        const struct bus_record record = {
            .topic = bytes_of(bus_dead_letter_topic(engine->bus)),
            .partition = -1,
            .key = letter->key,
            .value = letter->value,
            .headers = &reason,
            .header_count = 1,
        };
        (void)bus_send_record(engine->bus, &record); /* a copy: the row in PostgreSQL counts */
    }
    if (batch->outgoing_count > 0) bus_flush_soon(engine->bus);
}

static void store_offsets(struct batch *batch)
{
    struct engine *engine = batch->worker->engine;
    for (size_t i = 0; i < batch->count; i++) {
        const struct work *work = batch->works[i];
        if (work->kind != WORK_RECORD || !work->inbound->tracked) continue;
        const struct bus_record *record = &work->inbound->record;
        int64_t offset = 0;
        if (inbox_done(engine->inbox, record->topic, record->partition, record->offset, &offset)) {
            bus_store_offset(engine->bus, record->topic, record->partition, offset);
        }
    }
}

static void answer(struct work *work)
{
    work->answer.saga = work->cached == NULL ? NULL : work->cached->saga;
    work->request->done(work->request, &work->answer);
}

static void arm_timer(struct batch *batch, const struct cached *cached)
{
    timers_set(batch->worker->timers, &cached->id, saga_next_due_ms(cached->saga), batch->now_ms);
}

static void settle_sagas(struct batch *batch)
{
    struct engine *engine = batch->worker->engine;
    for (size_t i = 0; i < batch->touched_count; i++) {
        struct cached *cached = batch->touched[i];
        measure(cached);
        cached->fresh = false;
        cached->touched = false;
        cached->stored_revision = cached->saga->revision;
        arm_timer(batch, cached);
        if (engine->changed != NULL) {
            engine->changed(engine->changed_context, &cached->id, cached->saga->revision,
                            cached->saga->state);
        }
    }
    for (size_t i = 0; i < batch->count; i++) { /* loaded, nothing changed: its timer is due yet */
        const struct work *work = batch->works[i];
        const bool timer = work->kind == WORK_TIMER || work->kind == WORK_RESEND;
        if (timer && work->cached != NULL) arm_timer(batch, work->cached);
    }
}

static void requeue(struct worker *worker, struct work *work)
{
    const bool start = work->kind == WORK_REQUEST && work->request->kind == REQUEST_START;
    atomic_fetch_add(&worker->engine->queued, 1);
    pthread_mutex_lock(&worker->lock);
    work_push_front(start ? &worker->starts : &worker->urgent, work);
    pthread_mutex_unlock(&worker->lock);
}

/* Everything that may happen now that the batch is durable. */
static void succeed(struct batch *batch)
{
    struct worker *worker = batch->worker;
    publish(batch);
    store_offsets(batch);
    settle_sagas(batch);
    for (size_t i = 0; i < batch->count; i++) {
        struct work *work = batch->works[i];
        if (work->kind == WORK_REQUEST && work->request != NULL && !work->deferred) answer(work);
    }
    for (size_t i = batch->count; i-- > 0;) { /* backwards: the front of the queue keeps order */
        struct work *work = batch->works[i];
        if (work->deferred)
            requeue(worker, work);
        else
            work_free(work);
    }
    for (size_t i = 0; i < batch->touched_count; i++) {
        cache_settle(worker->cache, batch->touched[i]);
    }
    cache_trim(worker->cache);
    metrics_observe(METRIC_BATCH_EVENTS, (double)batch->count, NULL, NULL, NULL);
    worker->pause_ms = 0;
    atomic_store(&worker->database_up, true);
}

/* ---- when it fails ---- */

static void drop_sagas(struct batch *batch)
{
    for (size_t i = 0; i < batch->touched_count; i++) {
        cache_drop(batch->worker->cache, batch->touched[i]);
    }
    batch->touched_count = 0;
}

static void answer_failure(struct work *work, enum request_result result)
{
    const struct answer failure = {.result = result};
    work->request->done(work->request, &failure);
    work_free(work);
}

/*
 * Callers hear that the database is away; replies and timers wait for it. When the worker is to
 * stop they are let go: offsets are not stored, so the broker delivers the replies again.
 */
static void fail_unavailable(struct batch *batch)
{
    struct worker *worker = batch->worker;
    atomic_store(&worker->database_up, false);
    pthread_mutex_lock(&worker->lock);
    const bool stopping = worker->stopping;
    pthread_mutex_unlock(&worker->lock);
    for (size_t i = batch->count; i-- > 0;) {
        struct work *work = batch->works[i];
        if (work->kind == WORK_REQUEST)
            answer_failure(work, RESULT_UNAVAILABLE);
        else if (stopping)
            work_free(work);
        else
            requeue(worker, work);
    }
    worker->pause_ms = worker->pause_ms == 0 ? PAUSE_FIRST_MS : worker->pause_ms * 2;
    if (worker->pause_ms > PAUSE_MAX_MS) worker->pause_ms = PAUSE_MAX_MS;
    pthread_mutex_lock(&worker->lock);
    if (!worker->stopping) worker_wait(worker, worker->pause_ms);
    pthread_mutex_unlock(&worker->lock);
}

/* One event that cannot be carried out: set it aside where people see it. */
static void quarantine(struct worker *worker, struct work *work, const char *why)
{
    char id[UUID_TEXT_SIZE];
    uuid_print(&work->saga_id, id);
    log_event(LOG_ERROR, "event_quarantined", "saga=%s kind=%d reason=\"%s\"", id, (int)work->kind,
              why);
    if (work->kind == WORK_REQUEST) {
        answer_failure(work, RESULT_INTERNAL);
        return;
    }
    if (work->kind != WORK_RECORD) {
        const int64_t now_ms = clock_wall_ms();
        timers_set(worker->timers, &work->saga_id, now_ms + POISON_PAUSE_MS, now_ms);
        work_free(work);
        return;
    }
    arena_reset(&worker->arena);
    struct dead_letter_write letter;
    struct batch batch = {.worker = worker,
                          .works = &work,
                          .count = 1,
                          .now_ms = clock_wall_ms(),
                          .dead_letters = &letter};
    batch_add_dead_letter(&batch, work, "quarantined");
    const struct store_batch rows = {.dead_letters = &letter, .dead_letter_count = 1};
    bool unknown = false;
    struct err err;
    metrics_add(METRIC_REPLIES, 1, "quarantined", NULL, NULL);
    if (store_commit(worker->store, &rows, &unknown, &err)) {
        store_offsets(&batch);
        work_free(work);
        return;
    }
    log_event(LOG_ERROR, "quarantine_failed", "saga=%s reason=\"%s\"", id, err.text);
    if (err.kind == ERR_UNAVAILABLE)
        requeue(worker, work); /* its offset stays uncommitted */
    else
        work_free(work);
}

/* An unknown commit: nothing else may happen before PostgreSQL has said what became of it. */
static bool resolve(struct batch *batch)
{
    struct worker *worker = batch->worker;
    const int64_t since_ms = clock_monotonic_ms();
    bool told = false;
    for (;;) {
        struct err err;
        bool committed = false;
        atomic_store(&worker->progress_ms, clock_monotonic_ms());
        if (store_resolve(worker->store, &committed, &err)) {
            log_event(LOG_WARNING, "commit_resolved", "committed=%d after_ms=%lld", committed,
                      (long long)(clock_monotonic_ms() - since_ms));
            return committed;
        }
        atomic_store(&worker->database_up, false);
        if (!told && clock_monotonic_ms() - since_ms > RESOLVE_PATIENCE_MS) {
            for (size_t i = 0; i < batch->count; i++) {
                struct work *work = batch->works[i];
                if (work->kind != WORK_REQUEST || work->deferred) continue;
                const struct answer unavailable = {.result = RESULT_UNAVAILABLE};
                work->request->done(work->request, &unavailable);
                work->request = NULL; /* answered */
            }
            told = true;
        }
        pthread_mutex_lock(&worker->lock);
        worker_wait(worker, PAUSE_FIRST_MS * 4);
        const bool stopping = worker->stopping;
        pthread_mutex_unlock(&worker->lock);
        if (stopping && told) return false; /* whoever comes next finds what is durable */
    }
}

/* ---- one try ---- */

enum try_result { TRY_DONE, TRY_CONFLICT, TRY_UNAVAILABLE, TRY_REFUSED };

static void prepare(struct batch *batch)
{
    struct arena *arena = &batch->worker->arena;
    arena_reset(arena);
    batch->now_ms = clock_wall_ms();
    batch->key_rows = arena_array(arena, batch->count, sizeof *batch->key_rows);
    batch->key_given = arena_array(arena, batch->count, sizeof *batch->key_given);
    batch->touched = arena_array(arena, batch->count, sizeof(struct cached *));
    batch->keys = arena_array(arena, batch->count, sizeof *batch->keys);
    batch->dead_letters = arena_array(arena, batch->count, sizeof *batch->dead_letters);
    batch->processed = arena_array(arena, 64, sizeof *batch->processed);
    batch->touched_count = batch->key_count = batch->dead_letter_count = 0;
    batch->history_count = batch->history_room = 0;
    batch->outgoing_count = batch->outgoing_room = 0;
    batch->histories = NULL;
    batch->outgoing = NULL;
}

static enum try_result result_of(const struct err *err)
{
    switch (err->kind) {
    case ERR_CONFLICT: return TRY_CONFLICT;
    case ERR_UNAVAILABLE: return TRY_UNAVAILABLE;
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_INTERNAL: return TRY_REFUSED;
    case ERR_KIND_COUNT: break;
    }
    abort();
}

static bool commit(struct batch *batch, struct err *err)
{
    struct worker *worker = batch->worker;
    const bool rows = batch->touched_count > 0 || batch->dead_letter_count > 0;
    if (!rows) return true;
    batch->processed_count =
        inbox_ranges(worker->engine->inbox, clock_monotonic_ms(), batch->processed, 64);
    const struct store_batch write = {
        .sagas = make_saga_writes(batch),
        .saga_count = batch->touched_count,
        .histories = batch->histories,
        .history_count = batch->history_count,
        .keys = batch->keys,
        .key_count = batch->key_count,
        .processed = batch->processed,
        .processed_count = batch->processed_count,
        .dead_letters = batch->dead_letters,
        .dead_letter_count = batch->dead_letter_count,
    };
    const int64_t begun_us = clock_monotonic_us();
    bool unknown = false;
    bool good = store_commit(worker->store, &write, &unknown, err);
    if (!good && unknown) {
        good = resolve(batch);
        if (!good) err->kind = ERR_CONFLICT; /* nothing was written: decide again */
    }
    metrics_observe(METRIC_PG_QUERY_SECONDS, (double)(clock_monotonic_us() - begun_us) / 1e6,
                    "commit", NULL, NULL);
    return good;
}

static enum try_result try_once(struct batch *batch, struct err *err)
{
    prepare(batch);
    if (!batch_load(batch, err)) return result_of(err);
    batch_decide(batch);
    if (commit(batch, err)) {
        succeed(batch);
        return TRY_DONE;
    }
    drop_sagas(batch);
    return result_of(err);
}

static size_t without_answered(struct work **works, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (works[i]->kind == WORK_REQUEST && works[i]->request == NULL)
            work_free(works[i]);
        else
            works[kept++] = works[i];
    }
    return kept;
}

void batch_carry_out(struct worker *worker, struct work **works, size_t count)
{
    struct batch batch = {.worker = worker, .works = works, .count = count};
    struct err err = {0};
    for (int conflicts = 0; conflicts < CONFLICTS_MAX; conflicts++) {
        batch.count = without_answered(works, batch.count);
        if (batch.count == 0) return;
        switch (try_once(&batch, &err)) {
        case TRY_DONE: return;
        case TRY_CONFLICT: continue;
        case TRY_UNAVAILABLE:
            batch.count = without_answered(works, batch.count);
            log_event(LOG_WARNING, "database_unavailable", "events=%zu reason=\"%s\"", batch.count,
                      err.text);
            fail_unavailable(&batch);
            return;
        case TRY_REFUSED: conflicts = CONFLICTS_MAX; break;
        }
    }
    if (batch.count == 1) {
        quarantine(worker, works[0], err.text);
        return;
    }
    batch_carry_out(worker, works, batch.count / 2);
    batch_carry_out(worker, works + batch.count / 2, batch.count - batch.count / 2);
}
