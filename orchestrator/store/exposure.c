/*
 * orchestrator/store/exposure.c
 *   What open sagas have done: written by the commit that made it so, read as sums.
 */
#include "orchestrator/store/exposure.h"

#include "orchestrator/store/batch.h"

static const struct column EFFECT_COLUMNS[] = {
    COLUMN(UUID, effect_write, id),         COLUMN(TEXT, effect_write, step),
    COLUMN(INT, effect_write, item),        COLUMN(BIGINT, effect_write, definition_id),
    COLUMN(BIGINT, effect_write, since_ms), COLUMN(ENUM, effect_write, state),
    COLUMN(BOOL, effect_write, unknown),    COLUMN(TEXT, effect_write, topic),
    COLUMN(TEXT, effect_write, kind),       COLUMN(TEXT, effect_write, currency),
    COLUMN(TEXT, effect_write, amount),
};

static const struct column PLACE_COLUMNS[] = {
    COLUMN(UUID, effect_write, id),
    COLUMN(TEXT, effect_write, step),
    COLUMN(INT, effect_write, item),
};

static const struct column ID_COLUMNS[] = {
    COLUMN(UUID, effect_write, id),
};

static const struct column GROUP_COLUMNS[] = {
    COLUMN(BOOL, exposure_group, is_total),
    COLUMN(BIGINT, exposure_group, key.definition_id),
    COLUMN(TEXT, exposure_group, definition),
    COLUMN(INT, exposure_group, version),
    COLUMN(ENUM, exposure_group, key.state),
    COLUMN(TEXT, exposure_group, key.topic),
    COLUMN(TEXT, exposure_group, key.kind),
    COLUMN(TEXT, exposure_group, key.currency),
    COLUMN(BIGINT, exposure_group, count),
    COLUMN(BIGINT, exposure_group, unknown_count),
    COLUMN(BIGINT, exposure_group, unvalued_count),
    COLUMN(BIGINT, exposure_group, sagas),
    COLUMN(TEXT, exposure_group, amount),
    COLUMN(TEXT, exposure_group, unknown_amount),
    COLUMN(BIGINT, exposure_group, first_at_ms),
    COLUMN(BIGINT, exposure_group, last_at_ms),
};

struct some {
    const void **row;
    size_t count;
};

static struct some some_of(struct store *store, const struct store_batch *batch,
                           enum effect_change change)
{
    struct some some = {arena_array(&store->scratch, batch->effect_count, sizeof(*some.row)), 0};
    for (size_t i = 0; i < batch->effect_count; i++) {
        if (batch->effects[i].change == change) some.row[some.count++] = &batch->effects[i];
    }
    return some;
}

static void add(struct store *store, struct round *round, const struct sql *sql,
                struct columns columns, const struct some *some)
{
    if (some->count == 0) return;
    struct params *const params = store_params(store);
    params_columns(params, columns, some->row, some->count);
    round_add(round, sql, params);
}

void batch_add_effects(struct store *store, struct round *round, const struct store_batch *batch)
{
    const struct some put = some_of(store, batch, EFFECT_PUT);
    const struct some gone = some_of(store, batch, EFFECT_GONE);
    const struct some ended = some_of(store, batch, EFFECTS_ENDED);
    add(store, round, &SQL_EFFECT_DROP_SAGAS, COLUMNS(ID_COLUMNS, effect_write), &ended);
    add(store, round, &SQL_EFFECT_DROP, COLUMNS(PLACE_COLUMNS, effect_write), &gone);
    add(store, round, &SQL_EFFECT_PUT, COLUMNS(EFFECT_COLUMNS, effect_write), &put);
}

static void add_texts(struct params *params, const struct bytes *texts, size_t count)
{
    static const struct column TEXTS[] = {
        {COLUMN_TEXT, 0}
    };
    if (count > 0) {
        params_array(params, (struct columns){TEXTS, 1, sizeof(struct bytes)}, texts, count);
    } else {
        params_bytes(params, (struct bytes){0});
    }
}

static struct params *exposure_params(struct store *store, const struct exposure_filter *filter)
{
    static const struct column STATES[] = {
        {COLUMN_ENUM, 0}
    };
    const struct exposure_key *const after = &filter->after;
    struct params *const params = store_params(store);
    params_array(params, (struct columns){STATES, 1, sizeof(enum saga_state)}, filter->states,
                 filter->state_count);
    add_texts(params, filter->definitions, filter->definition_count);
    add_texts(params, filter->topics, filter->topic_count);
    add_texts(params, filter->kinds, filter->kind_count);
    add_texts(params, filter->currencies, filter->currency_count);
    params_bigint(params, after->definition_id);
    params_int(params, (int32_t)after->state);
    params_bytes(params, after->topic);
    params_bytes(params, after->kind);
    params_bytes(params, after->currency);
    params_bigint(params, (int64_t)filter->limit);
    return params;
}

bool store_exposure(struct store *store, const struct exposure_filter *filter, struct arena *arena,
                    struct exposure_group **ret_groups, size_t *ret_count, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    round_add(&round, &SQL_EXPOSURE_LIST, exposure_params(store, filter));
    if (!store_run(store, &round, err)) return false;
    *ret_groups =
        result_rows(round.result[0], COLUMNS(GROUP_COLUMNS, exposure_group), arena, ret_count);
    return true;
}
