#include "api/waiters.h"

#include "api/stream.h"
#include "orchestrator/base/clock.h"
#include "orchestrator/store/store.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS = 1024,
    LOOK_EVERY_MS = 1000,
    LOOK_AT_MAX = 256, /* sagas in one look */
};

struct waiters {
    struct readers *readers;
    route_handler *handle;
    atomic_uint count;
    atomic_bool ends;
    pthread_mutex_t lock; /* guards the buckets and each entry's flags */
    struct exchange *bucket[BUCKETS];
    int64_t looked_ms;
    size_t next_bucket; /* where the next look begins */
    atomic_bool looks;  /* a look is under way */
};

/* Random in UUIDs of every version: the last bytes. */
static size_t bucket_of(const struct uuid *id)
{
    return (size_t)(id->byte[15] | (id->byte[14] << 8)) % BUCKETS;
}

struct waiters *waiters_new(struct readers *readers, route_handler *handle)
{
    struct waiters *const waiters = calloc(1, sizeof(*waiters));
    if (waiters == NULL) abort();
    waiters->readers = readers;
    waiters->handle = handle;
    (void)pthread_mutex_init(&waiters->lock, NULL);
    return waiters;
}

void waiters_free(struct waiters *waiters)
{
    if (waiters == NULL) return;
    assert(atomic_load(&waiters->count) == 0);
    (void)pthread_mutex_destroy(&waiters->lock);
    free(waiters);
}

static bool is_end(enum saga_state state)
{
    return saga_is_finished(state) || state == SAGA_STUCK;
}

bool waiters_is_met(const struct wait_entry *entry, uint32_t revision, enum saga_state state)
{
    return entry->what == WAIT_END ? is_end(state) : revision != entry->seen_revision;
}

/* The three below: with the lock held. */

static void link_entry(struct waiters *waiters, struct exchange *exchange)
{
    struct exchange **const bucket = &waiters->bucket[bucket_of(&exchange->wait.saga_id)];
    exchange->wait.previous = NULL;
    exchange->wait.next = *bucket;
    if (*bucket != NULL) (*bucket)->wait.previous = exchange;
    *bucket = exchange;
    atomic_fetch_add(&waiters->count, 1);
}

static void unlink_entry(struct waiters *waiters, struct exchange *exchange)
{
    struct wait_entry *const wait = &exchange->wait;
    if (wait->previous != NULL) {
        wait->previous->wait.next = wait->next;
    } else {
        waiters->bucket[bucket_of(&wait->saga_id)] = wait->next;
    }
    if (wait->next != NULL) wait->next->wait.previous = wait->previous;
    atomic_fetch_sub(&waiters->count, 1);
}

/* A parked one goes to the readers; one that is being read will notice. */
static void fire(struct waiters *waiters, struct exchange *exchange)
{
    exchange->wait.fired = true;
    if (!exchange->wait.parked) return;
    unlink_entry(waiters, exchange);
    if (exchange->response.stream != NULL) {
        stream_put(exchange);
    } else {
        readers_put_waiting(waiters->readers, exchange, waiters->handle);
    }
}

void waiters_add(struct waiters *waiters, struct exchange *exchange)
{
    struct wait_entry *const wait = &exchange->wait;
    const int64_t left_ms = wait->until_ms - clock_monotonic_ms();
    exchange_extend(exchange, left_ms > 0 ? (uint32_t)left_ms : 0);
    (void)pthread_mutex_lock(&waiters->lock);
    wait->parked = false;
    wait->fired = false;
    link_entry(waiters, exchange);
    (void)pthread_mutex_unlock(&waiters->lock);
}

bool waiters_park(struct waiters *waiters, struct exchange *exchange, uint32_t seen_revision)
{
    (void)pthread_mutex_lock(&waiters->lock);
    struct wait_entry *const wait = &exchange->wait;
    const bool parks = !wait->fired && !atomic_load(&waiters->ends);
    wait->seen_revision = seen_revision;
    wait->parked = parks;
    wait->expired = wait->expired || atomic_load(&waiters->ends);
    if (!parks) unlink_entry(waiters, exchange);
    (void)pthread_mutex_unlock(&waiters->lock);
    return parks;
}

