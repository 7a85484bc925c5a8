/*
 * orchestrator/store/node.c
 *   Who is alive, what the dead leave behind, and what is due.
 *
 * A node that was taken for dead is fenced before its sagas are taken: its writers are refused, so
 * nothing is written in its name behind the back of who adopts.
 */
#include "orchestrator/base/clock.h"
#include "orchestrator/store/store_private.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    RELEASE_PATIENCE_MS = 1000,
    RELEASE_PAUSE_MS = 20,
    DUE_LEASE_MS = 5000, /* a due saga is not handed out again for so long */
    DUE_LOOKS_MAX = 20,
};

static void remember_name(struct store *store, const char *name)
{
    free(store->node_name);
    store->node_name = strdup(name);
    if (store->node_name == NULL) abort();
}

bool store_node_register(struct store *store, const char *name, int32_t *ret_node, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_string(params, name);
    round_add(&round, &SQL_NODE_REGISTER, params);
    if (!store_run_once(store, &round, err)) return false;
    assert(result_bool(round.result[0], 0, 1)); /* nobody knows the id yet */
    store->own_node = (int32_t)result_bigint(round.result[0], 0, 0);
    remember_name(store, name);
    store->held_on = store->session.opened;
    store->held_by = PQbackendPID(store->session.connection);
    *ret_node = store->own_node;
    return true;
}

void store_set_node(struct store *store, int32_t node)
{
    store->node = node;
}

static bool try_hold(struct store *store, bool *ret_held, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_int(params, store->own_node);
    params_string(params, store->node_name);
    round_add(&round, &SQL_NODE_HOLD, params);
    if (!store_run_once(store, &round, err)) return false;
    *ret_held = result_bool(round.result[0], 0, 0);
    return true;
}

/* The server may not have noticed yet that our old connection is gone. */
static bool release_old(struct store *store, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = params_new(&store->scratch);
    params_int(params, store->own_node);
    params_int(params, store->held_by);
    round_add(&round, &SQL_NODE_RELEASE, params);
    return store_run_once(store, &round, err);
}

static bool take_lock(struct store *store, struct err *err)
{
    const int64_t deadline_ms = clock_monotonic_ms() + RELEASE_PATIENCE_MS;
    for (;;) {
        bool held = false;
        if (!try_hold(store, &held, err)) return false;
        if (held) return true;
        if (clock_monotonic_ms() > deadline_ms) {
            return err_set(err, ERR_UNAVAILABLE, "the lock of node %d is held by somebody else",
                           store->own_node);
        }
        if (!release_old(store, err)) return false;
        (void)poll(NULL, 0, RELEASE_PAUSE_MS);
    }
}

bool store_node_hold(struct store *store, struct err *err)
{
    assert(store->own_node != 0);
    if (!store_connect(store, err)) return false;
    if (store->held_on == store->session.opened) {
        CLEANUP(round) struct round round;
        store_round_begin(store, &round);
        round_add(&round, &SQL_PING, NULL);
        if (store_run_once(store, &round, err)) return true;
        if (!round.lost || !store_connect(store, err)) return false;
    }
    if (!take_lock(store, err)) return false;
    store->held_on = store->session.opened;
    store->held_by = PQbackendPID(store->session.connection);
    return true;
}

bool store_nodes_dead(struct store *store, struct arena *arena, int32_t **ret_nodes,
                      size_t *ret_count, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_int(params, store->own_node);
    round_add(&round, &SQL_NODES_DEAD, params);
    if (!store_run(store, &round, err)) return false;
    static const struct column NODE_COLUMNS[] = {
        {COLUMN_INT, 0}
    };
    const struct columns columns = {NODE_COLUMNS, 1, sizeof(int32_t)};
    *ret_nodes = result_rows(round.result[0], columns, arena, ret_count);
    return true;
}

bool store_node_starts(struct store *store, uint64_t starts, uint64_t *ret_others, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_int(params, store->own_node);
    params_bigint(params, (int64_t)starts);
    round_add(&round, &SQL_NODE_STARTS, params);
    if (!store_run(store, &round, err)) return false;
    *ret_others = (uint64_t)result_bigint(round.result[0], 0, 0);
    return true;
}

