/*
 * orchestrator/store/operator_batch.c
 *   Batches of operators: made, shown, steered and worked off.
 *
 * Items are dealt with in order, so the count of those that were says which is next, and an update
 * that expects another count loses: nothing is counted twice, whoever works on it.
 */
#include "orchestrator/store/operator_batch.h"
#include "orchestrator/store/failure.h"
#include "orchestrator/store/store_private.h"

#include <stdio.h>
#include <string.h>

static const struct column BATCH_COLUMNS[] = {
    COLUMN(UUID, operator_batch, id),
    COLUMN(TEXT, operator_batch, verb),
    COLUMN(TEXT, operator_batch, step),
    COLUMN(INT, operator_batch, item),
    COLUMN(TEXT, operator_batch, output),
    COLUMN(TEXT, operator_batch, name),
    COLUMN(TEXT, operator_batch, payload),
    COLUMN(TEXT, operator_batch, filter),
    COLUMN(TEXT, operator_batch, reason),
    COLUMN(TEXT, operator_batch, actor),
    COLUMN(INT, operator_batch, rate),
    COLUMN(ENUM, operator_batch, state),
    COLUMN(BIGINT, operator_batch, total),
    COLUMN(BIGINT, operator_batch, done),
    COLUMN(BIGINT, operator_batch, failed),
    COLUMN(BIGINT, operator_batch, created_at_ms),
    COLUMN(BIGINT, operator_batch, updated_at_ms),
    COLUMN(BIGINT_OR_NULL, operator_batch, finished_at_ms),
    COLUMN(BYTEA, operator_batch, sample),
};
enum { ITEM_FIELD = 3 };

static const struct column ACT_COLUMNS[] = {
    COLUMN(BIGINT, batch_act, at_ms),
    COLUMN(TEXT, batch_act, verb),
    COLUMN(TEXT, batch_act, actor),
    COLUMN(TEXT, batch_act, reason),
};

static const struct column ITEM_COLUMNS[] = {
    COLUMN(BIGINT, batch_item, seq),   COLUMN(UUID, batch_item, id),
    COLUMN(ENUM, batch_item, end),     COLUMN(TEXT, batch_item, why),
    COLUMN(BIGINT, batch_item, at_ms),
};

static const struct column FAILURE_COLUMNS[] = {
    COLUMN(BIGINT, item_failure, seq),
    COLUMN(ENUM, item_failure, end),
    COLUMN(TEXT, item_failure, why),
};

static const struct column KEY_COLUMNS[] = {
    COLUMN(TEXT, request_key_write, key),
    COLUMN(HASH, request_key_write, fingerprint),
    COLUMN(UUID_OR_NULL, request_key_write, saga_id),
    COLUMN(SHORT, request_key_write, status),
    COLUMN(TEXT, request_key_write, answer),
};

static const struct column STATE_COLUMNS[] = {
    {COLUMN_ENUM, 0}
};
static const struct column TEXT_COLUMNS[] = {
    {COLUMN_TEXT, 0}
};
static const struct column ID_COLUMNS[] = {
    {COLUMN_UUID, 0}
};
static const struct column BYTES_COLUMNS[] = {
    {COLUMN_BYTEA, 0}
};

struct uuid letter_id(int64_t number)
{
    struct uuid id = {0};
    for (size_t i = 0; i < 8; i++) {
        id.byte[15 - i] = (uint8_t)((uint64_t)number >> (8 * i));
    }
    return id;
}

int64_t letter_number(const struct uuid *id)
{
    uint64_t number = 0;
    for (size_t i = 8; i < 16; i++) {
        number = number << 8 | id->byte[i];
    }
    return (int64_t)number;
}

/* ---- freezing ---- */

static void add_texts(struct params *params, const struct bytes *texts, size_t count)
{
    params_array_or_null(params, (struct columns){TEXT_COLUMNS, 1, sizeof(struct bytes)}, texts,
                         count);
}

static struct params *letter_params(struct store *store, const struct letter_filter *filter,
                                    int64_t limit)
{
    struct params *const params = store_params(store);
    add_texts(params, filter->reasons, filter->reason_count);
    add_texts(params, filter->topics, filter->topic_count);
    params_bigint(params, filter->after_ms);
    params_bigint(params, filter->before_ms);
    params_bigint(params, limit);
    return params;
}

static struct params *group_params(struct store *store, const struct failure_group *group,
                                   int64_t limit)
{
    struct params *const params = store_params(store);
    params_int(params, (int32_t)group->state);
    params_bigint(params, group->definition_id);
    params_bigint(params, group->key);
    params_bigint(params, limit);
    return params;
}

