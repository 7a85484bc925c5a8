/*
 * api/dead_letters.c
 *   /v1/dead-letters: replies and signals that could not be taken, and what to do with them.
 */
#include "api/body.h"
#include "api/cursor.h"
#include "api/handlers.h"
#include "api/remember.h"
#include "api/server.h"
#include "api/text.h"
#include "orchestrator/store/store.h"

#include <inttypes.h>

static void add_letter(struct exchange *exchange, struct buffer *body,
                       const struct dead_letter_row *row)
{
    struct arena *const arena = &exchange->arena;
    buffer_add_format(body, "{\"id\":\"%" PRId64 "\",\"at\":", row->id);
    json_write_time(body, row->at_ms);
    buffer_add_text(body, ",\"topic\":");
    json_write_string(body, row->topic);
    buffer_add_format(body, ",\"partition\":%d,\"offset\":%" PRId64 ",\"reason\":", row->partition,
                      row->offset);
    json_write_string(body, row->reason);
    buffer_add_text(body, ",\"headers\":");
    buffer_add_bytes(body, row->headers.data == NULL ? BYTES("[]") : row->headers);
    buffer_add_text(body, ",\"key_base64\":");
    json_write_text(
        body, row->key.data == NULL ? NULL : text_base64(arena, row->key.data, row->key.size).data);
    buffer_add_text(body, ",\"value_base64\":");
    json_write_text(body, row->value.data == NULL
                              ? ""
                              : text_base64(arena, row->value.data, row->value.size).data);
    buffer_add_text(body, ",\"settled\":");
    if (row->settled.data == NULL) {
        buffer_add_text(body, "null");
    } else {
        json_write_string(body, row->settled);
    }
    buffer_add_char(body, '}');
}

static enum handled show_letter(struct exchange *exchange, const struct dead_letter_row *row)
{
    struct buffer body = buffer_in(&exchange->arena);
    add_letter(exchange, &body, row);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

static bool read_id(struct exchange *exchange, int64_t *ret_id)
{
    uint64_t id = 0;
    if (!text_number(exchange->argument[0], INT64_MAX, &id)) {
        return refuse(&exchange->refusal, PROBLEM_DEAD_LETTER_NOT_FOUND, "ids are numbers");
    }
    *ret_id = (int64_t)id;
    return true;
}

/* False: answered already. */
static bool find_letter(struct exchange *exchange, struct store *store,
                        struct dead_letter_row *ret_row)
{
    int64_t id = 0;
    struct err err;
    if (!read_id(exchange, &id)) {
        (void)exchange_refused(exchange);
        return false;
    }
    if (store_dead_letter(store, id, &exchange->arena, ret_row, &err)) return true;
    (void)exchange_failed(exchange, &err, PROBLEM_DEAD_LETTER_NOT_FOUND);
    return false;
}

enum handled dead_letter_list(struct exchange *exchange, struct store *store)
{
    struct buffer body = buffer_in(&exchange->arena);
    struct buffer key = buffer_in(&exchange->arena);
    struct dead_letter_row *rows = NULL;
    struct bytes cursor = {0};
    int64_t before = 0;
    size_t limit = 0;
    size_t count = 0;
    struct err err;
    if (!cursor_limit(exchange, &limit) || !cursor_before(exchange, &before)) {
        return exchange_refused(exchange);
    }
    if (!store_dead_letters(store, before, limit + 1, &exchange->arena, &rows, &count, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_DEAD_LETTER_NOT_FOUND);
    }
    if (count > limit) {
        count = limit;
        buffer_add_format(&key, "%" PRId64, rows[count - 1].id);
        cursor = cursor_make(exchange, key.data, key.size);
    }
    buffer_add_text(&body, "{\"items\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buffer_add_char(&body, ',');
        add_letter(exchange, &body, &rows[i]);
    }
    cursor_close_list(&body, cursor);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

enum handled dead_letter_show(struct exchange *exchange, struct store *store)
{
    struct dead_letter_row row;
    if (!find_letter(exchange, store, &row)) return ANSWERED;
    return show_letter(exchange, &row);
}

/* ---- replay and discard ---- */

static enum handled settle(struct exchange *exchange, struct store *store,
                           struct dead_letter_row *row, const char *how)
{
    struct err err;
    if (!store_dead_letter_settle(store, row->id, how, &err)) {
        if (err.kind != ERR_CONFLICT) {
            return exchange_failed(exchange, &err, PROBLEM_DEAD_LETTER_NOT_FOUND);
        }
        return exchange_problem(exchange, PROBLEM_SETTLED, "it was settled before");
    }
    row->settled = bytes_of(how);
    (void)show_letter(exchange, row);
    return remember_answer(exchange, store);
}

/* False: answered already. */
static bool begin(struct exchange *exchange, struct store *store, struct dead_letter_row *ret_row)
{
    if (!body_is_reason_only(exchange->body, &exchange->refusal)) {
        (void)exchange_refused(exchange);
        return false;
    }
    if (remember_replay(exchange, store) || !find_letter(exchange, store, ret_row)) return false;
    if (ret_row->settled.data == NULL) return true;
    const struct bytes settled = ret_row->settled;
    (void)exchange_problem(exchange, PROBLEM_SETTLED, "it was %.*s before", (int)settled.size,
                           settled.data);
    return false;
}

/* First the record, then the mark: what is replayed twice changes nothing the second time. */
enum handled dead_letter_replay(struct exchange *exchange, struct store *store)
{
    struct dead_letter_row row;
    struct bus_record record;
    if (!begin(exchange, store, &row)) return ANSWERED;
    if (!engine_letter_record(&row, &exchange->arena, &record)) {
        return exchange_problem(exchange, PROBLEM_INTERNAL, "the stored record cannot be read");
    }
    if (!engine_replay_record(exchange->api->engine, &record)) {
        return exchange_problem(exchange, PROBLEM_OVERLOADED, "the queue of this node is full");
    }
    return settle(exchange, store, &row, "replayed");
}

enum handled dead_letter_discard(struct exchange *exchange, struct store *store)
{
    struct dead_letter_row row;
    if (!begin(exchange, store, &row)) return ANSWERED;
    return settle(exchange, store, &row, "discarded");
}
