/*
 * api/locks.c
 *   /v1/locks: which locks are held, by whom, and who waits for them.
 */
#include "api/locks.h"

#include "api/cursor.h"
#include "api/handlers.h"
#include "api/server.h"
#include "orchestrator/base/clock.h"
#include "sagas/base/json_view.h"
#include "sagas/base/utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HOLDERS_SHOWN = 10 };

/* ---- of one saga ---- */

bool locks_tell_line(struct exchange *exchange, struct store *store, const struct saga *saga,
                     struct why *why, struct why_more *more, struct err *err)
{
    /* Its place may have been given or given up since the saga was read: no more to say then. */
    struct lock_place *const place = arena_alloc(&exchange->arena, sizeof(*place));
    struct err failure;
    if (strcmp(why->kind, "lock") != 0) return true;
    if (!store_lock_place(store, &saga->id, HOLDERS_SHOWN, &exchange->arena, place, &failure)) {
        if (failure.kind == ERR_NOT_FOUND) return true;
        *err = failure;
        return false;
    }
    struct uuid holder;
    struct why_line line = {place->since_ms, place->place, place->held, NULL};
    if (place->holders.size >= sizeof(holder)) {
        memcpy(&holder, place->holders.data, sizeof(holder));
        line.holder = &holder;
    }
    saga_why_in_line(saga, &line, clock_wall_ms(), &exchange->arena, why);
    more->line = place;
    return true;
}

/* ---- as JSON ---- */

static void add_row(struct buffer *body, const struct lock_row *row)
{
    buffer_add_text(body, "{\"definition\":");
    json_write_string(body, row->lock.definition);
    buffer_add_text(body, ",\"key\":");
    if (row->lock.key.size > 0) {
        json_write_string(body, row->lock.key);
    } else {
        buffer_add_text(body, "null");
    }
    buffer_add_format(body, ",\"limit\":%" PRId64 ",\"held\":%" PRId64 ",\"holders\":", row->places,
                      row->held);
    render_ids(body, row->holders);
    buffer_add_format(body, ",\"waiting\":%" PRId64 ",\"next\":", row->waiting);
    render_ids(body, row->next);
    buffer_add_text(body, ",\"waiting_since\":");
    json_write_time(body, row->waits_since_ms);
    buffer_add_char(body, '}');
}

/* ---- asking ---- */

struct query {
    struct lock_filter filter;
    const struct bytes *definitions; /* in order; none: all */
    size_t definition_count;
    struct bytes key; /* only this one; absent: all */
};

static int compare_names(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static void read_definitions(struct exchange *exchange, struct query *query)
{
    struct bytes *const names =
        arena_array(&exchange->arena, exchange->uri.parameter_count + 1, sizeof(*names));
    size_t given = 0;
    for (size_t i = 0; i < exchange->uri.parameter_count; i++) {
        const struct parameter *const parameter = &exchange->uri.parameters[i];
        if (bytes_equal_text(parameter->name, "definition")) names[given++] = parameter->value;
    }
    if (given > 1) qsort(names, given, sizeof(*names), compare_names);
    query->definitions = names;
    for (size_t i = 0; i < given; i++) {
        const bool again = i > 0 && bytes_equal(names[i], names[query->definition_count - 1]);
        if (!again) names[query->definition_count++] = names[i];
    }
}

/* A name, a line end, and the key: it is behind that. */
static bool read_cursor(struct exchange *exchange, struct query *query)
{
    struct bytes last;
    struct buffer key = buffer_in(&exchange->arena);
    query->filter.from = (struct lock_name){BYTES(""), BYTES("")};
    if (!cursor_read(exchange, &last)) return false;
    if (last.data == NULL) return true;
    const char *const end = memchr(last.data, '\n', last.size);
    if (end == NULL || !utf8_valid(last) || memchr(last.data, '\0', last.size) != NULL) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_CURSOR, "this is no cursor of ours");
    }
    const size_t name_size = (size_t)(end - last.data);
    buffer_add(&key, end + 1, last.size - name_size - 1);
    buffer_add_char(&key, '\1'); /* no text is between the two */
    query->filter.from = (struct lock_name){
        {last.data, name_size},
        buffer_bytes(&key)
    };
    return true;
}

