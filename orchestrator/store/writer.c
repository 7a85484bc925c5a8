/*
 * orchestrator/store/writer.c
 *   What became of a batch when the connection broke around its COMMIT.
 *
 * Each batch sets its number in this store's row of sagad.writer. Asking locks that row, which
 * waits for a server process that still works on the batch, and raises the row's fence, after which
 * a server process that has not come that far yet can no longer commit it. So the answer is final.
 */
#include "orchestrator/base/clock.h"
#include "orchestrator/store/store_private.h"

#include <string.h>

static struct params *params_aside(struct store *store)
{
    arena_reset(&store->aside);
    return params_new(&store->aside);
}

bool writer_enrol(struct store *store, struct err *err)
{
    if (store->writer != 0 && store->writer_node == store->node) return true;
    struct params *const params = params_aside(store);
    params_int(params, store->node);
    CLEANUP(round) struct round round;
    round_begin(&round, &store->session);
    round_add(&round, &SQL_WRITER_ENROL, params);
    if (!store_run(store, &round, err)) return false;
    if (PQntuples(round.result[0]) == 0) {
        return err_set(err, ERR_UNAVAILABLE,
                       "node %d was taken for dead: register or hold it again", store->node);
    }
    store->writer = result_bigint(round.result[0], 0, 0);
    store->writer_node = store->node;
    store->batch = 0;
    return true;
}

static void add_resolve(struct store *store, struct round *round)
{
    struct params *const read = params_aside(store);
    params_bigint(read, store->writer);
    struct params *const fence = params_new(&store->aside);
    params_bigint(fence, store->writer);
    params_bigint(fence, store->batch);
    round_add(round, &SQL_BEGIN, NULL);
    round_add(round, &SQL_WRITER_READ, read);
    round_add(round, &SQL_WRITER_FENCE, fence);
    round_add(round, &SQL_COMMIT, NULL);
}

bool writer_resolve(struct store *store, bool *ret_committed, struct err *err)
{
    if (store->writer == 0) {
        *ret_committed = false;
        return true;
    }
    CLEANUP(round) struct round round;
    round_begin(&round, &store->session);
    add_resolve(store, &round);
    store->session.warned = false;
    if (!store_run(store, &round, err)) return false;
    /* The fence waited for the standby too: without it nothing is certain yet. */
    if (store->session.warned || strcmp(PQcmdStatus(round.result[3]), "COMMIT") != 0) {
        return err_set(err, ERR_UNAVAILABLE, "PostgreSQL did not confirm what became of a batch");
    }
    const PGresult *const read = round.result[1];
    *ret_committed = PQntuples(read) == 1 && result_bigint(read, 0, 0) >= store->batch;
    return true;
}

bool store_resolve(struct store *store, bool *ret_committed, struct err *err)
{
    return writer_resolve(store, ret_committed, err);
}
