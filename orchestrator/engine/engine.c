#include "orchestrator/engine/engine.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"
#include "orchestrator/engine/internal.h"
#include "orchestrator/telemetry/metrics.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    STALLED_AFTER_MS = 30000,
    STATEMENT_TIMEOUT_MS = 2000,             /* callers hear within 5 s that the database hangs */
    HOUSE_STATEMENT_TIMEOUT_MS = 8000,       /* a stop may have to wait for it */
    QUEUE_PUSH_BACK = 50000,                 /* events waiting before the consumer is held */
    HELD_PUSH_BACK_BYTES = 64 * 1024 * 1024, /* of reply records in memory */
    PUSH_BACK_MS = 2,
};

/* ---- opening ---- */

static bool open_store(struct engine *engine, const char *role, uint32_t timeout_ms,
                       struct store **ret_store, struct err *err)
{
    const struct store_options options = {
        .url = engine->options.database_url,
        .namespace_name = engine->options.namespace_name,
        .role = role,
        .statement_timeout_ms = timeout_ms,
    };
    return store_open(&options, ret_store, err);
}

static bool open_worker(struct engine *engine, uint32_t number, struct err *err)
{
    struct worker *worker = &engine->workers[number];
    char role[32];
    (void)snprintf(role, sizeof role, "writer-%u", number);
    engine->opened++;
    worker->engine = engine;
    worker->number = number;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&worker->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    worker->cache = cache_new(engine->options.cache_bytes / engine->options.workers);
    worker->timers = timers_new();
    randombytes_buf(&worker->random, sizeof worker->random);
    atomic_store(&worker->progress_ms, clock_monotonic_ms());
    atomic_store(&worker->database_up, true);
    if (!open_store(engine, role, STATEMENT_TIMEOUT_MS, &worker->store, err)) return false;
    store_set_node(worker->store, engine->node);
    return true;
}

bool engine_open(const struct engine_options *options, struct engine **ret_engine, struct err *err)
{
    assert(options->workers >= 1 && options->workers <= WORKERS_MAX);
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) abort();
    engine->options = *options;
    (void)snprintf(engine->node_name, sizeof engine->node_name, "%s", options->node_name);
    engine->inbox = inbox_new();
    engine->outbox = outbox_new();
    engine->topics = topics_new();
    pthread_mutex_init(&engine->house_lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&engine->house_wake, &attributes);
    pthread_condattr_destroy(&attributes);
    bool good =
        open_store(engine, "house", HOUSE_STATEMENT_TIMEOUT_MS, &engine->house_store, err) &&
        store_node_register(engine->house_store, engine->node_name, &engine->node, err) &&
        open_store(engine, "inbox", STATEMENT_TIMEOUT_MS, &engine->inbox_store, err);
    for (uint32_t i = 0; good && i < options->workers; i++) {
        good = open_worker(engine, i, err);
    }
    if (!good) {
        engine_close(engine);
        return false;
    }
    *ret_engine = engine;
    return true;
}

static void close_worker(struct worker *worker)
{
    store_close(worker->store);
    cache_free(worker->cache);
    timers_free(worker->timers);
    arena_done(&worker->arena);
    pthread_cond_destroy(&worker->wake);
    pthread_mutex_destroy(&worker->lock);
}

void engine_close(struct engine *engine)
{
    if (engine == NULL) return;
    engine_stop(engine, 0);
    for (uint32_t i = 0; i < engine->opened; i++) {
        close_worker(&engine->workers[i]);
    }
    store_close(engine->inbox_store);
    store_close(engine->house_store);
    inbox_free(engine->inbox);
    outbox_free(engine->outbox);
    topics_free(engine->topics);
    pthread_cond_destroy(&engine->house_wake);
    pthread_mutex_destroy(&engine->house_lock);
    free(engine);
}

void engine_on_changed(struct engine *engine, engine_changed *changed, void *context)
{
    engine->changed = changed;
    engine->changed_context = context;
}

/* ---- what the bus brings ---- */

static struct bytes copy_bytes(struct arena *arena, struct bytes bytes)
{
    return bytes.data == NULL ? bytes : bytes_copy(arena, bytes);
}

static void store_offset(void *bus, struct bytes topic, int32_t partition, int64_t offset)
{
    bus_store_offset(bus, topic, partition, offset);
}

void engine_store_offsets(struct engine *engine)
{
    inbox_store_grown(engine->inbox, store_offset, engine->bus);
}

