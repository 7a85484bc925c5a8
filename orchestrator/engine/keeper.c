/*
 * orchestrator/engine/keeper.c
 *   Keeps the tables small: partitions ahead, what is old goes.
 *
 * A thread and a connection of its own, because it may take its time where the house may not. It
 * works for a tenth of the time at most, in steps that hold nobody up.
 */
#include "orchestrator/engine/internal.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"

#include <string.h>

enum {
    EVERY_MS = 10 * 60 * 1000,
    AGAIN_MS = 1000, /* after a lock that was not to be had, or a database that is away */
    LATER_MS = 200,
    LATER_MAX = 300,
    REST_SHARE = 9, /* rest so many times as long as the step took */
    STATEMENT_TIMEOUT_MS = 20000,
    COMPLAIN_EVERY = 60, /* failures in a row */
};

struct keeper {
    struct engine *engine;
    struct store *store;
    int64_t next_ms; /* monotonic */
    struct look_back look;
    bool retiring;
    struct retirement pass;
    uint32_t later, failures;
    uint64_t kept_weeks; /* as they were told of */
};

static bool open_keeper(struct keeper *keeper, struct err *err)
{
    if (keeper->store != NULL) return true;
    const struct store_options options = {
        .url = keeper->engine->options.database_url,
        .namespace_name = keeper->engine->options.namespace_name,
        .role = "keeper",
        .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
    };
    return store_open(&options, &keeper->store, err);
}

static void tell(struct keeper *keeper)
{
    const struct retirement *pass = &keeper->pass;
    if (pass->sagas + pass->weeks + pass->letters > 0) {
        log_event(LOG_INFO, "retired", "sagas=%llu weeks=%llu dead_letters=%llu",
                  (unsigned long long)pass->sagas, (unsigned long long)pass->weeks,
                  (unsigned long long)pass->letters);
    }
    if (pass->kept_weeks != keeper->kept_weeks) {
        log_event(LOG_WARNING, "weeks_kept",
                  "weeks=%llu reason=\"many of their sagas are open, ended "
                  "late or are another namespace's\"",
                  (unsigned long long)pass->kept_weeks);
    }
    keeper->kept_weeks = pass->kept_weeks;
}

/* The time to rest before the next step. */
static bool retire(struct keeper *keeper, int64_t *ret_rest_ms, struct err *err)
{
    const int64_t begun_ms = clock_monotonic_ms();
    if (!store_retire(keeper->store, keeper->engine->options.retention_ms, &keeper->pass, err)) {
        keeper->retiring = false;
        return false;
    }
    const enum retire_step step = keeper->pass.next;
    *ret_rest_ms = (clock_monotonic_ms() - begun_ms) * REST_SHARE + 1;
    keeper->later = step == RETIRE_LATER ? keeper->later + 1 : 0;
    if (step == RETIRE_LATER) *ret_rest_ms = LATER_MS;
    if (step != RETIRE_DONE && keeper->later < LATER_MAX) return true;
    keeper->retiring = false;
    tell(keeper);
    return true;
}

static bool look_back(struct keeper *keeper, int64_t *ret_rest_ms, struct err *err)
{
    const int64_t begun_ms = clock_monotonic_ms();
    if (!failures_look_back(keeper->engine, keeper->store, &keeper->look, err)) return false;
    *ret_rest_ms = clock_monotonic_ms() - begun_ms + 1;
    return true;
}

static bool keep(struct keeper *keeper, int64_t *ret_rest_ms, struct err *err)
{
    const int64_t now_ms = clock_monotonic_ms();
    *ret_rest_ms = AGAIN_MS;
    if (!open_keeper(keeper, err)) return false;
    if (!keeper->look.done) return look_back(keeper, ret_rest_ms, err);
    if (keeper->retiring) return retire(keeper, ret_rest_ms, err);
    if (now_ms < keeper->next_ms) return true;
    if (!store_maintain(keeper->store, clock_wall_ms(), err)) return false;
    keeper->next_ms = now_ms + EVERY_MS;
    keeper->retiring = keeper->engine->options.retention_ms > 0;
    memset(&keeper->pass, 0, sizeof keeper->pass);
    return true;
}

void *keeper_main(void *context)
{
    struct engine *engine = context;
    struct keeper keeper = {.engine = engine};
    int64_t rest_ms = 0;
    do {
        struct err err;
        const bool good = keep(&keeper, &rest_ms, &err);
        keeper.failures = good ? 0 : keeper.failures + 1;
        if (!good && keeper.failures % COMPLAIN_EVERY == 1) {
            log_event(LOG_WARNING, "keeping_failed", "reason=\"%s\"", err.text);
        }
    } while (house_rest(engine, rest_ms));
    store_close(keeper.store);
    return NULL;
}