static bool read_query(struct exchange *exchange, struct query *query)
{
    query->filter.sample = HOLDERS_SHOWN;
    query->key = uri_parameter(&exchange->uri, "key");
    read_definitions(exchange, query);
    if (!exchange_flag(exchange, "waiting", &query->filter.waited_for) ||
        !cursor_limit(exchange, &query->filter.limit) || !read_cursor(exchange, query)) {
        return false;
    }
    if (query->key.data == NULL) return true;
    if (query->definition_count != 1) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_QUERY,
                      "key is taken together with one definition");
    }
    return true;
}

/* ---- reading ---- */

struct found {
    struct lock_row *rows;
    size_t count;
};

static bool read_range(struct exchange *exchange, struct store *store,
                       const struct lock_filter *filter, struct found *found, struct err *err)
{
    struct lock_row *rows = NULL;
    size_t count = 0;
    if (!store_locks(store, filter, &exchange->arena, &rows, &count, err)) return false;
    if (count > 0) memcpy(&found->rows[found->count], rows, count * sizeof(*rows));
    found->count += count;
    return true;
}

static bool read_one(struct exchange *exchange, struct store *store, const struct query *query,
                     struct found *found, struct err *err)
{
    struct lock_filter filter = query->filter;
    const struct lock_name lock = {query->definitions[0], query->key};
    if (filter.from.definition.size > 0) return true; /* there is no second page */
    filter.from = lock;
    filter.definition = lock.definition;
    filter.limit = 1;
    if (!read_range(exchange, store, &filter, found, err)) return false;
    if (found->count == 1 && !bytes_equal(found->rows[0].lock.key, lock.key)) found->count = 0;
    return true;
}

/* The ranges of the definitions, one after the other. */
static bool read_rows(struct exchange *exchange, struct store *store, const struct query *query,
                      struct found *found, struct err *err)
{
    struct lock_filter filter = query->filter;
    if (query->key.data != NULL) return read_one(exchange, store, query, found, err);
    if (query->definition_count == 0) return read_range(exchange, store, &filter, found, err);
    for (size_t i = 0; i < query->definition_count && found->count < query->filter.limit; i++) {
        const int order = bytes_compare(query->definitions[i], query->filter.from.definition);
        if (order < 0) continue;
        filter.from =
            order == 0 ? query->filter.from : (struct lock_name){query->definitions[i], BYTES("")};
        filter.definition = query->definitions[i];
        filter.limit = query->filter.limit - found->count;
        if (!read_range(exchange, store, &filter, found, err)) return false;
    }
    return true;
}

static struct bytes cursor_behind(struct exchange *exchange, const struct lock_name *lock)
{
    struct buffer text = buffer_in(&exchange->arena);
    buffer_add_bytes(&text, lock->definition);
    buffer_add_char(&text, '\n');
    buffer_add_bytes(&text, lock->key);
    return cursor_make(exchange, text.data, text.size);
}

enum handled lock_list(struct exchange *exchange, struct store *store)
{
    struct query query = {0};
    struct found found = {0};
    struct buffer body = buffer_in(&exchange->arena);
    struct bytes cursor = {0};
    struct err err;
    if (!read_query(exchange, &query)) return exchange_refused(exchange);
    const size_t limit = query.filter.limit++; /* one more tells whether a page follows */
    found.rows = arena_array(&exchange->arena, query.filter.limit, sizeof(*found.rows));
    if (!read_rows(exchange, store, &query, &found, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_DEFINITION_NOT_FOUND);
    }
    if (found.count > limit) {
        found.count = limit;
        cursor = cursor_behind(exchange, &found.rows[limit - 1].lock);
    }
    buffer_add_text(&body, "{\"items\":[");
    for (size_t i = 0; i < found.count; i++) {
        if (i > 0) buffer_add_char(&body, ',');
        add_row(&body, &found.rows[i]);
    }
    cursor_close_list(&body, cursor);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}