static void add_freeze(struct store *store, struct round *round, const struct batch_source *source,
                       int64_t items_max, const struct uuid *id)
{
    const struct sql *sql = &SQL_FREEZE_IDS;
    struct params *params = NULL;
    if (source->sagas != NULL) {
        struct saga_filter filter = *source->sagas;
        filter.limit = (size_t)items_max;
        sql = filter.tag_count > 0 ? &SQL_FREEZE_BY_TAG : &SQL_FREEZE_BY_STATE;
        params = filter_params(store, &filter, FILTER_ALONE);
    } else if (source->letters != NULL) {
        sql = &SQL_FREEZE_LETTERS;
        params = letter_params(store, source->letters, items_max);
    } else if (source->failure != NULL) {
        sql = &SQL_FREEZE_FAILURE;
        params = group_params(store, source->failure, items_max);
    } else {
        params = store_params(store);
        params_array_or_null(params, (struct columns){ID_COLUMNS, 1, sizeof(struct uuid)},
                             source->ids, source->id_count);
        params_bigint(params, items_max);
    }
    params_uuid(params, id);
    round_add(round, sql, params);
}

static void add_make(struct store *store, struct round *round, const struct operator_batch *batch)
{
    struct params *const params = store_params(store);
    params_uuid(params, &batch->id);
    params_bytes(params, batch->verb);
    params_bytes(params, batch->step);
    if (batch->has_item) {
        params_int(params, batch->item);
    } else {
        params_bytes(params, (struct bytes){0});
    }
    params_bytes(params, batch->output);
    params_bytes(params, batch->filter);
    params_bytes(params, batch->reason);
    params_bytes(params, batch->actor);
    params_int(params, (int32_t)batch->rate);
    params_bytes(params, batch->name);
    params_bytes(params, batch->payload);
    round_add(round, &SQL_OPERATOR_BATCH_MAKE, params);
}

static void add_time_limit(struct store *store, struct round *round, uint32_t time_ms)
{
    char text[16];
    (void)snprintf(text, sizeof(text), "%u", time_ms);
    struct params *const params = params_new(&store->scratch);
    params_bytes(params, bytes_copy(&store->scratch, bytes_of(text)));
    round_add(round, &SQL_TIME_LIMIT, params);
}

bool store_batch_make(struct store *store, const struct operator_batch *batch,
                      const struct batch_source *source, int64_t items_max, uint32_t time_ms,
                      const struct request_key_write *key, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    round_add(&round, &SQL_BEGIN, NULL);
    add_time_limit(store, &round, time_ms);
    add_freeze(store, &round, source, items_max, &batch->id);
    add_make(store, &round, batch);
    if (key != NULL) {
        struct params *const params = store_params(store);
        params_array(params, COLUMNS(KEY_COLUMNS, request_key_write), key, 1);
        round_add(&round, &SQL_REQUEST_KEY_INSERT, params);
    }
    round_add(&round, &SQL_COMMIT, NULL);
    const uint32_t patience_ms = store->session.timeout_ms;
    if (time_ms > patience_ms) store->session.timeout_ms = time_ms;
    /* Its id is taken when it ran before: what then fails was done. */
    const bool done = store_run_once(store, &round, err);
    store->session.timeout_ms = patience_ms;
    return done;
}

bool store_count_letters(struct store *store, const struct letter_filter *filter, size_t limit,
                         struct arena *arena, int64_t *ret_count, struct bytes *ret_sample,
                         struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    round_add(&round, &SQL_COUNT_LETTERS, letter_params(store, filter, (int64_t)limit));
    if (!store_run(store, &round, err)) return false;
    *ret_count = result_bigint(round.result[0], 0, 0);
    *ret_sample = (struct bytes){0};
    if (PQgetisnull(round.result[0], 0, 1)) return true;
    const struct bytes ids = {PQgetvalue(round.result[0], 0, 1),
                              (size_t)PQgetlength(round.result[0], 0, 1)};
    *ret_sample = bytes_copy(arena, ids);
    return true;
}

/* ---- reading ---- */

static struct operator_batch *batches_of(const PGresult *result, struct arena *arena,
                                         size_t *ret_count)
{
    struct operator_batch *const batches =
        result_rows(result, COLUMNS(BATCH_COLUMNS, operator_batch), arena, ret_count);
    for (size_t i = 0; i < *ret_count; i++) {
        batches[i].has_item = !PQgetisnull(result, (int)i, ITEM_FIELD);
    }
    return batches;
}

bool store_batch_load(struct store *store, const struct uuid *id, struct arena *arena,
                      struct operator_batch *ret_batch, struct err *err)
{
    size_t count = 0;
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_uuid(params, id);
    round_add(&round, &SQL_OPERATOR_BATCH_LOAD, params);
    if (!store_run(store, &round, err)) return false;
    const struct operator_batch *const found = batches_of(round.result[0], arena, &count);
    if (count == 0) return err_set(err, ERR_NOT_FOUND, "there is no such batch");
    *ret_batch = found[0];
    return true;
}

