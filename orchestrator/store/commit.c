/*
 * orchestrator/store/commit.c
 *   One batch, one transaction, one round trip.
 *
 * A refused transaction wrote nothing; a lost one is resolved by its writer row (writer.c) before
 * anybody is told.
 */
#include "orchestrator/base/clock.h"
#include "orchestrator/store/batch.h"

#include <poll.h>
#include <string.h>

enum { TRIES_MAX = 4, RESOLVE_PATIENCE_MS = 2000, RESOLVE_PAUSE_MS = 50 };

/* Each try has a number of its own. */
static const struct params *next_number(struct store *store)
{
    store->batch++;
    struct params *const params = params_new(&store->scratch);
    params_bigint(params, store->writer);
    params_bigint(params, store->batch);
    params_int(params, store->writer_node);
    return params;
}

enum outcome { COMMITTED, REFUSED, UNKNOWN };

static enum outcome try_once(struct store *store, struct round *round, struct err *err)
{
    round->params[BATCH_NUMBER] = next_number(store);
    store->session.warned = false;
    if (!round_run(round, err)) return round->lost ? UNKNOWN : REFUSED;
    const bool tagged = strcmp(PQcmdStatus(round->result[round->count - 1]), "COMMIT") == 0;
    if (tagged && !store->session.warned) return COMMITTED;
    (void)err_set(err, ERR_UNAVAILABLE, "PostgreSQL did not confirm a commit");
    return UNKNOWN;
}

/* Ask for a short while; a server that crashed is usually back by then. */
static bool resolve_patiently(struct store *store, bool *ret_committed, struct err *err)
{
    const int64_t deadline_ms = clock_monotonic_ms() + RESOLVE_PATIENCE_MS;
    struct err failure;
    while (!writer_resolve(store, ret_committed, &failure)) {
        if (clock_monotonic_ms() > deadline_ms) {
            *err = failure;
            return false;
        }
        (void)poll(NULL, 0, RESOLVE_PAUSE_MS);
    }
    return true;
}

/* False: the last word is in *err. */
static bool settle(struct store *store, enum outcome outcome, bool *ret_committed,
                   bool *ret_unknown, struct err *err)
{
    *ret_committed = outcome == COMMITTED;
    if (outcome != UNKNOWN) return true;
    if (resolve_patiently(store, ret_committed, err)) return true;
    *ret_unknown = true;
    err->kind = ERR_UNAVAILABLE;
    return false;
}

bool store_commit(struct store *store, const struct store_batch *batch, bool *ret_unknown,
                  struct err *err)
{
    *ret_unknown = false;
    CLEANUP(round) struct round round = {0};
    if (!store_connect(store, err) || !writer_enrol(store, err)) return false;
    batch_make(store, batch, &round);
    for (int tries = 1;; tries++) {
        struct err failure;
        bool committed = false;
        if (!store_connect(store, err) || !writer_enrol(store, err)) return false;
        const enum outcome outcome = try_once(store, &round, &failure);
        if (!settle(store, outcome, &committed, ret_unknown, err)) return false;
        if (committed) return true;

        /* Nothing was written: the very same rows may be tried again. */
        if (round.remedy == REMEDY_ENROL) store->writer = 0;
        if (round.remedy == REMEDY_NONE || tries == TRIES_MAX) {
            *err = failure;
            return false;
        }
        store_pause_before(tries + 1, round.remedy);
    }
}
