/*
 * orchestrator/store/lock.c
 *   Who may be open and who waits: lines are written with the sagas that are in them, places are
 *   given in transactions of their own.
 */
#include "orchestrator/store/lock.h"
#include "orchestrator/store/batch.h"

static const struct column QUEUE_COLUMNS[] = {
    COLUMN(UUID, lock_write, id),      COLUMN(TEXT, lock_write, definition),
    COLUMN(TEXT, lock_write, key),     COLUMN(BIGINT, lock_write, places),
    COLUMN(BIGINT, lock_write, at_ms),
};

static const struct column ID_COLUMNS[] = {
    COLUMN(UUID, lock_write, id),
};

static const struct column NAME_COLUMNS[] = {
    COLUMN(TEXT, lock_name, definition),
    COLUMN(TEXT, lock_name, key),
};

static const struct column SAGA_COLUMNS[] = {
    {COLUMN_UUID, 0},
};

static const struct column LINE_COLUMNS[] = {
    COLUMN(TEXT, lock_line, lock.definition),
    COLUMN(TEXT, lock_line, lock.key),
    COLUMN(BOOL, lock_line, has_place),
};

static const struct column PLACE_COLUMNS[] = {
    COLUMN(TEXT, lock_place, lock.definition), COLUMN(TEXT, lock_place, lock.key),
    COLUMN(BIGINT, lock_place, places),        COLUMN(BIGINT, lock_place, since_ms),
    COLUMN(BOOL, lock_place, waits),           COLUMN(BIGINT, lock_place, place),
    COLUMN(BIGINT, lock_place, held),          COLUMN(BYTEA, lock_place, holders),
};

static const struct column ROW_COLUMNS[] = {
    COLUMN(TEXT, lock_row, lock.definition), COLUMN(TEXT, lock_row, lock.key),
    COLUMN(BIGINT, lock_row, places),        COLUMN(BIGINT, lock_row, held),
    COLUMN(BYTEA, lock_row, holders),        COLUMN(BIGINT, lock_row, waiting),
    COLUMN(BYTEA, lock_row, next),           COLUMN(BIGINT_OR_NULL, lock_row, waits_since_ms),
};

/* ---- with the batch ---- */

struct chosen {
    const void **rows;
    size_t count;
};

static struct chosen choose(struct store *store, const struct store_batch *batch,
                            enum lock_change change)
{
    struct chosen chosen = {
        .rows = arena_array(&store->scratch, batch->lock_count, sizeof(*chosen.rows))};
    for (size_t i = 0; i < batch->lock_count; i++) {
        if (batch->locks[i].change == change) chosen.rows[chosen.count++] = &batch->locks[i];
    }
    return chosen;
}

static void add_change(struct store *store, struct round *round, const struct sql *sql,
                       struct columns columns, struct chosen chosen)
{
    if (chosen.count == 0) return;
    struct params *const params = store_params(store);
    params_columns(params, columns, chosen.rows, chosen.count);
    round_add(round, sql, params);
}

void batch_add_locks(struct store *store, struct round *round, const struct store_batch *batch)
{
    add_change(store, round, &SQL_SAGA_LOCK_QUEUE, COLUMNS(QUEUE_COLUMNS, lock_write),
               choose(store, batch, LOCK_CHANGE_QUEUE));
    add_change(store, round, &SQL_SAGA_LOCK_TELL, COLUMNS(ID_COLUMNS, lock_write),
               choose(store, batch, LOCK_CHANGE_TELL));
    add_change(store, round, &SQL_SAGA_LOCK_LEAVE, COLUMNS(ID_COLUMNS, lock_write),
               choose(store, batch, LOCK_CHANGE_LEAVE));
}

/* ---- giving places ---- */

static struct params *params_of_names(struct store *store, const struct lock_name *locks,
                                      size_t count)
{
    struct params *const params = store_params(store);
    params_array(params, COLUMNS(NAME_COLUMNS, lock_name), locks, count);
    return params;
}

bool store_locks_grant(struct store *store, const struct lock_name *locks, size_t count,
                       struct arena *arena, struct uuid **ret_sagas, size_t *ret_count,
                       struct err *err)
{
    enum { GRANTED = 2 };
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    round_add(&round, &SQL_BEGIN, NULL);
    round_add(&round, &SQL_SAGA_LOCK_SETTLE, params_of_names(store, locks, count));
    round_add(&round, &SQL_SAGA_LOCK_GRANT, params_of_names(store, locks, count)); /* GRANTED */
    round_add(&round, &SQL_COMMIT, NULL);
    if (!store_run(store, &round, err)) return false;
    *ret_sagas =
        result_rows(round.result[GRANTED], (struct columns){SAGA_COLUMNS, 1, sizeof(struct uuid)},
                    arena, ret_count);
    return true;
}

bool store_lock_lines(struct store *store, const struct lock_name *after, size_t limit,
                      struct arena *arena, struct lock_line **ret_lines, size_t *ret_count,
                      struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bytes(params, after->definition);
    params_bytes(params, after->key);
    params_bigint(params, (int64_t)limit);
    round_add(&round, &SQL_SAGA_LOCK_LINES, params);
    if (!store_run(store, &round, err)) return false;
    *ret_lines = result_rows(round.result[0], COLUMNS(LINE_COLUMNS, lock_line), arena, ret_count);
    return true;
}

bool store_locks_untold(struct store *store, uint32_t older_ms, size_t limit, struct arena *arena,
                        struct uuid **ret_sagas, size_t *ret_count, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bigint(params, older_ms);
    params_bigint(params, (int64_t)limit);
    round_add(&round, &SQL_SAGA_LOCK_UNTOLD, params);
    if (!store_run(store, &round, err)) return false;
    *ret_sagas = result_rows(
        round.result[0], (struct columns){SAGA_COLUMNS, 1, sizeof(struct uuid)}, arena, ret_count);
    return true;
}

/* ---- reading ---- */

bool store_lock_place(struct store *store, const struct uuid *saga, size_t sample,
                      struct arena *arena, struct lock_place *ret_place, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_uuid(params, saga);
    params_bigint(params, (int64_t)sample);
    params_bigint(params, LOCKS_COUNTED_MAX);
    round_add(&round, &SQL_SAGA_LOCK_PLACE, params);
    if (!store_run(store, &round, err)) return false;
    if (PQntuples(round.result[0]) == 0) {
        return err_set(err, ERR_NOT_FOUND, "the saga is in no line");
    }
    *ret_place = (struct lock_place){0};
    result_row(round.result[0], 0, COLUMNS(PLACE_COLUMNS, lock_place), arena, ret_place);
    return true;
}

bool store_locks(struct store *store, const struct lock_filter *filter, struct arena *arena,
                 struct lock_row **ret_rows, size_t *ret_count, struct err *err)
{
    static const struct bytes AFTER_ALL = {"~", 1}; /* no name begins with it or what follows */
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bytes(params, filter->from.definition);
    params_bytes(params, filter->from.key);
    params_bytes(params, filter->definition.data == NULL ? AFTER_ALL : filter->definition);
    params_bigint(params, (int64_t)filter->limit);
    params_bigint(params, (int64_t)filter->sample);
    params_bigint(params, LOCKS_COUNTED_MAX);
    round_add(&round, filter->waited_for ? &SQL_SAGA_LOCK_LIST_WAITING : &SQL_SAGA_LOCK_LIST,
              params);
    if (!store_run(store, &round, err)) return false;
    *ret_rows = result_rows(round.result[0], COLUMNS(ROW_COLUMNS, lock_row), arena, ret_count);
    return true;
}