bool store_batch_list(struct store *store, const struct uuid *before,
                      const enum batch_state *states, size_t state_count, size_t limit,
                      struct arena *arena, struct operator_batch **ret_batches, size_t *ret_count,
                      struct err *err)
{
    struct uuid last;
    memset(last.byte, 0xFF, sizeof(last.byte));
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_uuid(params, before != NULL ? before : &last);
    params_array_or_null(params, (struct columns){STATE_COLUMNS, 1, sizeof(enum batch_state)},
                         states, state_count);
    params_bigint(params, (int64_t)limit);
    round_add(&round, &SQL_OPERATOR_BATCH_LIST, params);
    if (!store_run(store, &round, err)) return false;
    *ret_batches = batches_of(round.result[0], arena, ret_count);
    return true;
}

bool store_batch_acts(struct store *store, const struct uuid *id, size_t limit, struct arena *arena,
                      struct batch_act **ret_acts, size_t *ret_count, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_uuid(params, id);
    params_bigint(params, (int64_t)limit);
    round_add(&round, &SQL_OPERATOR_BATCH_ACTS, params);
    if (!store_run(store, &round, err)) return false;
    *ret_acts = result_rows(round.result[0], COLUMNS(ACT_COLUMNS, batch_act), arena, ret_count);
    return true;
}

bool store_batch_items(struct store *store, const struct uuid *id, int64_t first, bool failed_only,
                       size_t limit, struct arena *arena, struct batch_item **ret_items,
                       size_t *ret_count, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_uuid(params, id);
    params_bigint(params, first);
    params_bigint(params, (int64_t)limit);
    round_add(&round, failed_only ? &SQL_OPERATOR_BATCH_FAILED : &SQL_OPERATOR_BATCH_ITEMS, params);
    if (!store_run(store, &round, err)) return false;
    *ret_items = result_rows(round.result[0], COLUMNS(ITEM_COLUMNS, batch_item), arena, ret_count);
    return true;
}

/* ---- steering ---- */

bool store_batch_set(struct store *store, const struct uuid *id, enum batch_state to,
                     const enum batch_state *from, size_t from_count, const struct batch_act *act,
                     struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_uuid(params, id);
    params_int(params, (int32_t)to);
    params_array(params, (struct columns){STATE_COLUMNS, 1, sizeof(enum batch_state)}, from,
                 from_count);
    params_bytes(params, act->verb);
    params_bytes(params, act->actor);
    params_bytes(params, act->reason);
    round_add(&round, &SQL_OPERATOR_BATCH_SET, params);
    if (!store_run_once(store, &round, err)) return false;
    return PQntuples(round.result[0]) == 1 ||
           err_set(err, ERR_CONFLICT, "the batch is in another state");
}

/* ---- working ---- */

bool store_batch_hold(struct store *store, int64_t holder, uint32_t hold_ms, size_t limit,
                      struct arena *arena, struct operator_batch **ret_batches, size_t *ret_count,
                      struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_bigint(params, holder);
    params_bigint(params, hold_ms);
    params_bigint(params, (int64_t)limit);
    round_add(&round, &SQL_OPERATOR_BATCH_HOLD, params);
    if (!store_run(store, &round, err)) return false;
    *ret_batches = batches_of(round.result[0], arena, ret_count);
    return true;
}

bool store_batch_page(struct store *store, const struct uuid *id, int32_t page, struct arena *arena,
                      struct bytes *ret_ids, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_uuid(params, id);
    params_int(params, page);
    round_add(&round, &SQL_OPERATOR_BATCH_PAGE, params);
    if (!store_run(store, &round, err)) return false;
    if (PQntuples(round.result[0]) == 0) {
        return err_set(err, ERR_NOT_FOUND, "the batch has no such page");
    }
    *ret_ids = (struct bytes){0};
    result_row(round.result[0], 0, (struct columns){BYTES_COLUMNS, 1, sizeof(struct bytes)}, arena,
               ret_ids);
    return true;
}

bool store_batch_settle(struct store *store, const struct uuid *id, int64_t holder, int64_t before,
                        int64_t done, const struct item_failure *failures, size_t count,
                        uint32_t hold_ms, enum batch_state *ret_state, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_uuid(params, id);
    params_bigint(params, holder);
    params_bigint(params, before);
    params_bigint(params, done);
    params_bigint(params, (int64_t)count);
    params_bigint(params, hold_ms);
    params_array(params, COLUMNS(FAILURE_COLUMNS, item_failure), failures, count);
    round_add(&round, &SQL_OPERATOR_BATCH_SETTLE, params);
    if (!store_run(store, &round, err)) return false;
    if (PQntuples(round.result[0]) == 0) {
        return err_set(err, ERR_CONFLICT, "these items were counted before");
    }
    *ret_state = (enum batch_state)result_bigint(round.result[0], 0, 0);
    return true;
}