void waiters_remove(struct waiters *waiters, struct exchange *exchange)
{
    (void)pthread_mutex_lock(&waiters->lock);
    unlink_entry(waiters, exchange);
    (void)pthread_mutex_unlock(&waiters->lock);
}

void waiters_changed(void *context, const struct uuid *id, uint32_t revision, enum saga_state state)
{
    struct waiters *const waiters = context;
    if (atomic_load(&waiters->count) == 0) return;
    (void)pthread_mutex_lock(&waiters->lock);
    struct exchange *next = NULL;
    for (struct exchange *at = waiters->bucket[bucket_of(id)]; at != NULL; at = next) {
        next = at->wait.next;
        if (!uuid_equal(&at->wait.saga_id, id)) continue;
        /* One that is not parked has not seen a revision yet. */
        if (!at->wait.parked || waiters_is_met(&at->wait, revision, state)) fire(waiters, at);
    }
    (void)pthread_mutex_unlock(&waiters->lock);
}

static void expire_bucket(struct waiters *waiters, size_t index, int64_t now_ms)
{
    struct exchange *next = NULL;
    for (struct exchange *at = waiters->bucket[index]; at != NULL; at = next) {
        next = at->wait.next;
        if (at->wait.until_ms > now_ms) continue;
        at->wait.expired = true;
        fire(waiters, at);
    }
}

/* ---- what other nodes did ---- */

struct look {
    struct waiters *waiters;
    struct uuid ids[LOOK_AT_MAX];
    size_t count;
};

static void look(void *context, struct store *store)
{
    struct look *const seen = context;
    struct arena arena = {0};
    struct err err;
    struct saga_row *const rows = arena_array(&arena, seen->count, sizeof(*rows));
    /* The database may be away; the next look comes in a second. */
    const bool is_read =
        store != NULL && store_load(store, seen->ids, seen->count, &arena, rows, &err);
    for (size_t i = 0; i < seen->count && is_read; i++) {
        if (!rows[i].found) continue;
        waiters_changed(seen->waiters, &rows[i].id, rows[i].revision, rows[i].state);
    }
    arena_done(&arena);
    atomic_store(&seen->waiters->looks, false);
    free(seen);
}

/* With the lock held: parked sagas from next_bucket on, as many as fit. */
static void choose(struct waiters *waiters, struct look *seen)
{
    for (size_t i = 0; i < BUCKETS && seen->count < LOOK_AT_MAX; i++) {
        const size_t index = waiters->next_bucket;
        const struct exchange *at = waiters->bucket[index];
        for (; at != NULL && seen->count < LOOK_AT_MAX; at = at->wait.next) {
            if (!at->wait.parked || at->wait.what == WAIT_PLACE) continue;
            seen->ids[seen->count++] = at->wait.saga_id;
        }
        if (at == NULL) waiters->next_bucket = (index + 1) % BUCKETS;
    }
}

static void begin_look(struct waiters *waiters)
{
    struct look *const seen = calloc(1, sizeof(*seen));
    if (seen == NULL) abort();
    seen->waiters = waiters;
    (void)pthread_mutex_lock(&waiters->lock);
    choose(waiters, seen);
    (void)pthread_mutex_unlock(&waiters->lock);
    atomic_store(&waiters->looks, true);
    if (seen->count > 0 && readers_run(waiters->readers, look, seen)) return;
    atomic_store(&waiters->looks, false);
    free(seen);
}

void waiters_tick(struct waiters *waiters, int64_t now_ms)
{
    if (atomic_load(&waiters->count) == 0) return;
    (void)pthread_mutex_lock(&waiters->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        expire_bucket(waiters, i, now_ms);
    }
    (void)pthread_mutex_unlock(&waiters->lock);
    if (now_ms - waiters->looked_ms < LOOK_EVERY_MS || atomic_load(&waiters->looks)) return;
    waiters->looked_ms = now_ms;
    begin_look(waiters);
}

void waiters_expire_all(struct waiters *waiters)
{
    atomic_store(&waiters->ends, true);
    (void)pthread_mutex_lock(&waiters->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        expire_bucket(waiters, i, INT64_MAX);
    }
    (void)pthread_mutex_unlock(&waiters->lock);
}
