/*
 * orchestrator/store/failure.c
 *   What is wrong with sagas: written by the commit that made it so, read in groups.
 */
#include "orchestrator/store/failure.h"
#include "orchestrator/store/batch.h"

static const struct column FAILURE_COLUMNS[] = {
    COLUMN(UUID, failure_write, id),
    COLUMN(BIGINT, failure_write, definition_id),
    COLUMN(BIGINT, failure_write, key),
    COLUMN(BIGINT, failure_write, since_ms),
    COLUMN(ENUM, failure_write, failure.state),
    COLUMN(ENUM, failure_write, failure.op),
    COLUMN(TEXT, failure_write, failure.step),
    COLUMN(TEXT, failure_write, failure.code),
};

static const struct column REVISION_COLUMNS[] = {
    COLUMN(INT, failure_write, revision),
};

static const struct column ID_COLUMNS[] = {
    COLUMN(UUID, failure_write, id),
};

static const struct column GROUP_COLUMNS[] = {
    COLUMN(ENUM, failure_group, state),
    COLUMN(BIGINT, failure_group, definition_id),
    COLUMN(BIGINT, failure_group, key),
    COLUMN(BIGINT, failure_group, count),
    COLUMN(BIGINT, failure_group, first_at_ms),
    COLUMN(BIGINT, failure_group, last_at_ms),
    COLUMN(TEXT, failure_group, definition),
    COLUMN(INT, failure_group, version),
    COLUMN(ENUM, failure_group, op),
    COLUMN(TEXT, failure_group, step),
    COLUMN(TEXT, failure_group, code),
    COLUMN(BYTEA, failure_group, sample),
};

static const struct column MISSING_COLUMNS[] = {
    COLUMN(UUID, saga_row, id),      COLUMN(BIGINT, saga_row, definition_id),
    COLUMN(ENUM, saga_row, state),   COLUMN(INT, saga_row, attention),
    COLUMN(INT, saga_row, revision), COLUMN(BYTEA, saga_row, packed),
};

void batch_add_failures(struct store *store, struct round *round, const struct store_batch *batch)
{
    const void **const put = arena_array(&store->scratch, batch->failure_count, sizeof(*put));
    const void **const gone = arena_array(&store->scratch, batch->failure_count, sizeof(*gone));
    size_t put_count = 0;
    size_t gone_count = 0;
    for (size_t i = 0; i < batch->failure_count; i++) {
        const struct failure_write *const write = &batch->failures[i];
        if (write->failure.state == FAILURE_NONE) {
            gone[gone_count++] = write;
        } else {
            put[put_count++] = write;
        }
    }
    if (put_count > 0) {
        struct params *const params = store_params(store);
        params_columns(params, COLUMNS(FAILURE_COLUMNS, failure_write), put, put_count);
        round_add(round, &SQL_FAILURE_PUT, params);
    }
    if (gone_count > 0) {
        struct params *const params = store_params(store);
        params_columns(params, COLUMNS(ID_COLUMNS, failure_write), gone, gone_count);
        round_add(round, &SQL_FAILURE_DROP, params);
    }
}

bool store_failures(struct store *store, const struct failure_filter *filter, struct arena *arena,
                    struct failure_group **ret_groups, size_t *ret_count, struct err *err)
{
    static const struct column STATE_COLUMNS[] = {
        {COLUMN_ENUM, 0}
    };
    static const struct column NAME_COLUMNS[] = {
        {COLUMN_TEXT, 0}
    };
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_array(params, (struct columns){STATE_COLUMNS, 1, sizeof(enum failure_state)},
                 filter->states, filter->state_count);
    if (filter->definition_count > 0) {
        params_array(params, (struct columns){NAME_COLUMNS, 1, sizeof(struct bytes)},
                     filter->definitions, filter->definition_count);
    } else {
        params_bytes(params, (struct bytes){0});
    }
    params_bigint(params, filter->has_before ? filter->before_count : INT64_MAX);
    params_bigint(params, filter->has_before ? filter->before_key : INT64_MAX);
    params_bigint(params, (int64_t)filter->limit);
    params_bigint(params, (int64_t)filter->sample);
    round_add(&round, &SQL_FAILURE_LIST, params);
    if (!store_run(store, &round, err)) return false;
    *ret_groups =
        result_rows(round.result[0], COLUMNS(GROUP_COLUMNS, failure_group), arena, ret_count);
    return true;
}

bool store_failure(struct store *store, enum failure_state state, int64_t definition_id,
                   int64_t key, size_t sample, struct arena *arena, struct failure_group *ret_group,
                   struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_int(params, (int32_t)state);
    params_bigint(params, definition_id);
    params_bigint(params, key);
    params_bigint(params, (int64_t)sample);
    round_add(&round, &SQL_FAILURE_SHOW, params);
    if (!store_run(store, &round, err)) return false;
    if (PQntuples(round.result[0]) == 0) {
        return err_set(err, ERR_NOT_FOUND, "no saga is in this group");
    }
    *ret_group = (struct failure_group){0};
    result_row(round.result[0], 0, COLUMNS(GROUP_COLUMNS, failure_group), arena, ret_group);
    return true;
}

/* ---- sagas that were there before ---- */

bool store_failures_wanted(struct store *store, bool *ret_wanted, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    round_add(&round, &SQL_FAILURE_WANTED, store_params(store));
    if (!store_run(store, &round, err)) return false;
    *ret_wanted = PQntuples(round.result[0]) > 0;
    return true;
}

bool store_failures_missing(struct store *store, const struct uuid *after, size_t limit,
                            struct arena *arena, struct saga_row **ret_rows, size_t *ret_count,
                            struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_uuid(params, after);
    params_int(params, ATTENTION_STUCK | ATTENTION_RETRYING);
    params_bigint(params, (int64_t)limit);
    round_add(&round, &SQL_FAILURE_MISSING, params);
    if (!store_run(store, &round, err)) return false;
    *ret_rows = result_rows(round.result[0], COLUMNS(MISSING_COLUMNS, saga_row), arena, ret_count);
    return true;
}

bool store_failures_add_missing(struct store *store, const struct failure_write *failures,
                                size_t count, size_t *ret_added, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_array(params, COLUMNS(FAILURE_COLUMNS, failure_write), failures, count);
    params_array(params, COLUMNS(REVISION_COLUMNS, failure_write), failures, count);
    round_add(&round, &SQL_FAILURE_ADD_MISSING, params);
    if (!store_run(store, &round, err)) return false;
    *ret_added = (size_t)result_bigint(round.result[0], 0, 0);
    return true;
}

bool store_failures_complete(struct store *store, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    round_add(&round, &SQL_FAILURE_BACKFILLED, store_params(store));
    return store_run(store, &round, err);
}
