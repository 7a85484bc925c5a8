/*
 * api/saga_list.c
 *   GET /v1/sagas and /v1/sagas/count: newest first, and how many, by filter.
 */
#include "api/cursor.h"
#include "api/handlers.h"
#include "api/render.h"
#include "api/saga_filter.h"
#include "api/saga_read.h"
#include "api/server.h"

#include <string.h>

/* ---- the list ---- */

static bool read_page(struct exchange *exchange, struct saga_filter *filter)
{
    struct bytes key;
    if (!cursor_limit(exchange, &filter->limit) || !cursor_read(exchange, &key)) return false;
    filter->has_before = key.data != NULL;
    if (key.data == NULL) return true;
    if (key.size != sizeof(filter->before)) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_CURSOR, "this is no cursor of ours");
    }
    memcpy(&filter->before, key.data, key.size);
    return true;
}

static bool add_items(struct exchange *exchange, struct store *store, struct buffer *body,
                      const struct saga_row *rows, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct saga *saga = NULL;
        if (!saga_of_row(exchange, store, &rows[i], &saga, err)) return false;
        if (i > 0) buffer_add_char(body, ',');
        render_saga_item(body, saga, exchange->api->namespace_name);
    }
    return true;
}

enum handled saga_list(struct exchange *exchange, struct store *store)
{
    struct saga_filter filter;
    bool matches_nothing = false;
    struct buffer body = buffer_in(&exchange->arena);
    struct saga_row *rows = NULL;
    struct bytes cursor = {0};
    size_t count = 0;
    struct err err;
    if (!saga_filter_read(exchange, &filter, &matches_nothing) || !read_page(exchange, &filter)) {
        return exchange_refused(exchange);
    }
    const size_t limit = filter.limit++; /* one more tells whether a page follows */
    if (!matches_nothing && !store_list(store, &filter, &exchange->arena, &rows, &count, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    }
    if (count > limit) {
        count = limit;
        cursor = cursor_make(exchange, &rows[count - 1].id, sizeof(struct uuid));
    }
    buffer_add_text(&body, "{\"items\":[");
    if (!add_items(exchange, store, &body, rows, count, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    }
    cursor_close_list(&body, cursor);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

/* ---- the count ---- */

enum {
    COUNT_MAX = 100 * 1000, /* counted one by one, else estimated */
    COUNT_MS = 1000,
    EXACT_MS = 10 * 1000, /* with ?exact=true, without a bound on the number */
};

static enum handled count(struct exchange *exchange, struct store *store,
                          const struct saga_filter *filter, uint32_t time_ms)
{
    struct saga_count found = {.exact = true};
    struct buffer body = buffer_in(&exchange->arena);
    struct err err;
    if (!store_count(store, filter, time_ms, &found, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    }
    buffer_add_format(&body, "{\"count\":%lld,\"exact\":%s}", (long long)found.count,
                      found.exact ? "true" : "false");
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

/* Readers are few: one of them at a time may count for long. */
static enum handled count_all(struct exchange *exchange, struct store *store,
                              struct saga_filter *filter)
{
    if (atomic_exchange(&exchange->api->counts, true)) {
        return exchange_problem(exchange, PROBLEM_OVERLOADED,
                                "an exact count is under way on this node; one at a time");
    }
    exchange_extend(exchange, EXACT_MS);
    filter->limit = INT64_MAX - 1;
    const enum handled handled = count(exchange, store, filter, EXACT_MS);
    atomic_store(&exchange->api->counts, false);
    return handled;
}

enum handled saga_count(struct exchange *exchange, struct store *store)
{
    struct saga_filter filter;
    bool matches_nothing = false;
    bool exact = false;
    if (!saga_filter_read(exchange, &filter, &matches_nothing) ||
        !exchange_flag(exchange, "exact", &exact)) {
        return exchange_refused(exchange);
    }
    if (matches_nothing) {
        return exchange_json(exchange, 200, BYTES("{\"count\":0,\"exact\":true}"));
    }
    if (exact) return count_all(exchange, store, &filter);
    filter.limit = COUNT_MAX;
    return count(exchange, store, &filter, COUNT_MS);
}
