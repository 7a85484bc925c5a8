/*
 * orchestrator/engine/batch.c
 *   load -> decide -> one commit -> publish -> answer.
 *
 * Repeatable up to the commit: whatever fails, the sagas of the batch are dropped from memory and
 * decided again from PostgreSQL. An event that PostgreSQL refuses is found by
 * bisection and set aside alone. An ambiguous commit is resolved before anything else happens.
 */
#include "orchestrator/engine/batch.h"
#include "orchestrator/engine/locks.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"
#include "orchestrator/engine/flow.h"
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
    RESOLVE_PAUSE_MS = 200,
    KEYS_DOUBTED_MS = 10000,    /* after a start whose key may not have been new */
    LINGER_FROM = 16,           /* commands of a batch that may wait a moment for more */
    HELD_LOOK_MS = 5 * 60000,   /* between looks at what waits for its topic */
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
        if (cached->fresh) {
            add_start_columns(batch, cached, &writes[i]);
        } else if (cached->stored_definition != saga->definition->stored_id) {
            writes[i].definition_before = cached->stored_definition;
            writes[i].definition_id = saga->definition->stored_id;
        }
    }
    return writes;
}

/* ---- after the commit ---- */

static void publish_dead_letters(const struct batch *batch)
{
    struct bus *bus = batch->worker->engine->bus;
    for (size_t i = 0; i < batch->dead_letter_count; i++) {
        const struct dead_letter_write *letter = &batch->dead_letters[i];
        const struct bus_header reason = {BYTES("sagad_reason"), bytes_of(letter->reason)};
        const struct bus_record record = {
            .topic = bytes_of(bus_dead_letter_topic(bus)),
            .partition = -1,
            .key = letter->key,
            .value = letter->value,
            .headers = &reason,
            .header_count = 1,
        };
        (void)bus_send_record(bus, &record); /* a copy: the row in PostgreSQL counts */
    }
}

static void publish(struct batch *batch)
{
    struct engine *engine = batch->worker->engine;
    for (size_t i = 0; i < batch->count; i++) { /* first: what fails below comes in again */
        const struct work *work = batch->works[i];
        if (work->kind != WORK_RESEND) continue;
        if (work->topic == NULL) outbox_sent(engine->outbox, &work->saga_id);
        batch_let_go(batch, work);
    }
    for (size_t i = 0; i < batch->outgoing_count; i++) {
        batch_send(batch, &batch->outgoing[i]);
    }
    publish_dead_letters(batch);
    const bool busy = batch->outgoing_count >= LINGER_FROM || atomic_load(&engine->queued) > 0;
    if (batch->outgoing_count > 0 && !busy) bus_flush_soon(engine->bus);
}

static void store_offsets(struct batch *batch)
{
    struct engine *engine = batch->worker->engine;
    bool any = false;
    for (size_t i = 0; i < batch->count; i++) {
        const struct work *work = batch->works[i];
        if (work->kind != WORK_RECORD || !work->inbound->tracked) continue;
        const struct bus_record *record = &work->inbound->record;
        inbox_done(engine->inbox, record->topic, record->partition, record->offset);
        any = true;
    }
    if (any) engine_store_offsets(engine);
}

static void answer(struct work *work)
{
    work->answer.saga = work->cached == NULL ? NULL : work->cached->saga;
    request_answer(work->request, &work->answer);
}

/* What is due later than that PostgreSQL tells; until then memory is for others. */
static void arm_timer(struct batch *batch, struct cached *cached)
{
    int64_t due_at_ms = saga_next_due_ms(cached->saga);
    if (cached->held) { /* what is due by now waits for its topic, which lets it go */
        const int64_t look_at_ms = batch->now_ms + HELD_LOOK_MS;
        due_at_ms = saga_next_due_after_ms(cached->saga, batch->now_ms);
        if (due_at_ms == 0 || due_at_ms > look_at_ms) due_at_ms = look_at_ms;
    }
    cached->rests = due_at_ms == 0 || due_at_ms > batch->now_ms + TIMERS_HORIZON_MS;
    timers_set(batch->worker->timers, &cached->id, due_at_ms, batch->now_ms);
}

