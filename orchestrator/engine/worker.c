/*
 * orchestrator/engine/worker.c
 *   A worker's life: take what accumulated, carry it out, again.
 *
 * There is no fixed wait: an idle worker takes a batch of one at once, a busy one finds a large
 * batch when it comes back from its commit.
 */
#include "orchestrator/engine/internal.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/engine/id_hash.h"
#include "orchestrator/telemetry/metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

enum { WAIT_MAX_MS = 1000 };

void work_push(struct work_list *list, struct work *work)
{
    work->next = NULL;
    if (list->last != NULL)
        list->last->next = work;
    else
        list->first = work;
    list->last = work;
    list->count++;
}

void work_push_front(struct work_list *list, struct work *work)
{
    work->next = list->first;
    list->first = work;
    if (list->last == NULL) list->last = work;
    list->count++;
}

struct work *work_pop(struct work_list *list)
{
    struct work *work = list->first;
    if (work == NULL) return NULL;
    list->first = work->next;
    if (list->first == NULL) list->last = NULL;
    list->count--;
    work->next = NULL;
    return work;
}

void work_free(struct work *work)
{
    if (work == NULL) return;
    if (work->inbound != NULL) {
        struct arena arena = work->inbound->arena; /* the inbound lives in it */
        arena_done(&arena);
    }
    free(work);
}

struct worker *worker_of(struct engine *engine, const struct uuid *id)
{
    return &engine->workers[(id_hash(id) >> 20) % engine->options.workers];
}

static bool is_start(const struct work *work)
{
    return work->kind == WORK_REQUEST && work->request->kind == REQUEST_START;
}

void worker_give(struct worker *worker, struct work *work)
{
    atomic_fetch_add(&worker->engine->queued, 1); /* first: the count must never go below zero */
    pthread_mutex_lock(&worker->lock);
    work_push(is_start(work) ? &worker->starts : &worker->urgent, work);
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

void worker_wait(struct worker *worker, int64_t ms)
{
    if (ms <= 0) return;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&worker->wake, &worker->lock, &until);
}

static size_t take_timers(struct worker *worker, struct work **works, size_t room)
{
    const int64_t now_ms = clock_wall_ms();
    size_t count = 0;
    struct uuid id;
    int64_t due_at_ms = 0;
    while (count < room && timers_pop(worker->timers, now_ms, &id, &due_at_ms)) {
        struct work *work = calloc(1, sizeof *work);
        if (work == NULL) abort();
        work->kind = WORK_TIMER;
        work->saga_id = id;
        work->due_at_ms = due_at_ms;
        works[count++] = work;
    }
    return count;
}

static size_t take_list(struct work_list *list, struct work **works, size_t room)
{
    size_t count = 0;
    while (count < room && list->count > 0)
        works[count++] = work_pop(list);
    return count;
}

/* Waits for work, a due timer or the end. */
static void wait_for_work(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    while (worker->urgent.count == 0 && worker->starts.count == 0 && !worker->stopping) {
        const int64_t next = timers_next(worker->timers);
        const int64_t wait_ms = next == 0 ? WAIT_MAX_MS : next - clock_wall_ms();
        if (wait_ms <= 0) break;
        worker_wait(worker, wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS);
        atomic_store(&worker->progress_ms, clock_monotonic_ms());
    }
    pthread_mutex_unlock(&worker->lock);
}

static size_t take_batch(struct worker *worker, struct work **works)
{
    size_t count = take_timers(worker, works, BATCH_EVENTS_MAX / 2);
    pthread_mutex_lock(&worker->lock);
    const size_t queued_before = worker->urgent.count + worker->starts.count;
    count += take_list(&worker->urgent, works + count, BATCH_EVENTS_MAX - count);
    const size_t room = BATCH_EVENTS_MAX - count;
    count += take_list(&worker->starts, works + count,
                       room < BATCH_STARTS_MAX ? room : BATCH_STARTS_MAX);
    const size_t queued_after = worker->urgent.count + worker->starts.count;
    pthread_mutex_unlock(&worker->lock);
    atomic_fetch_sub(&worker->engine->queued, queued_before - queued_after);
    return count;
}

static bool is_done(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    const bool done = worker->stopping && worker->urgent.count == 0 && worker->starts.count == 0;
    pthread_mutex_unlock(&worker->lock);
    return done;
}

void *worker_main(void *context)
{
    struct worker *worker = context;
    struct work **works = calloc(BATCH_EVENTS_MAX, sizeof *works);
    if (works == NULL) abort();
    while (!is_done(worker)) {
        wait_for_work(worker);
        atomic_store(&worker->progress_ms, clock_monotonic_ms());
        const size_t count = take_batch(worker, works);
        if (count > 0) batch_carry_out(worker, works, count);
        atomic_store(&worker->timer_count, timers_count(worker->timers));
    }
    free(works);
    return NULL;
}