static struct params *params_of_node(struct store *store, int32_t node)
{
    struct params *const params = store_params(store);
    params_int(params, node);
    return params;
}

static const struct column ID_COLUMNS[] = {
    {COLUMN_UUID, 0}
};

enum { ADOPT_STATEMENT = 3 }; /* of the round below */

static void make_adoption(struct store *store, int32_t dead, const struct uuid *after, size_t limit,
                          struct round *round)
{
    static const struct uuid FIRST;
    store_round_begin(store, round);
    struct params *const fence = params_new(&store->scratch);
    params_int(fence, dead);
    struct params *const adopt = params_of_node(store, dead);
    params_uuid(adopt, after != NULL ? after : &FIRST);
    params_bigint(adopt, (int64_t)limit);
    params_int(adopt, store->own_node);
    round_add(round, &SQL_BEGIN, NULL);
    round_add(round, &SQL_NODE_SEIZE, params_of_node(store, dead));
    round_add(round, &SQL_NODE_FENCE, fence);
    round_add(round, &SQL_NODE_ADOPT, adopt);
    round_add(round, &SQL_COMMIT, NULL);
}

bool store_node_adopt(struct store *store, int32_t dead, const struct uuid *after, size_t limit,
                      struct arena *arena, struct uuid **ret_ids, size_t *ret_count,
                      struct err *err)
{
    CLEANUP(round) struct round round;
    make_adoption(store, dead, after, limit, &round);
    struct err failure;
    if (store_run(store, &round, &failure)) {
        *ret_ids =
            result_rows(round.result[ADOPT_STATEMENT], COLUMNS(ID_COLUMNS, uuid), arena, ret_count);
        return true;
    }
    if (failure.kind != ERR_CONFLICT) {
        *err = failure;
        return false;
    }
    *ret_ids = NULL; /* it came back to life, or another node was faster */
    *ret_count = 0;
    return true;
}

struct due {
    struct uuid *ids;
    size_t count;
    size_t seen; /* rows that the last look brought up, due or not */
};

/* One look at the wake-up index, for at most `limit` more. */
static bool look_for_due(struct store *store, int64_t now_ms, size_t limit, struct due *due,
                         struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bigint(params, now_ms);
    params_bigint(params, (int64_t)limit);
    params_bigint(params, now_ms + DUE_LEASE_MS);
    round_add(&round, &SQL_SAGA_DUE, params);
    if (!store_run(store, &round, err)) return false;

    const PGresult *const result = round.result[0];
    due->seen = (size_t)PQntuples(result);
    for (int i = 0; i < PQntuples(result); i++) {
        if (!result_bool(result, i, 1)) continue;
        memcpy(&due->ids[due->count], PQgetvalue(result, i, 0), sizeof(struct uuid));
        due->count++;
    }
    return true;
}

bool store_due(struct store *store, int64_t now_ms, size_t limit, struct arena *arena,
               struct uuid **ret_ids, size_t *ret_count, struct err *err)
{
    struct due due = {.ids = arena_array(arena, limit + 1, sizeof(struct uuid)), .seen = limit};
    for (int looks = 0; due.count < limit && due.seen > 0 && looks < DUE_LOOKS_MAX; looks++) {
        if (!look_for_due(store, now_ms, limit - due.count, &due, err)) return false;
    }
    *ret_ids = due.ids;
    *ret_count = due.count;
    return true;
}

bool store_released(struct store *store, const struct uuid *after, size_t limit,
                    struct arena *arena, struct uuid **ret_ids, size_t *ret_count, struct err *err)
{
    static const struct uuid FIRST;
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_uuid(params, after != NULL ? after : &FIRST);
    params_bigint(params, (int64_t)limit);
    round_add(&round, &SQL_SAGA_RELEASED, params);
    if (!store_run(store, &round, err)) return false;
    *ret_ids = result_rows(round.result[0], COLUMNS(ID_COLUMNS, uuid), arena, ret_count);
    return true;
}
