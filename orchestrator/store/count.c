/*
 * orchestrator/store/count.c
 *   How many sagas a filter matches.
 *
 * Counted as far as it is told to, by the index that a list would take; beyond that the planner is
 * asked, which answers at once whatever the size of the tables.
 */
#include "orchestrator/store/store_private.h"
#include "sagas/base/json_view.h"

#include <stdio.h>
#include <string.h>

static const struct sql *const COUNTS[FILTER_INDEX_COUNT] = {
    [FILTER_BY_TAG] = &SQL_COUNT_BY_TAG,
    [FILTER_BY_ATTENTION] = &SQL_COUNT_BY_ATTENTION,
    [FILTER_BY_STATE] = &SQL_COUNT_BY_STATE,
    [FILTER_BY_DEFINITION] = &SQL_COUNT_BY_DEFINITION,
    [FILTER_BY_TIME] = &SQL_COUNT_BY_TIME,
    [FILTER_NEWEST] = &SQL_COUNT_BY_TIME, /* of all times */
};

static const struct column STATE_COLUMNS[] = {
    {COLUMN_ENUM, 0}
};
static const struct column ID_COLUMNS[] = {
    {COLUMN_BIGINT, 0}
};
static const struct column TEXT_COLUMNS[] = {
    {COLUMN_TEXT, 0}
};

/* ---- counting ---- */

/* In a transaction of its own, whose statements may take so long and no longer. */
static bool count_within(struct store *store, const struct saga_filter *filter, uint32_t time_ms,
                         struct round *round, struct err *err)
{
    char limit[16];
    struct saga_filter wanted = *filter;
    wanted.limit++; /* one more tells that it is not all */
    store_round_begin(store, round);
    (void)snprintf(limit, sizeof(limit), "%u", time_ms);
    struct params *const time_limit = params_new(&store->scratch);
    params_string(time_limit, limit);
    const enum filter_index index = filter_choose(filter);
    round_add(round, &SQL_BEGIN, NULL);
    round_add(round, &SQL_TIME_LIMIT, time_limit);
    round_add(
        round, COUNTS[index],
        filter_params(store, &wanted,
                      COUNTS[index] == &SQL_COUNT_BY_TIME ? FILTER_WITH_ID_BOUNDS : FILTER_ALONE));
    round_add(round, &SQL_COMMIT, NULL);
    return store_run(store, round, err);
}

static bool count_exactly(struct store *store, const struct saga_filter *filter, uint32_t time_ms,
                          struct saga_count *ret_count, struct err *err)
{
    static const char QUERY_CANCELED[] = "57014";
    CLEANUP(round) struct round round;
    const uint32_t patience_ms = store->session.timeout_ms;
    if (time_ms > patience_ms) store->session.timeout_ms = time_ms;
    const bool done = count_within(store, filter, time_ms, &round, err);
    store->session.timeout_ms = patience_ms;
    *ret_count = (struct saga_count){0};
    if (!done) return strcmp(round.sqlstate, QUERY_CANCELED) == 0;
    ret_count->count = result_bigint(round.result[2], 0, 0);
    ret_count->exact = ret_count->count <= (int64_t)filter->limit;
    return true;
}

/* ---- asking the planner ---- */

/* What `explain (format json)` says of the whole plan. */
static bool run_estimate(struct store *store, const struct sql *sql, const struct params *params,
                         int64_t *ret_rows, struct err *err)
{
    CLEANUP(round) struct round round;
    struct arena arena = {0};
    const struct json_view *view = NULL;
    struct json_error error;
    struct bytes text = {0};
    round_begin(&round, &store->session);
    round_add(&round, sql, params);
    if (!store_run(store, &round, err)) return false;
    result_row(round.result[0], 0, (struct columns){TEXT_COLUMNS, 1, sizeof(text)}, &arena, &text);
    if (json_view_parse(text, &arena, &view, &error)) view = json_view_item(view, 0);
    if (view != NULL) view = json_view_member(view, "Plan");
    if (view != NULL) view = json_view_member(view, "Plan Rows");
    const bool read = view != NULL && json_view_int64(view, ret_rows);
    arena_done(&arena);
    return read || err_set(err, ERR_INTERNAL, "PostgreSQL's plan has no number of rows");
}