static struct inbound *copy_record(const struct bus_record *record)
{
    struct arena arena = {0};
    struct inbound *inbound = arena_alloc(&arena, sizeof *inbound);
    inbound->record = *record;
    inbound->record.topic = copy_bytes(&arena, record->topic);
    inbound->record.key = copy_bytes(&arena, record->key);
    inbound->record.value = copy_bytes(&arena, record->value);
    struct bus_header *headers = arena_array(&arena, record->header_count + 1, sizeof *headers);
    for (size_t i = 0; i < record->header_count; i++) {
        headers[i].name = copy_bytes(&arena, record->headers[i].name);
        headers[i].value = copy_bytes(&arena, record->headers[i].value);
    }
    inbound->record.headers = headers;
    inbound->arena = arena;
    return inbound;
}

static bool give_record(struct engine *engine, const struct bus_record *record, bool tracked)
{
    static const struct uuid NOBODY;
    struct inbound *inbound = copy_record(record);
    inbound->tracked = tracked;
    inbound->result = reply_read(&inbound->record, &engine->keys, &inbound->arena, &inbound->reply);
    inbound->bytes = arena_held(&inbound->arena);
    inbound->held_bytes = &engine->held_bytes;
    atomic_fetch_add(&engine->held_bytes, inbound->bytes);
    const struct uuid *saga_id =
        inbound->result == REPLY_FORGED ? &NOBODY : &inbound->reply.token.saga_id;
    struct work *work = work_new(WORK_RECORD, saga_id);
    work->inbound = inbound;
    return worker_give(worker_of(engine, &work->saga_id), work);
}

static bool is_crowded(struct engine *engine)
{
    return atomic_load(&engine->queued) > QUEUE_PUSH_BACK ||
           atomic_load(&engine->held_bytes) > HELD_PUSH_BACK_BYTES;
}

/* Settled in an earlier life: whatever it did then, now it is a duplicate. */
static void pass_over(struct engine *engine, const struct bus_record *record)
{
    metrics_add(METRIC_REPLIES, 1, verdict_name(VERDICT_DUPLICATE), NULL, NULL);
    inbox_done(engine->inbox, record->topic, record->partition, record->offset);
    engine_store_offsets(engine);
}

