#include "orchestrator/engine/engine.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"
#include "orchestrator/engine/flow.h"
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
    STATEMENT_TIMEOUT_MS = 2000,       /* callers hear within 5 s that the database hangs */
    HOUSE_STATEMENT_TIMEOUT_MS = 8000, /* a stop may have to wait for it */
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
    engine->topics = topics_new(options->window_max);
    engine->waiting = waiting_new();
    engine->caps = caps_new(options->open_max, options->open_max_per_definition);
    pthread_mutex_init(&engine->pauses_lock, NULL);
    engine->home = home_new();
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
    home_free(engine->home);
    waiting_free(engine->waiting);
    caps_free(engine->caps);
    pthread_mutex_destroy(&engine->pauses_lock);
    pthread_cond_destroy(&engine->house_wake);
    pthread_mutex_destroy(&engine->house_lock);
    free(engine);
}

void engine_on_changed(struct engine *engine, engine_changed *changed, void *context)
{
    engine->changed = changed;
    engine->changed_context = context;
}

bool engine_keeps_events(const struct engine *engine)
{
    return engine->options.events != EVENTS_OFF;
}

void engine_release(struct engine *engine)
{
    atomic_store(&engine->release_wanted, true);
}

/* ---- running ---- */

bool engine_start(struct engine *engine, struct bus *bus, const struct token_keys *keys,
                  struct err *err)
{
    engine->bus = bus;
    engine->keys = *keys;
    /* Before anything is sent. */
    if (!flow_read_pauses(engine, engine->house_store, err)) return false;
    if (engine->caps != NULL && !house_count_open(engine, err)) return false;
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
    pthread_cond_broadcast(&engine->house_wake);
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

static struct uuid id_of(struct engine *engine, const struct request *request)
{
    switch (request->kind) {
    case REQUEST_START:
        return request->start.has_id ? request->start.id : home_draw(engine->home, clock_wall_ms());
    case REQUEST_COMMAND: return request->command.saga_id;
    case REQUEST_REPLY: return request->reply.token.saga_id;
    }
    abort();
}

static size_t undispatched(struct engine *engine)
{
    return outbox_count(engine->outbox) + flow_waiting(engine);
}

/* Where a start may not be taken in; everything else always may, it helps to get rid of work. */
static bool is_full(struct engine *engine, const struct request *request)
{
    if (atomic_load(&engine->queued) > engine->options.queue_max) return true;
    return request->kind == REQUEST_START &&
           undispatched(engine) >= engine->options.undispatched_max;
}

void engine_submit(struct engine *engine, struct request *request)
{
    struct answer refusal = {.result = RESULT_UNAVAILABLE};
    bool full = is_full(engine, request);
    request->cap = NULL;
    if (!full && engine->caps != NULL && request->kind == REQUEST_START) {
        request->cap = caps_enter(engine->caps, request->start.definition->name, &refusal.why);
        full = request->cap == NULL;
    }
    if (full) refusal.result = RESULT_FULL;
    if (full || atomic_load(&engine->stopping)) {
        request_answer(request, &refusal);
        return;
    }
    const struct uuid saga_id = id_of(engine, request);
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
        .undispatched = undispatched(engine),
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