static bool find_definitions(struct store *store, const struct saga_filter *filter,
                             struct arena *arena, int64_t **ret_ids, size_t *ret_count,
                             struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    struct params *const params = store_params(store);
    params_array_or_null(params, (struct columns){TEXT_COLUMNS, 1, sizeof(struct bytes)},
                         filter->definitions, filter->definition_count);
    params_int(params, (int32_t)filter->version);
    round_add(&round, &SQL_DEFINITION_IDS, params);
    if (!store_run(store, &round, err)) return false;
    *ret_ids = result_rows(round.result[0], (struct columns){ID_COLUMNS, 1, sizeof(int64_t)}, arena,
                           ret_count);
    return true;
}

static bool estimate_sagas(struct store *store, const struct saga_filter *filter, int64_t *ret_rows,
                           struct err *err)
{
    struct arena arena = {0};
    int64_t *ids = NULL;
    size_t id_count = 0;
    const bool names = filter->definition_count > 0 || filter->version != 0;
    bool right = !names || find_definitions(store, filter, &arena, &ids, &id_count, err);
    if (right && names && id_count == 0) {
        *ret_rows = 0;
    } else if (right) {
        arena_reset(&store->scratch);
        struct params *const params = store_params(store);
        params_array_or_null(params, (struct columns){STATE_COLUMNS, 1, sizeof(enum saga_state)},
                             filter->states, filter->state_count);
        params_array_or_null(params, (struct columns){ID_COLUMNS, 1, sizeof(int64_t)}, ids,
                             id_count);
        params_bigint(params, filter->created_after_ms);
        params_bigint(params, filter->created_before_ms);
        params_int(params, (int32_t)filter->attention);
        right = run_estimate(store, &SQL_ESTIMATE_SAGAS, params, ret_rows, err);
    }
    arena_done(&arena);
    return right;
}

/* Of one kind and name, any of its values. */
static bool estimate_tag(struct store *store, const struct saga_filter *filter,
                         const struct tag_write *tag, int64_t *ret_rows, struct err *err)
{
    arena_reset(&store->scratch);
    struct bytes *const heads = arena_array(&store->scratch, filter->tag_count, sizeof(*heads));
    size_t count = 0;
    for (size_t i = 0; i < filter->tag_count; i++) {
        const struct tag_write *const other = &filter->tags[i];
        struct bytes rest;
        if (other->kind != tag->kind || !bytes_equal(other->name, tag->name)) continue;
        tag_split(other->value, &heads[count++], &rest);
    }
    struct params *const params = store_params(store);
    params_bytes(params, (struct bytes){&tag->kind, 1});
    params_bytes(params, tag->name);
    params_array(params, (struct columns){TEXT_COLUMNS, 1, sizeof(struct bytes)}, heads, count);
    return run_estimate(store, &SQL_ESTIMATE_TAGS, params, ret_rows, err);
}

static bool estimate(struct store *store, const struct saga_filter *filter, int64_t *ret_rows,
                     struct err *err)
{
    if (!estimate_sagas(store, filter, ret_rows, err)) return false;
    for (size_t i = 0; i < filter->tag_count; i++) {
        int64_t rows = 0;
        if (!estimate_tag(store, filter, &filter->tags[i], &rows, err)) return false;
        if (rows < *ret_rows) *ret_rows = rows;
    }
    return true;
}

bool store_count(struct store *store, const struct saga_filter *filter, uint32_t time_ms,
                 struct saga_count *ret_count, struct err *err)
{
    struct saga_count count;
    if (!count_exactly(store, filter, time_ms, &count, err)) return false;
    if (!count.exact) {
        int64_t rows = 0;
        if (!estimate(store, filter, &rows, err)) return false;
        /* More were seen than the statistics know. */
        if (rows > count.count) count.count = rows;
    }
    *ret_count = count;
    return true;
}