static void settle_sagas(struct batch *batch)
{
    struct engine *engine = batch->worker->engine;
    for (size_t i = 0; i < batch->touched_count; i++) {
        struct cached *cached = batch->touched[i];
        cached->fresh = false;
        cached->touched = false;
        cached->stored_revision = cached->saga->revision;
        cached->stored_definition = cached->saga->definition->stored_id;
        cached->stored_failure = failures_key(cached->saga);
        effects_stored(cached);
        locks_remember(cached);
        arm_timer(batch, cached);
        if (engine->changed != NULL) {
            engine->changed(engine->changed_context, &cached->id, cached->saga->revision,
                            cached->saga->state);
        }
    }
    for (size_t i = 0; i < batch->count; i++) { /* loaded, nothing changed: its timer is due yet */
        const struct work *work = batch->works[i];
        const bool timer = work->kind != WORK_REQUEST && work->kind != WORK_RECORD;
        if (timer && work->cached != NULL) arm_timer(batch, work->cached);
    }
}

static void come_again(struct worker *worker, struct work *work)
{
    assert(work->kind != WORK_REQUEST || work->request != NULL); /* answered ones are done */
    const bool start = work->kind == WORK_REQUEST && work->request->kind == REQUEST_START;
    work_push(start ? &worker->starts_again : &worker->urgent_again, work);
}

/* Before everything that came meanwhile. */
static void queue_again(struct worker *worker)
{
    atomic_fetch_add(&worker->engine->queued,
                     worker->urgent_again.count + worker->starts_again.count);
    pthread_mutex_lock(&worker->lock);
    work_prepend(&worker->urgent, &worker->urgent_again);
    work_prepend(&worker->starts, &worker->starts_again);
    pthread_mutex_unlock(&worker->lock);
}

