#include "api/api.h"

#include "api/exchange_pool.h"
#include "api/handlers.h"
#include "api/http.h"
#include "api/pulse.h"
#include "api/readers.h"
#include "api/server.h"
#include "api/waiters.h"
#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
    TICK_MS = 100,
    KEYS_EVERY_MS = 1000,
    CONNECTIONS_MAX = 10000,
    ADMIN_CONNECTIONS_MAX = 256,
    OTHER_FILES = 128, /* that the process needs besides connections */
    LATE_JOBS_MS = 6000,
};

/* ---- the clock: one thread for all that is about time ---- */

static bool sleep_a_tick(struct api *api)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    (void)pthread_mutex_lock(&api->lock);
    if (!api->clock_ends) (void)pthread_cond_timedwait(&api->wake, &api->lock, &until);
    const bool goes_on = !api->clock_ends;
    (void)pthread_mutex_unlock(&api->lock);
    return goes_on;
}

static void *tick_for_ever(void *context)
{
    struct api *const api = context;
    int64_t keys_read_ms = clock_monotonic_ms();
    while (sleep_a_tick(api)) {
        const int64_t now_ms = clock_monotonic_ms();
        http_tick(api->http, now_ms);
        http_tick(api->admin, now_ms);
        waiters_tick(api->waiters, now_ms);
        admission_tick(&api->admission, now_ms);
        if (api->keys == NULL || now_ms - keys_read_ms < KEYS_EVERY_MS) continue;
        keys_refresh(api->keys);
        keys_read_ms = now_ms;
    }
    return NULL;
}

static void start_clock(struct api *api)
{
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&api->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (pthread_create(&api->clock, NULL, tick_for_ever, api) != 0) abort();
    api->has_clock = true;
}

static void stop_clock(struct api *api)
{
    if (!api->has_clock) return;
    (void)pthread_mutex_lock(&api->lock);
    api->clock_ends = true;
    (void)pthread_cond_signal(&api->wake);
    (void)pthread_mutex_unlock(&api->lock);
    (void)pthread_join(api->clock, NULL);
    (void)pthread_cond_destroy(&api->wake);
    api->has_clock = false;
}

void server_next_request_id(struct api *api, char ret_id[REQUEST_ID_TEXT_SIZE])
{
    const uint64_t number = atomic_fetch_add(&api->next_request, 1);
    (void)snprintf(ret_id, REQUEST_ID_TEXT_SIZE, "%08" PRIx32 "-%08" PRIx64, api->request_prefix,
                   number);
}

/* ---- starting ---- */

/* As many as there may be open files; the soft limit of many systems is far below what is allowed.
 */
static uint32_t connections_max(void)
{
    struct rlimit files;
    const rlim_t enough = CONNECTIONS_MAX + ADMIN_CONNECTIONS_MAX + OTHER_FILES;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return CONNECTIONS_MAX;
    if (files.rlim_cur < enough && files.rlim_cur < files.rlim_max) {
        const struct rlimit raised = {files.rlim_max < enough ? files.rlim_max : enough,
                                      files.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) files = raised;
    }
    if (files.rlim_cur == RLIM_INFINITY) return CONNECTIONS_MAX;
    const rlim_t wanted = files.rlim_cur > 2 * OTHER_FILES + ADMIN_CONNECTIONS_MAX
                              ? files.rlim_cur - OTHER_FILES - ADMIN_CONNECTIONS_MAX
                              : files.rlim_cur / 4;
    return wanted < CONNECTIONS_MAX ? (uint32_t)wanted : CONNECTIONS_MAX;
}

static const char *keep(struct api *api, const char *text)
{
    return arena_copy(&api->arena, text, strlen(text));
}

static struct api *api_new(const struct api_options *options)
{
    struct api *const api = calloc(1, sizeof(*api));
    if (api == NULL) abort();
    api->namespace_name = keep(api, options->namespace_name);
    api->version = keep(api, options->version);
    api->commit = keep(api, options->commit);
    api->engine = options->engine;
    api->registry = options->registry;
    api->bus = options->bus;
    api->token_keys = options->token_keys;
    api->request_prefix = randombytes_random();
    api->pool = exchange_pool_new();
    admission_init(&api->admission, clock_monotonic_ms());
    (void)pthread_mutex_init(&api->lock, NULL);
    return api;
}

