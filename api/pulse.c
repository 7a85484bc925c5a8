#include "api/pulse.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EVERY_MS = 1000, FRESH_MS = 3500, STATEMENT_MS = 2000 };

struct pulse {
    char *database_url, *namespace_name;
    pthread_t thread;
    pthread_mutex_t lock; /* guards ends */
    pthread_cond_t wake;
    bool ends;
    _Atomic int64_t answered_ms; /* monotonic; 0: never */
};

static bool ask(const struct pulse *pulse, struct store **store)
{
    struct err err;
    const struct store_options options = {
        .url = pulse->database_url,
        .namespace_name = pulse->namespace_name,
        .role = "pulse",
        .statement_timeout_ms = STATEMENT_MS,
    };
    if (*store == NULL && !store_open(&options, store, &err)) return false;
    return store_ping(*store, &err);
}

static bool sleep_until_next(struct pulse *pulse)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += EVERY_MS / 1000;
    (void)pthread_mutex_lock(&pulse->lock);
    if (!pulse->ends) (void)pthread_cond_timedwait(&pulse->wake, &pulse->lock, &until);
    const bool goes_on = !pulse->ends;
    (void)pthread_mutex_unlock(&pulse->lock);
    return goes_on;
}

static void *beat(void *context)
{
    struct pulse *const pulse = context;
    struct store *store = NULL;
    do {
        if (ask(pulse, &store)) atomic_store(&pulse->answered_ms, clock_monotonic_ms());
    } while (sleep_until_next(pulse));
    store_close(store);
    return NULL;
}

struct pulse *pulse_start(const char *database_url, const char *namespace_name)
{
    struct pulse *const pulse = calloc(1, sizeof(*pulse));
    pthread_condattr_t monotonic;
    if (pulse == NULL) abort();
    pulse->database_url = strdup(database_url);
    pulse->namespace_name = strdup(namespace_name);
    if (pulse->database_url == NULL || pulse->namespace_name == NULL) abort();
    (void)pthread_mutex_init(&pulse->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&pulse->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (pthread_create(&pulse->thread, NULL, beat, pulse) != 0) abort();
    return pulse;
}

void pulse_stop(struct pulse *pulse)
{
    if (pulse == NULL) return;
    (void)pthread_mutex_lock(&pulse->lock);
    pulse->ends = true;
    (void)pthread_cond_signal(&pulse->wake);
    (void)pthread_mutex_unlock(&pulse->lock);
    (void)pthread_join(pulse->thread, NULL);
    (void)pthread_cond_destroy(&pulse->wake);
    (void)pthread_mutex_destroy(&pulse->lock);
    free(pulse->database_url);
    free(pulse->namespace_name);
    free(pulse);
}

bool pulse_is_up(struct pulse *pulse)
{
    const int64_t answered_ms = atomic_load(&pulse->answered_ms);
    return answered_ms != 0 && clock_monotonic_ms() - answered_ms < FRESH_MS;
}