/* Everything that may happen now that the batch is durable. */
static void succeed(struct batch *batch)
{
    struct worker *worker = batch->worker;
    publish(batch);
    store_offsets(batch);
    batch_measure(batch);
    settle_sagas(batch);
    for (size_t i = 0; i < batch->count; i++) {
        struct work *work = batch->works[i];
        if (work->kind == WORK_REQUEST && work->request != NULL && !work->deferred) answer(work);
    }
    for (size_t i = 0; i < batch->count; i++) {
        struct work *work = batch->works[i];
        if (work->deferred) {
            come_again(worker, work);
        } else {
            work_free(work);
        }
    }
    for (size_t i = 0; i < batch->touched_count; i++) {
        cache_settle(worker->cache, batch->touched[i]);
    }
    cache_trim(worker->cache);
    flow_release(worker->engine);
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

/*
 * Callers hear that the database is away; replies and timers wait for it. When the worker is to
 * stop they are let go: offsets are not stored, so the broker delivers the replies again.
 */
static void give_up(struct worker *worker, struct work **works, size_t count)
{
    const bool stopping = worker_is_stopping(worker);
    for (size_t i = 0; i < count; i++) {
        if (works[i]->kind == WORK_REQUEST || stopping) {
            work_refuse(works[i]);
        } else {
            come_again(worker, works[i]);
        }
    }
}

/* The database is away: longer each time, whatever comes in meanwhile. */
static void rest(struct worker *worker)
{
    worker->pause_ms = worker->pause_ms == 0 ? PAUSE_FIRST_MS : worker->pause_ms * 2;
    if (worker->pause_ms > PAUSE_MAX_MS) worker->pause_ms = PAUSE_MAX_MS;
    const int64_t until_ms = clock_monotonic_ms() + worker->pause_ms;
    pthread_mutex_lock(&worker->lock);
    int64_t left_ms = worker->pause_ms;
    while (!worker->stopping && left_ms > 0) {
        worker_wait(worker, left_ms);
        left_ms = until_ms - clock_monotonic_ms();
    }
    pthread_mutex_unlock(&worker->lock);
}

/* False: the database is away. */
static bool store_dead_letter_alone(struct worker *worker, struct batch *batch, struct work *work)
{
    batch_add_dead_letter(batch, work, "quarantined");
    const struct store_batch rows = {.dead_letters = batch->dead_letters, .dead_letter_count = 1};
    bool unknown = false; /* written twice it is there once */
    struct err err;
    if (store_commit(worker->store, &rows, &unknown, &err)) return true;
    if (err.kind == ERR_UNAVAILABLE) return false;
    /* The copy in the dead letter topic is all that is left of it. Others must not wait behind it.
     */
    log_event(LOG_ERROR, "dead_letter_refused", "partition=%d offset=%lld reason=\"%s\"",
              work->inbound->record.partition, (long long)work->inbound->record.offset, err.text);
    return true;
}

static bool quarantine_record(struct worker *worker, struct work *work)
{
    arena_reset(&worker->arena);
    struct dead_letter_write letter;
    struct batch batch = {.worker = worker,
                          .works = &work,
                          .count = 1,
                          .now_ms = clock_wall_ms(),
                          .dead_letters = &letter};
    if (!store_dead_letter_alone(worker, &batch, work)) {
        give_up(worker, &work, 1);
        return false;
    }
    work->result = "quarantined";
    batch_measure(&batch);
    publish_dead_letters(&batch);
    store_offsets(&batch);
    work_free(work);
    return true;
}

/* One event that cannot be carried out: set it aside where people see it. False: not now. */
static bool quarantine(struct worker *worker, struct work *work, const char *why)
{
    char id[UUID_TEXT_SIZE];
    uuid_print(&work->saga_id, id);
    log_event(LOG_ERROR, "event_quarantined", "saga=%s kind=%d reason=\"%s\"", id, (int)work->kind,
              why);
    if (work->kind == WORK_RECORD) return quarantine_record(worker, work);
    if (work->kind == WORK_REQUEST) {
        const struct answer failure = {.result = RESULT_INTERNAL};
        request_answer(work->request, &failure);
    } else {
        const int64_t now_ms = clock_wall_ms();
        outbox_sent(worker->engine->outbox, &work->saga_id);
        if (work->kind == WORK_RESEND) batch_let_go(&(struct batch){.worker = worker}, work);
        timers_set(worker->timers, &work->saga_id, now_ms + POISON_PAUSE_MS, now_ms);
    }
    work_free(work);
    return true;
}

static void tell_unavailable(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct work *work = batch->works[i];
        if (work->kind != WORK_REQUEST || work->request == NULL || work->deferred) continue;
        const struct answer unavailable = {.result = RESULT_UNAVAILABLE};
        request_answer(work->request, &unavailable);
        work->request = NULL; /* answered */
    }
}

/* An unknown commit: nothing else may happen before PostgreSQL has said what became of it. */
static bool resolve(struct batch *batch)
{
    struct worker *worker = batch->worker;
    const int64_t since_ms = clock_monotonic_ms();
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
        const bool stopping = worker_is_stopping(worker);
        if (stopping || clock_monotonic_ms() - since_ms > RESOLVE_PATIENCE_MS) {
            tell_unavailable(batch);
        }
        if (stopping) return false; /* whoever comes next finds what is durable */
        pthread_mutex_lock(&worker->lock);
        worker_wait(worker, RESOLVE_PAUSE_MS);
        pthread_mutex_unlock(&worker->lock);
    }
}

/* ---- one try ---- */

enum try_result { TRY_DONE, TRY_CONFLICT, TRY_UNAVAILABLE, TRY_REFUSED };

