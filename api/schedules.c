/*
 * api/schedules.c
 *   /v1/schedules: reading.
 */
#include "api/cursor.h"
#include "api/handlers.h"
#include "api/routes.h"
#include "api/schedule_read.h"
#include "api/schedule_render.h"
#include "api/server.h"
#include "api/text.h"
#include "orchestrator/store/schedule_rows.h"

#include <inttypes.h>

enum { PREVIEW_DEFAULT = 10, PREVIEW_MAX = 100 };

enum handled schedule_list(struct exchange *exchange, struct store *store)
{
    struct buffer body = buffer_in(&exchange->arena);
    struct schedule_row *rows = NULL;
    struct bytes after = {0};
    struct bytes cursor = {0};
    size_t limit = 0;
    size_t count = 0;
    struct err err;
    if (!cursor_limit(exchange, &limit) || !cursor_read(exchange, &after)) {
        return exchange_refused(exchange);
    }
    if (!store_schedule_list(store, after, limit + 1, &exchange->arena, &rows, &count, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_SCHEDULE_NOT_FOUND);
    }
    if (count > limit) {
        count = limit;
        cursor = cursor_make(exchange, rows[count - 1].name.data, rows[count - 1].name.size);
    }
    buffer_add_text(&body, "{\"items\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buffer_add_char(&body, ',');
        schedule_add(&body, &rows[i]);
        buffer_add_char(&body, '}');
    }
    cursor_close_list(&body, cursor);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

enum handled schedule_show(struct exchange *exchange, struct store *store)
{
    struct buffer body = buffer_in(&exchange->arena);
    struct schedule_row row;
    struct err err;
    if (!store_schedule(store, exchange->argument[0], &exchange->arena, &row, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_SCHEDULE_NOT_FOUND);
    }
    schedule_add_whole(exchange, store, &body, &row);
    buffer_add_char(&body, '}');
    exchange_set_header_format(exchange, "ETag", "\"%u\"", row.revision);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

enum handled schedule_preview(struct exchange *exchange, struct store *store)
{
    const struct bytes text = uri_parameter(&exchange->uri, "count");
    struct buffer body = buffer_in(&exchange->arena);
    struct schedule_row row;
    struct cron cron;
    struct zone zone;
    uint64_t count = PREVIEW_DEFAULT;
    struct err err;
    if (text.data != NULL && (!text_number(text, PREVIEW_MAX, &count) || count == 0)) {
        return exchange_problem(exchange, PROBLEM_INVALID_QUERY, "count must be 1 to %d",
                                PREVIEW_MAX);
    }
    if (!store_schedule(store, exchange->argument[0], &exchange->arena, &row, &err) ||
        !schedule_calendar(exchange, store, &row, &cron, &zone, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_SCHEDULE_NOT_FOUND);
    }
    buffer_add_text(&body, "{\"items\":");
    schedule_add_times(&body, &cron, &zone, row.now_ms, count);
    buffer_add_char(&body, '}');
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

static bool is_unknown(struct exchange *exchange, struct store *store, struct err *err)
{
    struct schedule_row row;
    return !store_schedule(store, exchange->argument[0], &exchange->arena, &row, err);
}

enum handled schedule_history(struct exchange *exchange, struct store *store)
{
    struct buffer body = buffer_in(&exchange->arena);
    struct buffer key = buffer_in(&exchange->arena);
    struct schedule_event_row *rows = NULL;
    struct bytes cursor = {0};
    int64_t before = 0;
    size_t limit = 0;
    size_t count = 0;
    struct err err;
    if (!cursor_limit(exchange, &limit) || !cursor_before(exchange, &before)) {
        return exchange_refused(exchange);
    }
    if (!store_schedule_events(store, exchange->argument[0], before, limit + 1, &exchange->arena,
                               &rows, &count, &err) ||
        (count == 0 && is_unknown(exchange, store, &err))) {
        return exchange_failed(exchange, &err, PROBLEM_SCHEDULE_NOT_FOUND);
    }
    if (count > limit) {
        count = limit;
        buffer_add_format(&key, "%" PRId64, rows[count - 1].id);
        cursor = cursor_make(exchange, key.data, key.size);
    }
    buffer_add_text(&body, "{\"items\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buffer_add_char(&body, ',');
        schedule_add_event(&body, &rows[i]);
    }
    cursor_close_list(&body, cursor);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}
