/*
 * orchestrator/store/maintain.c
 *   What keeps the tables small, and what the cluster shares.
 *
 * Every step may be run by any node at any time, twice or at once.
 */
#include "orchestrator/store/store_private.h"

#include <string.h>

static bool run_alone(struct store *store, const struct sql *sql, const struct params *params,
                      struct err *err)
{
    CLEANUP(round) struct round round;
    round_begin(&round, &store->session);
    round_add(&round, &SQL_LOCK_PATIENCE, NULL);
    round_add(&round, sql, params);
    return store_run(store, &round, err);
}

bool store_maintain(struct store *store, int64_t now_ms, struct err *err)
{
    arena_reset(&store->scratch);
    struct params *const now = params_new(&store->scratch);
    params_bigint(now, now_ms);
    return run_alone(store, &SQL_PARTITIONS_MAKE_AHEAD, now, err) &&
           run_alone(store, &SQL_WRITERS_FORGET, NULL, err) &&
           run_alone(store, &SQL_SCHEDULE_EVENTS_FORGET, NULL, err) &&
           run_alone(store, &SQL_PARTITIONS_DROP, NULL, err);
}

static const struct column PROCESSED_COLUMNS[] = {
    COLUMN(BIGINT, processed_row, first_offset),
    COLUMN(BIGINT, processed_row, last_offset),
    COLUMN(BIGINT, processed_row, first_at_ms),
    COLUMN(BIGINT, processed_row, last_at_ms),
};

bool store_processed(struct store *store, struct bytes topic, int32_t partition,
                     struct arena *arena, struct processed_row **ret_rows, size_t *ret_count,
                     struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bytes(params, topic);
    params_int(params, partition);
    round_add(&round, &SQL_PROCESSED_MESSAGE_LIST, params);
    if (!store_run(store, &round, err)) return false;
    *ret_rows =
        result_rows(round.result[0], COLUMNS(PROCESSED_COLUMNS, processed_row), arena, ret_count);
    return true;
}

bool store_secret(struct store *store, const char *name, const uint8_t *fresh, size_t size,
                  uint8_t *ret_secret, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const make = store_params(store);
    params_string(make, name);
    params_bytes(make, (struct bytes){(const char *)fresh, size});
    struct params *const find = store_params(store);
    params_string(find, name);
    round_add(&round, &SQL_SECRET_MAKE, make);
    round_add(&round, &SQL_SECRET_FIND, find);
    if (!store_run(store, &round, err)) return false;

    const PGresult *const found = round.result[1];
    if (PQntuples(found) != 1 || (size_t)PQgetlength(found, 0, 0) != size) {
        return err_set(err, ERR_INTERNAL, "the secret %s in the database has another size", name);
    }
    memcpy(ret_secret, PQgetvalue(found, 0, 0), size);
    return true;
}