static void prepare(struct batch *batch)
{
    struct arena *arena = &batch->worker->arena;
    arena_reset(arena);
    batch->worker->batch_number++;
    batch->stale = false;
    batch->measured = NULL;
    batch->measured_count = batch->measured_room = 0;
    batch->now_ms = clock_wall_ms();
    batch->key_rows = arena_array(arena, batch->count, sizeof *batch->key_rows);
    batch->key_given = arena_array(arena, batch->count, sizeof *batch->key_given);
    batch->key_unread = arena_array(arena, batch->count, sizeof *batch->key_unread);
    batch->any_unread = false;
    batch->touched = arena_array(arena, batch->count, sizeof(struct cached *));
    batch->keys = arena_array(arena, batch->count, sizeof *batch->keys);
    batch->dead_letters = arena_array(arena, batch->count, sizeof *batch->dead_letters);
    batch->processed = arena_array(arena, 64, sizeof *batch->processed);
    batch->touched_count = batch->key_count = batch->dead_letter_count = batch->lock_count = 0;
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
    if (batch->touched_count + batch->dead_letter_count + batch->key_count == 0) return true;
    batch->processed_count =
        inbox_ranges(worker->engine->inbox, clock_monotonic_ms(), batch->processed, 64);
    batch_note_failures(batch);
    batch_note_effects(batch);
    batch_note_locks(batch);
    const struct store_batch write = {
        .sagas = make_saga_writes(batch),
        .saga_count = batch->touched_count,
        .near_until_ms = batch->now_ms + TIMERS_HORIZON_MS, /* arm_timer holds them */
        .histories = batch->histories,
        .history_count = batch->history_count,
        .keys = batch->keys,
        .key_count = batch->key_count,
        .processed = batch->processed,
        .processed_count = batch->processed_count,
        .dead_letters = batch->dead_letters,
        .dead_letter_count = batch->dead_letter_count,
        .failures = batch->failures,
        .failure_count = batch->failure_count,
        .effects = batch->effects,
        .effect_count = batch->effect_count,
        .keeps_events = worker->engine->options.events != EVENTS_OFF,
        .locks = batch->locks,
        .lock_count = batch->lock_count,
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
    if (batch->stale) {
        drop_sagas(batch);
        (void)err_set(err, ERR_CONFLICT, "another node was faster");
        return TRY_CONFLICT;
    }
    if (commit(batch, err)) {
        succeed(batch);
        batch_settle_locks(batch);
        return TRY_DONE;
    }
    drop_sagas(batch);
    return result_of(err);
}

void batch_doubt_keys(struct batch *batch)
{
    batch->worker->keys_doubted_until_ms = clock_monotonic_ms() + KEYS_DOUBTED_MS;
}

/* What fails with keys that were taken for new says nothing yet: they are looked for, then again.
 */
static enum try_result try_for_the_keys(struct batch *batch, struct err *err)
{
    const enum try_result result = try_once(batch, err);
    if (result == TRY_DONE || !batch->any_unread) return result;
    batch_doubt_keys(batch); /* who hears that the database is away comes again with them */
    batch->reads_keys = true;
    return result == TRY_REFUSED ? TRY_CONFLICT : result;
}

static size_t without_answered(struct work **works, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (works[i]->kind == WORK_REQUEST && works[i]->request == NULL) {
            work_free(works[i]);
        } else {
            works[kept++] = works[i];
        }
    }
    return kept;
}

/* False: the database is away; the works are answered or to come again. */
/* NOLINTNEXTLINE(misc-no-recursion): halves, so 12 deep at most */
static bool carry_out(struct worker *worker, struct work **works, size_t count)
{
    struct batch batch = {
        .worker = worker,
        .works = works,
        .count = count,
        .reads_keys = clock_monotonic_ms() < worker->keys_doubted_until_ms,
    };
    struct err err = {0};
    enum try_result result = TRY_CONFLICT;
    for (int tries = 0; result == TRY_CONFLICT && tries < CONFLICTS_MAX; tries++) {
        batch.count = without_answered(works, batch.count);
        if (batch.count == 0) return true;
        result = try_for_the_keys(&batch, &err);
    }
    if (result == TRY_DONE) return true;
    batch.count = without_answered(works, batch.count);
    if (result == TRY_UNAVAILABLE) {
        atomic_store(&worker->database_up, false);
        log_event(LOG_WARNING, "database_unavailable", "events=%zu reason=\"%s\"", batch.count,
                  err.text);
        give_up(worker, works, batch.count);
        return false;
    }
    if (batch.count <= 1) return batch.count == 0 || quarantine(worker, works[0], err.text);
    const size_t half = batch.count / 2;
    if (carry_out(worker, works, half)) {
        return carry_out(worker, works + half, batch.count - half);
    }
    give_up(worker, works + half, batch.count - half); /* behind the first half, as they came */
    return false;
}

void batch_carry_out(struct worker *worker, struct work **works, size_t count)
{
    const bool there = carry_out(worker, works, count);
    queue_again(worker);
    if (!there) rest(worker);
}
