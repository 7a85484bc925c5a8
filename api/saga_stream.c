/*
 * api/saga_stream.c
 *   GET /v1/sagas/{id}/events/stream: a saga's history as it grows, until the saga's end.
 *
 * An event is an entry of the history and its id is the entry's seq, so that a client that comes
 * again with Last-Event-ID misses nothing and hears nothing twice, on whichever node.
 */
#include "api/handlers.h"
#include "api/stream.h"
#include "api/text.h"
#include "orchestrator/engine/history_item.h"

#include <assert.h>

enum { ROWS_MAX = 200 };

struct saga_events {
    uint32_t seq;      /* told so far */
    uint32_t revision; /* known so far */
    bool finished;     /* as far as was told */
};

static bool is_type(struct bytes type, const char *const *types, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal_text(type, types[i])) return true;
    }
    return false;
}

static void note_type(struct saga_events *events, struct bytes type)
{
    static const char *const ENDS[] = {"saga.succeeded", "saga.compensated", "saga.terminated"};
    if (is_type(type, ENDS, sizeof(ENDS) / sizeof(ENDS[0]))) {
        events->finished = true;
    } else if (bytes_equal_text(type, "saga.compensating")) {
        events->finished = false; /* undone after all */
    }
}

static void add_event(struct saga_events *events, const struct history_row *row, uint32_t seq,
                      const struct json_view *entry, struct buffer *piece)
{
    const struct bytes type = json_view_member(entry, "type")->string;
    buffer_add_format(piece, "id: %u\nevent: ", seq);
    buffer_add_bytes(piece, type);
    buffer_add_text(piece, "\ndata: ");
    history_item(piece, row, seq, entry);
    buffer_add_text(piece, "}\n\n");
    note_type(events, type);
    events->seq = seq;
    events->revision = row->revision;
}

static bool add_row(struct saga_events *events, const struct history_row *row, struct arena *arena,
                    struct buffer *piece, struct err *err)
{
    const struct json_view *entries = NULL;
    if (!history_entries(row, arena, &entries, err)) return false;
    assert(entries != NULL);
    uint32_t seq = row->seq;
    for (const struct json_view *entry = entries->child; entry != NULL; entry = entry->next) {
        if (seq > events->seq) add_event(events, row, seq, entry, piece);
        seq++;
    }
    return true;
}

/* What came since; the stream ends behind the last entry of a finished saga. */
static bool add_news(struct exchange *exchange, struct store *store, struct buffer *piece,
                     struct err *err)
{
    struct saga_events *const events = exchange->handler_state;
    struct stream *const stream = exchange->response.stream;
    struct history_row *rows = NULL;
    size_t count = 0;
    size_t i = 0;
    if (store == NULL) return err_set(err, ERR_UNAVAILABLE, "the database is away");
    if (!store_history(store, &exchange->wait.saga_id, events->seq, ROWS_MAX, &stream->arena, &rows,
                       &count, err)) {
        return false;
    }
    for (; i < count && piece->size < STREAM_PIECE_MAX; i++) {
        if (!add_row(events, &rows[i], &stream->arena, piece, err)) return false;
    }
    stream->ended = events->finished && i == count && count < ROWS_MAX;
    return true;
}

static enum handled go_on(struct exchange *exchange, struct store *store)
{
    const struct saga_events *const events = exchange->handler_state;
    struct buffer piece;
    struct err err;
    enum handled handled = ANSWERED;
    do {
        stream_begin(exchange, &piece);
        if (!add_news(exchange, store, &piece, &err)) stream_failed(exchange, &err);
    } while (!stream_rest(exchange, &piece, events->revision, &handled));
    return handled;
}

static bool read_last_id(struct exchange *exchange, uint32_t *ret_seq)
{
    const struct bytes id = stream_last_id(exchange);
    uint64_t seq = 0;
    if (id.data != NULL && !text_number(id, UINT32_MAX, &seq)) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_HEADER,
                      "Last-Event-ID is the id of an event of this saga, a number");
    }
    *ret_seq = (uint32_t)seq;
    return true;
}

enum handled saga_stream(struct exchange *exchange, struct store *store)
{
    struct saga_events *const events = arena_alloc(&exchange->arena, sizeof(*events));
    struct uuid *const id = &exchange->wait.saga_id;
    struct saga_row row = {0};
    struct err err;
    *events = (struct saga_events){0};
    exchange->handler_state = events;
    if (!exchange_saga_id(exchange, id) || !read_last_id(exchange, &events->seq)) {
        return exchange_refused(exchange);
    }
    if (!store_load(store, id, 1, &exchange->arena, &row, &err) ||
        (!row.found && !err_set(&err, ERR_NOT_FOUND, "no such saga"))) {
        return exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    }
    events->revision = row.revision;
    events->finished = saga_is_finished(row.state);
    return stream_open(exchange, 1, go_on) ? ANSWERED : exchange_refused(exchange);
}
