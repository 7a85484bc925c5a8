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

#include <assert.h>
#include <stdlib.h>
#include <time.h>

enum { WAIT_MAX_MS = 1000 };

void work_push(struct work_list *list, struct work *work)
{
    work->next = NULL;
    if (list->last != NULL) {
        list->last->next = work;
    } else {
        list->first = work;
    }
    list->last = work;
    list->count++;
}

void work_append(struct work_list *list, struct work_list *back)
{
    work_prepend(back, list);
    *list = *back;
    *back = (struct work_list){0};
}

void work_prepend(struct work_list *list, struct work_list *front)
{
    if (front->count == 0) return;
    front->last->next = list->first;
    if (list->last == NULL) list->last = front->last;
    list->first = front->first;
    list->count += front->count;
    *front = (struct work_list){0};
}

struct work *work_new(enum work_kind kind, const struct uuid *saga_id)
{
    struct work *work = calloc(1, sizeof *work);
    if (work == NULL) abort();
    work->kind = kind;
    work->saga_id = *saga_id;
    work->lag_ms = -1;
    return work;
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

void request_answer(struct request *request, const struct answer *answer)
{
    struct cap *cap = request->cap;
    request->cap = NULL;
    if (cap != NULL) caps_leave(cap);
    request->done(request, answer);
}

void work_free(struct work *work)
{
    if (work == NULL) return;
    if (work->inbound != NULL) {
        parcel_leave(work->inbound->parcel); /* the work lies in it */
    } else {
        free(work);
    }
}

void work_refuse(struct work *work)
{
    if (work->kind == WORK_REQUEST && work->request != NULL) {
        const struct answer unavailable = {.result = RESULT_UNAVAILABLE};
        request_answer(work->request, &unavailable);
    }
    work_free(work);
}

struct worker *worker_of(struct engine *engine, const struct uuid *id)
{
    return &engine->workers[(id_hash(id) >> 20) % engine->options.workers];
}

static bool is_start(const struct work *work)
{
    return work->kind == WORK_REQUEST && work->request->kind == REQUEST_START;
}

static size_t queued(const struct worker *worker)
{
    return worker->urgent.count + worker->starts.count;
}

bool worker_give(struct worker *worker, struct work *work)
{
    pthread_mutex_lock(&worker->lock);
    const bool taken = !worker->closed;
    if (taken) {
        atomic_fetch_add(&worker->engine->queued, 1);
        work_push(is_start(work) ? &worker->starts : &worker->urgent, work);
        pthread_cond_signal(&worker->wake);
    }
    pthread_mutex_unlock(&worker->lock);
    if (!taken) work_refuse(work);
    return taken;
}

static void refuse_all(struct work_list *list)
{
    struct work *work = NULL;
    while ((work = work_pop(list)) != NULL) {
        work_refuse(work);
    }
}

void worker_give_list(struct worker *worker, struct work_list *list)
{
    if (list->count == 0) return;
    pthread_mutex_lock(&worker->lock);
    if (!worker->closed) {
        atomic_fetch_add(&worker->engine->queued, list->count);
        work_append(&worker->urgent, list);
        pthread_cond_signal(&worker->wake);
    }
    pthread_mutex_unlock(&worker->lock);
    refuse_all(list);
}

void worker_shut(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->closed = true;
    struct work_list left = worker->urgent;
    worker->urgent = (struct work_list){0};
    work_prepend(&left, &worker->starts);
    pthread_mutex_unlock(&worker->lock);
    atomic_fetch_sub(&worker->engine->queued, left.count);
    refuse_all(&left);
}

bool worker_is_stopping(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    const bool stopping = worker->stopping;
    pthread_mutex_unlock(&worker->lock);
    return stopping;
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
        struct work *work = work_new(WORK_TIMER, &id);
        work->due_at_ms = due_at_ms;
        works[count++] = work;
    }
    return count;
}

static size_t take_list(struct work_list *list, struct work **works, size_t room)
{
    size_t count = 0;
    while (count < room && list->count > 0) {
        works[count++] = work_pop(list);
    }
    return count;
}

/* Waits for work, a due timer, the end, or the time to look after a database that was away. */
static void wait_for_work(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    while (queued(worker) == 0 && !worker->stopping) {
        const int64_t next = timers_next(worker->timers);
        const int64_t wait_ms = next == 0 ? WAIT_MAX_MS : next - clock_wall_ms();
        if (wait_ms <= 0) break;
        worker_wait(worker, wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS);
        atomic_store(&worker->progress_ms, clock_monotonic_ms());
        if (!atomic_load(&worker->database_up)) break;
    }
    pthread_mutex_unlock(&worker->lock);
}

/* Without work nothing else would find out that the database is back. */
static void look_after_database(struct worker *worker)
{
    struct err err;
    if (atomic_load(&worker->database_up) || !store_ping(worker->store, &err)) return;
    worker->pause_ms = 0;
    atomic_store(&worker->database_up, true);
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

/* What is queued is carried out first, but for a database that is away or a time that is over. */
static bool is_done(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    const bool empty = worker->urgent.count == 0 && worker->starts.count == 0;
    const bool done = worker->stopping &&
                      (empty || worker->pause_ms > 0 || clock_monotonic_ms() >= worker->stop_by_ms);
    pthread_mutex_unlock(&worker->lock);
    return done;
}

void *worker_main(void *context)
{
    struct worker *worker = context;
    struct work **works = calloc(BATCH_EVENTS_MAX, sizeof(struct work *));
    if (works == NULL) abort();
    while (!is_done(worker)) {
        wait_for_work(worker);
        atomic_store(&worker->progress_ms, clock_monotonic_ms());
        const size_t count = take_batch(worker, works);
        if (count > 0) {
            batch_carry_out(worker, works, count);
        } else {
            look_after_database(worker);
        }
        atomic_store(&worker->timer_count, timers_count(worker->timers));
    }
    free(works);
    return NULL;
}
