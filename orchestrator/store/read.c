/*
 * orchestrator/store/read.c
 *   What operators look at: history, dead letters, counts.
 */
#include "orchestrator/store/store_private.h"

static const struct column HISTORY_COLUMNS[] = {
    COLUMN(INT, history_row, seq),       COLUMN(INT, history_row, count),
    COLUMN(INT, history_row, revision),  COLUMN(BIGINT, history_row, at_ms),
    COLUMN(BYTEA, history_row, entries), COLUMN(TEXT, history_row, payload),
    COLUMN(TEXT, history_row, output),
};

static const struct column DEAD_LETTER_COLUMNS[] = {
    COLUMN(BIGINT, dead_letter_row, id),     COLUMN(BIGINT, dead_letter_row, at_ms),
    COLUMN(TEXT, dead_letter_row, topic),    COLUMN(INT, dead_letter_row, partition),
    COLUMN(BIGINT, dead_letter_row, offset), COLUMN(TEXT, dead_letter_row, reason),
    COLUMN(BYTEA, dead_letter_row, key),     COLUMN(TEXT, dead_letter_row, headers),
    COLUMN(BYTEA, dead_letter_row, value),   COLUMN(TEXT, dead_letter_row, settled),
};

static const struct column COUNT_COLUMNS[] = {
    COLUMN(TEXT, state_count, definition), COLUMN(ENUM, state_count, state),
    COLUMN(INT, state_count, attention),   COLUMN(BIGINT, state_count, count),
    COLUMN(BYTEA, state_count, overdue),
};

bool store_history(struct store *store, const struct uuid *id, uint32_t after_seq, size_t limit,
                   struct arena *arena, struct history_row **ret_rows, size_t *ret_count,
                   struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_uuid(params, id);
    params_int(params, after_seq <= INT32_MAX ? (int32_t)after_seq : INT32_MAX);
    params_bigint(params, (int64_t)limit);
    round_add(&round, &SQL_HISTORY_LIST, params);
    if (!store_run(store, &round, err)) return false;
    *ret_rows =
        result_rows(round.result[0], COLUMNS(HISTORY_COLUMNS, history_row), arena, ret_count);
    return true;
}

bool store_dead_letters(struct store *store, int64_t before, size_t limit, struct arena *arena,
                        struct dead_letter_row **ret_rows, size_t *ret_count, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bigint(params, before != 0 ? before : INT64_MAX);
    params_bigint(params, (int64_t)limit);
    round_add(&round, &SQL_DEAD_LETTER_LIST, params);
    if (!store_run(store, &round, err)) return false;
    *ret_rows = result_rows(round.result[0], COLUMNS(DEAD_LETTER_COLUMNS, dead_letter_row), arena,
                            ret_count);
    return true;
}

static struct params *params_of_letter(struct store *store, int64_t id)
{
    struct params *const params = store_params(store);
    params_bigint(params, id);
    return params;
}

bool store_dead_letter(struct store *store, int64_t id, struct arena *arena,
                       struct dead_letter_row *ret_row, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    round_add(&round, &SQL_DEAD_LETTER_LOAD, params_of_letter(store, id));
    if (!store_run(store, &round, err)) return false;
    if (PQntuples(round.result[0]) == 0) {
        return err_set(err, ERR_NOT_FOUND, "there is no such dead letter");
    }
    *ret_row = (struct dead_letter_row){0};
    result_row(round.result[0], 0, COLUMNS(DEAD_LETTER_COLUMNS, dead_letter_row), arena, ret_row);
    return true;
}

bool store_dead_letter_settle(struct store *store, int64_t id, const char *how, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const settle = params_of_letter(store, id);
    params_string(settle, how);
    round_add(&round, &SQL_DEAD_LETTER_SETTLE, settle);
    round_add(&round, &SQL_DEAD_LETTER_LOAD, params_of_letter(store, id));
    if (!store_run_once(store, &round, err)) return false;
    if (PQntuples(round.result[0]) == 1) return true;
    if (PQntuples(round.result[1]) == 1) {
        return err_set(err, ERR_CONFLICT, "this dead letter was settled before");
    }
    return err_set(err, ERR_NOT_FOUND, "there is no such dead letter");
}

bool store_count_open(struct store *store, int64_t overdue_before_ms, struct arena *arena,
                      struct state_count **ret_rows, size_t *ret_count, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bigint(params, overdue_before_ms);
    params_int(params, store->own_node);
    round_add(&round, &SQL_OPEN_COUNT, params);
    if (!store_run(store, &round, err)) return false;
    *ret_rows = result_rows(round.result[0], COLUMNS(COUNT_COLUMNS, state_count), arena, ret_count);
    return true;
}