/* While stopping nothing is taken in: its offset is not stored, so it is delivered again. */
static void on_reply(void *context, const struct bus_record *record)
{
    struct engine *engine = context;
    while (is_crowded(engine) && !atomic_load(&engine->stopping)) {
        const struct timespec pause = {.tv_nsec = PUSH_BACK_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
    if (atomic_load(&engine->stopping)) return;
    if (inbox_begin(engine->inbox, record->topic, record->partition, record->offset,
                    record->at_ms)) {
        (void)give_record(engine, record, true);
    } else {
        pass_over(engine, record);
    }
}

static void on_assigned(void *context, const char *topic, int32_t partition)
{
    struct engine *engine = context;
    struct arena arena = {0};
    struct processed_row *rows = NULL;
    size_t count = 0;
    struct err err;
    if (atomic_load(&engine->stopping)) return; /* nothing is taken in any more */
    if (!store_processed(engine->inbox_store, bytes_of(topic), partition, &arena, &rows, &count,
                         &err)) {
        /* Only a shortcut is lost: the state machine knows duplicates. */
        log_event(LOG_WARNING, "processed_unknown", "topic=%s partition=%d reason=\"%s\"", topic,
                  partition, err.text);
        count = 0;
    }
    inbox_assign(engine->inbox, bytes_of(topic), partition, rows, count);
    arena_done(&arena);
    log_event(LOG_INFO, "partition_assigned", "topic=%s partition=%d", topic, partition);
}

static void on_revoked(void *context, const char *topic, int32_t partition)
{
    struct engine *engine = context;
    inbox_revoke(engine->inbox, bytes_of(topic), partition);
    log_event(LOG_INFO, "partition_revoked", "topic=%s partition=%d", topic, partition);
}

static void on_undelivered(void *context, const struct uuid *saga_id)
{
    struct engine *engine = context;
    outbox_add(engine->outbox, saga_id);
}

static void on_broker(void *context, bool up)
{
    struct engine *engine = context;
    if (atomic_exchange(&engine->broker_up, up) != up) {
        atomic_store(&engine->broker_lost, !up);
        if (up) outbox_hurry(engine->outbox);
        log_event(up ? LOG_INFO : LOG_WARNING, up ? "broker_up" : "broker_down", "undispatched=%zu",
                  outbox_count(engine->outbox));
    }
}

void engine_bus_callbacks(struct engine *engine, struct bus_callbacks *ret_callbacks)
{
    *ret_callbacks = (struct bus_callbacks){
        .context = engine,
        .on_reply = on_reply,
        .on_assigned = on_assigned,
        .on_revoked = on_revoked,
        .on_undelivered = on_undelivered,
        .on_broker = on_broker,
    };
}

void engine_release(struct engine *engine)
{
    atomic_store(&engine->release_wanted, true);
}

bool engine_replay_record(struct engine *engine, const struct bus_record *record)
{
    if (!atomic_load(&engine->started) || atomic_load(&engine->stopping)) return false;
    if (atomic_load(&engine->queued) > engine->options.queue_max) return false;
    return give_record(engine, record, false);
}

/* ---- running ---- */

bool engine_start(struct engine *engine, struct bus *bus, const struct token_keys *keys,
                  struct err *err)
{
    engine->bus = bus;
    engine->keys = *keys;
    atomic_store(&engine->started, true);
    for (uint32_t i = 0; i < engine->options.workers; i++) {
        struct worker *worker = &engine->workers[i];
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
            return err_set(err, ERR_UNAVAILABLE, "cannot start a worker thread");
        }
        atomic_store(&worker->running, true);
    }
    if (pthread_create(&engine->house_thread, NULL, house_main, engine) != 0) {
        return err_set(err, ERR_UNAVAILABLE, "cannot start the housekeeping thread");
    }
    engine->house_running = true;
    bus_start(bus);
    return true;
}

static void ask_house_to_stop(struct engine *engine)
{
    pthread_mutex_lock(&engine->house_lock);
    engine->house_stop = true;
    pthread_cond_signal(&engine->house_wake);
    pthread_mutex_unlock(&engine->house_lock);
}

static void ask_worker_to_stop(struct worker *worker, int64_t stop_by_ms)
{
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    worker->stop_by_ms = stop_by_ms;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

static bool is_database_up(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->options.workers; i++) {
        if (!atomic_load(&engine->workers[i].database_up)) return false;
    }
    return true;
}

static void drain(struct engine *engine, int64_t until_ms)
{
    while (atomic_load(&engine->queued) > 0 && is_database_up(engine) &&
           clock_monotonic_ms() < until_ms) {
        const struct timespec pause = {.tv_nsec = 5 * 1000000L};
        nanosleep(&pause, NULL);
    }
}

void engine_stop(struct engine *engine, uint32_t grace_ms)
{
    const int64_t until_ms = clock_monotonic_ms() + grace_ms;
    atomic_store(&engine->stopping, true);
    ask_house_to_stop(engine);
    if (atomic_load(&engine->started)) drain(engine, until_ms);
    for (uint32_t i = 0; i < engine->opened; i++) {
        ask_worker_to_stop(&engine->workers[i], until_ms);
    }
    for (uint32_t i = 0; i < engine->opened; i++) {
        struct worker *worker = &engine->workers[i];
        if (atomic_exchange(&worker->running, false)) pthread_join(worker->thread, NULL);
        worker_shut(worker);
    }
    if (!engine->house_running) return;
    pthread_join(engine->house_thread, NULL);
    engine->house_running = false;
}

/* ---- requests ---- */

static struct uuid new_id(void)
{
    uint8_t noise[10];
    randombytes_buf(noise, sizeof noise);
    return uuid_v7(clock_wall_ms(), noise);
}

static struct uuid id_of(const struct request *request)
{
    switch (request->kind) {
    case REQUEST_START: return request->start.has_id ? request->start.id : new_id();
    case REQUEST_COMMAND: return request->command.saga_id;
    case REQUEST_REPLY: return request->reply.token.saga_id;
    }
    abort();
}

/* Where a start may not be taken in; everything else always may, it helps to get rid of work. */
static bool is_full(struct engine *engine, const struct request *request)
{
    if (atomic_load(&engine->queued) > engine->options.queue_max) return true;
    return request->kind == REQUEST_START &&
           outbox_count(engine->outbox) >= engine->options.undispatched_max;
}

void engine_submit(struct engine *engine, struct request *request)
{
    struct answer refusal = {.result = RESULT_UNAVAILABLE};
    const bool full = is_full(engine, request);
    if (full) refusal.result = RESULT_FULL;
    if (full || atomic_load(&engine->stopping)) {
        request->done(request, &refusal);
        return;
    }
    const struct uuid saga_id = id_of(request);
    struct work *work = work_new(WORK_REQUEST, &saga_id);
    work->request = request;
    (void)worker_give(worker_of(engine, &saga_id), work);
}

void engine_submit_many(struct engine *engine, struct request **requests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        engine_submit(engine, requests[i]);
    }
}

void engine_health(struct engine *engine, struct engine_health *ret_health)
{
    *ret_health = (struct engine_health){
        .database_up = is_database_up(engine),
        .broker_up = atomic_load(&engine->broker_up),
        .undispatched = outbox_count(engine->outbox),
        .stopping = atomic_load(&engine->stopping),
    };
    ret_health->full = ret_health->undispatched >= engine->options.undispatched_max;
    const int64_t now_ms = clock_monotonic_ms();
    for (uint32_t i = 0; i < engine->options.workers; i++) {
        struct worker *worker = &engine->workers[i];
        if (atomic_load(&worker->running) &&
            now_ms - atomic_load(&worker->progress_ms) > STALLED_AFTER_MS) {
            ret_health->stalled = true;
        }
    }
}
