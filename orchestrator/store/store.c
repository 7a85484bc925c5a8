#include "orchestrator/store/store_private.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 3, GIVE_WAY_MS = 20 };

static bool find_namespace(struct store *store, bool *ret_found, struct err *err)
{
    CLEANUP(round) struct round round;
    round_begin(&round, &store->session);
    struct params *const params = params_new(&store->session.own);
    params_string(params, store->namespace_name);
    round_add(&round, &SQL_NAMESPACE_FIND, params);
    if (!round_run(&round, err)) return false;
    *ret_found = PQntuples(round.result[0]) == 1;
    if (*ret_found) store->namespace_id = (int32_t)result_bigint(round.result[0], 0, 0);
    return true;
}

static bool make_namespace(struct store *store, struct err *err)
{
    CLEANUP(round) struct round round;
    round_begin(&round, &store->session);
    struct params *const params = params_new(&store->session.own);
    params_string(params, store->namespace_name);
    round_add(&round, &SQL_NAMESPACE_MAKE, params);
    return round_run(&round, err);
}

static bool settle_namespace(struct store *store, struct err *err)
{
    bool found = store->namespace_id != 0; /* of an earlier connection */
    if (found) return true;
    if (!find_namespace(store, &found, err)) return false;
    if (found) return true;
    if (!make_namespace(store, err)) return false;
    if (!find_namespace(store, &found, err)) return false;
    return found || err_set(err, ERR_UNAVAILABLE, "the namespace vanished while it was made");
}

bool store_connect(struct store *store, struct err *err)
{
    if (session_is_up(&store->session)) return true;
    if (!session_connect(&store->session, err)) return false;
    if (settle_namespace(store, err)) return true;
    session_drop(&store->session);
    return false;
}

void store_round_begin(struct store *store, struct round *round)
{
    arena_reset(&store->scratch);
    round_begin(round, &store->session);
}

struct params *store_params(struct store *store)
{
    struct params *const params = params_new(&store->scratch);
    params_int(params, store->namespace_id);
    return params;
}

void store_pause_before(int tries, enum remedy remedy)
{
    if (remedy == REMEDY_AGAIN) (void)poll(NULL, 0, GIVE_WAY_MS * tries);
}

bool store_run_once(struct store *store, struct round *round, struct err *err)
{
    return store_connect(store, err) && round_run(round, err);
}

bool store_run(struct store *store, struct round *round, struct err *err)
{
    for (int tries = 1;; tries++) {
        struct err failure;
        if (!store_connect(store, err)) return false;
        if (round_run(round, &failure)) return true;
        const bool again = round->remedy == REMEDY_AGAIN || round->remedy == REMEDY_RECONNECT;
        if (!again || tries == TRIES_MAX) {
            *err = failure;
            return false;
        }
        store_pause_before(tries + 1, round->remedy);
    }
}

static bool open_first(struct store *store, struct err *err)
{
    if (!store_connect(store, err)) return false;
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    round_add(&round, &SQL_PARTITIONS_MAKE, NULL);
    return store_run(store, &round, err);
}

bool store_open(const struct store_options *options, struct store **ret_store, struct err *err)
{
    struct store *const store = calloc(1, sizeof(*store));
    if (store == NULL) abort();
    session_init(&store->session, options->url, options->role, options->statement_timeout_ms);
    store->namespace_name = strdup(options->namespace_name);
    if (store->namespace_name == NULL) abort();
    if (!open_first(store, err)) {
        store_close(store);
        return false;
    }
    *ret_store = store;
    return true;
}

void store_close(struct store *store)
{
    if (store == NULL) return;
    session_done(&store->session);
    arena_done(&store->scratch);
    arena_done(&store->aside);
    free(store->namespace_name);
    free(store->node_name);
    free(store);
}

bool store_ping(struct store *store, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    round_add(&round, &SQL_PING, NULL);
    return store_run(store, &round, err);
}
