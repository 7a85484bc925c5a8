/*
 * orchestrator/store/list.c
 *   Sagas by filter, newest first.
 *
 * One statement for each index that can drive the search, all with the same parameters (by time:
 * two more) and the same answer; they differ only in how much they read.
 */
#include "orchestrator/store/store_private.h"

#include <string.h>

static const struct column LIST_COLUMNS[] = {
    COLUMN(UUID, saga_row, id),
    COLUMN(BIGINT, saga_row, definition_id),
    COLUMN(ENUM, saga_row, state),
    COLUMN(INT, saga_row, attention),
    COLUMN(INT, saga_row, revision),
    COLUMN(BYTEA, saga_row, packed),
    COLUMN(BIGINT_OR_NULL, saga_row, due_at_ms),
    COLUMN(BIGINT, saga_row, created_at_ms),
    COLUMN(BIGINT_OR_NULL, saga_row, start_at_ms),
    COLUMN(BIGINT_OR_NULL, saga_row, finished_at_ms),
    COLUMN(TEXT, saga_row, labels),
    COLUMN(TEXT, saga_row, attributes),
    COLUMN(TEXT, saga_row, trace),
    COLUMN(TEXT, saga_row, trace_state),
};

static const struct column STATE_COLUMNS[] = {
    {COLUMN_ENUM, 0}
};
static const struct column NAME_COLUMNS[] = {
    {COLUMN_TEXT, 0}
};

struct tag_filter {
    char kind;
    struct bytes name, value, value_rest;
};

static const struct column TAG_COLUMNS[] = {
    COLUMN(CHAR, tag_filter, kind),
    COLUMN(TEXT, tag_filter, name),
    COLUMN(TEXT, tag_filter, value),
    COLUMN(TEXT, tag_filter, value_rest),
};

void params_array_or_null(struct params *params, struct columns columns, const void *rows,
                          size_t count)
{
    if (count > 0) {
        params_array(params, columns, rows, count);
    } else {
        params_bytes(params, (struct bytes){0});
    }
}

static bool same_group(const struct tag_write *a, const struct tag_write *b)
{
    return a->kind == b->kind && bytes_equal(a->name, b->name);
}

/* Values of one kind and name are alternatives; each group must be met. */
static int32_t count_groups(const struct saga_filter *filter)
{
    int32_t groups = 0;
    for (size_t i = 0; i < filter->tag_count; i++) {
        size_t first = 0;
        while (!same_group(&filter->tags[first], &filter->tags[i])) {
            first++;
        }
        groups += first == i;
    }
    return groups;
}

void filter_add_tags(struct store *store, struct params *params, const struct saga_filter *filter)
{
    struct tag_filter *const tags =
        arena_array(&store->scratch, filter->tag_count + 1, sizeof(*tags));
    for (size_t i = 0; i < filter->tag_count; i++) {
        const struct tag_write *const tag = &filter->tags[i];
        tags[i] = (struct tag_filter){.kind = tag->kind, .name = tag->name};
        tag_split(tag->value, &tags[i].value, &tags[i].value_rest);
    }
    params_array(params, COLUMNS(TAG_COLUMNS, tag_filter), tags, filter->tag_count);
    params_int(params, count_groups(filter));
}

/* The first or last of the ids that are of this time, an hour spared on either side. */
static struct uuid id_bound(int64_t unix_ms, uint8_t rest)
{
    struct uuid bound;
    memset(bound.byte, rest, sizeof(bound.byte));
    for (size_t i = 0; i < 6; i++) {
        bound.byte[i] = (uint8_t)(unix_ms >> (8 * (5 - i)));
    }
    return bound;
}

static void add_id_bounds(struct params *params, const struct saga_filter *filter)
{
    static const int64_t UNIX_MS_MAX = ((int64_t)1 << 48) - 1;
    const int64_t first_ms = filter->created_after_ms - ID_SLACK_MS;
    const int64_t last_ms = filter->created_before_ms + ID_SLACK_MS;
    const bool has_last = filter->created_before_ms != 0 && last_ms < UNIX_MS_MAX;
    const struct uuid low = id_bound(first_ms > 0 ? first_ms : 0, 0);
    const struct uuid high = id_bound(has_last ? last_ms : UNIX_MS_MAX, 0xFF);
    params_uuid(params, &low);
    params_uuid(params, &high);
}

static bool has_time(const struct saga_filter *filter)
{
    return filter->created_after_ms != 0 || filter->created_before_ms != 0;
}

struct params *filter_params(struct store *store, const struct saga_filter *filter,
                             enum filter_bounds bounds)
{
    struct uuid last;
    memset(last.byte, 0xFF, sizeof(last.byte));
    const struct columns states = {STATE_COLUMNS, 1, sizeof(enum saga_state)};
    const struct columns names = {NAME_COLUMNS, 1, sizeof(struct bytes)};

    struct params *const params = store_params(store);
    params_uuid(params, filter->has_before ? &filter->before : &last);
    params_array_or_null(params, states, filter->states, filter->state_count);
    params_array_or_null(params, names, filter->definitions, filter->definition_count);
    params_int(params, (int32_t)filter->version);
    params_int(params, (int32_t)filter->attention);
    filter_add_tags(store, params, filter);
    params_bigint(params, filter->created_after_ms);
    params_bigint(params, filter->created_before_ms);
    params_bigint(params, (int64_t)filter->limit);
    if (bounds == FILTER_WITH_ID_BOUNDS) add_id_bounds(params, filter);
    return params;
}

static bool has_state(const struct saga_filter *filter, enum saga_state state)
{
    for (size_t i = 0; i < filter->state_count; i++) {
        if (filter->states[i] == state) return true;
    }
    return false;
}

enum filter_index filter_choose(const struct saga_filter *filter)
{
    if (filter->tag_count > 0) return FILTER_BY_TAG;
    if (filter->attention != 0) return FILTER_BY_ATTENTION;
    if (filter->state_count > 0 && !has_state(filter, SAGA_SUCCEEDED)) return FILTER_BY_STATE;
    if (filter->definition_count > 0 || filter->version != 0) return FILTER_BY_DEFINITION;
    if (has_time(filter)) return FILTER_BY_TIME;
    return FILTER_NEWEST;
}

static const struct sql *const LISTS[FILTER_INDEX_COUNT] = {
    [FILTER_BY_TAG] = &SQL_LIST_BY_TAG,     [FILTER_BY_ATTENTION] = &SQL_LIST_BY_ATTENTION,
    [FILTER_BY_STATE] = &SQL_LIST_BY_STATE, [FILTER_BY_DEFINITION] = &SQL_LIST_BY_DEFINITION,
    [FILTER_BY_TIME] = &SQL_LIST_BY_TIME,   [FILTER_NEWEST] = &SQL_LIST_NEWEST,
};

bool store_list(struct store *store, const struct saga_filter *filter, struct arena *arena,
                struct saga_row **ret_rows, size_t *ret_count, struct err *err)
{
    CLEANUP(round) struct round round;
    store_round_begin(store, &round);
    const enum filter_index index = filter_choose(filter);
    round_add(&round, LISTS[index],
              filter_params(store, filter,
                            index == FILTER_BY_TIME ? FILTER_WITH_ID_BOUNDS : FILTER_ALONE));
    if (!store_run(store, &round, err)) return false;
    struct saga_row *const rows =
        result_rows(round.result[0], COLUMNS(LIST_COLUMNS, saga_row), arena, ret_count);
    for (size_t i = 0; i < *ret_count; i++) {
        rows[i].found = true;
    }
    *ret_rows = rows;
    return true;
}