static bool open_listeners(struct api *api, const struct api_options *options, struct err *err)
{
    const struct http_options http = {
        .api = api,
        .listen = options->listen,
        .side = SIDE_API,
        .threads = options->threads > 0 ? options->threads : 1,
        .connections_max = connections_max(),
        .loopback_only = options->insecure,
    };
    const struct http_options admin = {
        .api = api,
        .listen = options->admin_listen,
        .side = SIDE_ADMIN,
        .threads = 1,
        .connections_max = ADMIN_CONNECTIONS_MAX,
    };
    return http_open(&http, &api->http, err) && http_open(&admin, &api->admin, err);
}

static bool open_keys(struct api *api, const struct api_options *options, struct err *err)
{
    if (options->insecure) return true;
    if (options->keys_file != NULL) return keys_open(options->keys_file, &api->keys, err);
    return err_set(err, ERR_INVALID,
                   "no API keys: make one by `sagad keys add` and give --keys-file, or say "
                   "--insecure on a loopback address");
}

bool api_start(const struct api_options *options, struct api **ret_api, struct err *err)
{
    if (sodium_init() < 0) return err_set(err, ERR_INTERNAL, "libsodium does not start");
    struct api *const api = api_new(options);
    api->readers = readers_start(options->database_url, options->namespace_name, "reader",
                                 options->readers > 0 ? options->readers : 1);
    api->streamers = readers_start(options->database_url, options->namespace_name, "stream", 1);
    api->pulse = pulse_start(options->database_url, options->namespace_name);
    api->waiters = waiters_new(api->readers, saga_waited);
    engine_on_changed(api->engine, waiters_changed, api->waiters);
    if (!open_keys(api, options, err) || !open_listeners(api, options, err)) {
        api_close(api);
        return false;
    }
    start_clock(api);
    *ret_api = api;
    return true;
}

const char *api_address(const struct api *api)
{
    return http_address(api->http);
}

const char *api_admin_address(const struct api *api)
{
    return http_address(api->admin);
}

/* ---- stopping ---- */

static void nap(void)
{
    const struct timespec pause = {.tv_nsec = 5 * 1000000L};
    (void)nanosleep(&pause, NULL);
}

static bool wait_until_quiet(struct api *api, uint32_t ms)
{
    const int64_t until_ms = clock_monotonic_ms() + ms;
    while (http_busy(api->http) > 0 && clock_monotonic_ms() < until_ms) {
        nap();
    }
    return http_busy(api->http) == 0;
}

void api_stop(struct api *api, uint32_t grace_ms)
{
    if (atomic_exchange(&api->stopping, true)) return;
    http_quiesce(api->http);
    waiters_expire_all(api->waiters);
    if (!wait_until_quiet(api, grace_ms)) {
        log_event(LOG_WARNING, "requests_cut", "open=%u", http_busy(api->http));
    }
}

/* Answered or not, every exchange must come back before its memory goes. */
static void end_http(struct api *api)
{
    if (api->http == NULL) return;
    http_expire_all(api->http);
    (void)wait_until_quiet(api, LATE_JOBS_MS);
    http_close(api->http);
}

void api_close(struct api *api)
{
    if (api == NULL) return;
    engine_on_changed(api->engine, NULL, NULL);
    if (api->http != NULL) api_stop(api, 0);
    stop_clock(api);
    end_http(api);
    http_close(api->admin);
    pulse_stop(api->pulse);
    readers_stop(api->streamers);
    readers_stop(api->readers);
    const int64_t until_ms = clock_monotonic_ms() + LATE_JOBS_MS;
    while (exchange_pool_out(api->pool) > 0 && clock_monotonic_ms() < until_ms) {
        nap();
    }
    if (exchange_pool_out(api->pool) > 0) {
        /* The engine still holds some: it will write to them, so that they must stay. */
        log_event(LOG_ERROR, "requests_lost", "open=%u", exchange_pool_out(api->pool));
        return;
    }
    waiters_free(api->waiters);
    exchange_pool_free(api->pool);
    keys_close(api->keys);
    (void)pthread_mutex_destroy(&api->lock);
    arena_done(&api->arena);
    free(api);
}
