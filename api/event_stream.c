/*
 * api/event_stream.c
 *   GET /v1/events/stream: what happens to all sagas, as far as a filter wants it.
 *
 * Events come in the order of store/event_rows.h; an id is the place of a row and how many of its
 * entries were told or passed over, so that it means the same on every node.
 */
#include "api/handlers.h"
#include "api/saga_filter.h"
#include "api/server.h"
#include "api/stream.h"
#include "api/text.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/engine/history_item.h"
#include "orchestrator/engine/registry.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    PLACES = 10,   /* that such a stream takes of STREAMS_MAX */
    PAGE_ROWS = 8, /* some 32 KiB each */
    PAGES_MAX = 8, /* in one go without an event that is wanted */
    ALIVE_SIZE = 48,
};

struct all_events {
    struct saga_filter filter;
    const struct bytes *types; /* any of; none given: all */
    size_t type_count;
    int64_t place;  /* of the row to be read */
    uint64_t heard; /* entries of it that were dealt with */
    char alive[ALIVE_SIZE];
};

/* One call. */
struct telling {
    struct exchange *exchange;
    struct store *store;
    struct all_events *events;
    struct buffer *piece;
    struct arena scratch;      /* of a page */
    const struct uuid *tagged; /* sagas of the row that have the wanted tags */
    size_t tagged_count;
};

/* ---- what is wanted ---- */

static bool wants_type(const struct all_events *events, struct bytes type)
{
    for (size_t i = 0; i < events->type_count; i++) {
        if (bytes_equal(events->types[i], type)) return true;
    }
    return events->type_count == 0;
}

static bool wants_state(const struct saga_filter *filter, enum saga_state state)
{
    for (size_t i = 0; i < filter->state_count; i++) {
        if (filter->states[i] == state) return true;
    }
    return filter->state_count == 0;
}

static bool wants_definition(const struct saga_filter *filter, const struct definition *definition)
{
    if (filter->version != 0 && filter->version != definition->version) return false;
    for (size_t i = 0; i < filter->definition_count; i++) {
        if (bytes_equal(filter->definitions[i], definition->name)) return true;
    }
    return filter->definition_count == 0;
}

static bool wants_saga(const struct telling *telling, const struct uuid *id)
{
    for (size_t i = 0; i < telling->tagged_count; i++) {
        if (uuid_equal(&telling->tagged[i], id)) return true;
    }
    return telling->events->filter.tag_count == 0;
}

static bool find_tagged(struct telling *telling, const struct event_row *rows, size_t count,
                        struct err *err)
{
    const struct saga_filter *const filter = &telling->events->filter;
    struct uuid *found = NULL;
    if (filter->tag_count == 0) return true;
    struct uuid *const ids = arena_array(&telling->scratch, count, sizeof(*ids));
    for (size_t i = 0; i < count; i++) {
        ids[i] = rows[i].saga_id;
    }
    if (!store_events_tagged(telling->store, filter, ids, count, &telling->scratch, &found,
                             &telling->tagged_count, err)) {
        return false;
    }
    telling->tagged = found;
    return true;
}

/* ---- telling ---- */

static void add_event(struct telling *telling, const struct event_row *row, uint32_t seq,
                      const struct json_view *entry, const struct definition *definition)
{
    const struct all_events *const events = telling->events;
    const struct bytes type = json_view_member(entry, "type")->string;
    if (!wants_type(events, type)) return;
    buffer_add_format(telling->piece, "id: %" PRId64 ".%" PRIu64 "\nevent: ", events->place,
                      events->heard);
    buffer_add_bytes(telling->piece, type);
    buffer_add_text(telling->piece, "\ndata: ");
    history_event(telling->piece, row, seq, entry, definition,
                  telling->exchange->api->namespace_name);
    buffer_add_text(telling->piece, "\n\n");
}

/* Those of its entries that are not dealt with; `skip` of the row's were. */
static bool add_row(struct telling *telling, const struct event_row *row, uint64_t *skip,
                    struct err *err)
{
    struct all_events *const events = telling->events;
    const struct definition *definition = NULL;
    const struct json_view *entries = NULL;
    if (*skip >= row->history.count) {
        *skip -= row->history.count;
        return true;
    }
    const bool is_wanted =
        wants_state(&events->filter, row->state) && wants_saga(telling, &row->saga_id);
    if (is_wanted && (!registry_by_id(telling->exchange->api->registry, telling->store,
                                      row->definition_id, &definition, err) ||
                      !history_entries(&row->history, &telling->scratch, &entries, err))) {
        return false;
    }
    if (!is_wanted || !wants_definition(&events->filter, definition)) {
        events->heard += row->history.count - *skip;
        *skip = 0;
        return true;
    }
    assert(entries != NULL);
    uint32_t seq = row->history.seq;
    for (const struct json_view *entry = entries->child; entry != NULL;
         entry = entry->next, seq++) {
        if (*skip > 0) {
            (*skip)--;
            continue;
        }
        events->heard++;
        add_event(telling, row, seq, entry, definition);
    }
    return true;
}

/* False with no error: the piece is full. */
static bool add_batch(struct telling *telling, const struct event_batch *batch, bool *ret_full,
                      struct err *err)
{
    struct all_events *const events = telling->events;
    struct event_row *rows = NULL;
    size_t count = 0;
    if (batch->place != events->place) events->heard = 0;
    events->place = batch->place;
    uint64_t skip = events->heard;
    if (!event_batch_read(batch, &telling->scratch, &rows, &count, err) ||
        !find_tagged(telling, rows, count, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        *ret_full = telling->piece->size >= STREAM_PIECE_MAX;
        if (*ret_full) return true;
        if (!add_row(telling, &rows[i], &skip, err)) return false;
    }
    events->place++;
    events->heard = 0;
    return true;
}

/* *ret_more: there is more to read, although nothing may have been told. */
static bool add_page(struct telling *telling, bool *ret_more, struct err *err)
{
    struct event_batch *batches = NULL;
    size_t count = 0;
    bool full = false;
    if (!store_events(telling->store, telling->events->place, PAGE_ROWS, &telling->scratch,
                      &batches, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count && !full; i++) {
        if (!add_batch(telling, &batches[i], &full, err)) return false;
    }
    *ret_more = full || count == PAGE_ROWS;
    return true;
}

static bool add_news(struct telling *telling, struct err *err)
{
    bool more = true;
    if (telling->store == NULL) return err_set(err, ERR_UNAVAILABLE, "the database is away");
    for (int i = 0; i < PAGES_MAX && more && telling->piece->size < STREAM_PIECE_MAX; i++) {
        arena_reset(&telling->scratch);
        if (!add_page(telling, &more, err)) return false;
    }
    /* Others wait for the thread; what was passed over need not be read again. */
    if (more && telling->piece->size == 0) {
        buffer_add_text(telling->piece, telling->events->alive);
    }
    return true;
}

/* Where it stands, for a client that hears nothing for long and comes again. */
static void note_place(struct exchange *exchange)
{
    struct all_events *const events = exchange->handler_state;
    (void)snprintf(events->alive, sizeof(events->alive), "id: %" PRId64 ".%" PRIu64 "\n: alive\n\n",
                   events->place, events->heard);
    exchange->response.stream->alive = bytes_of(events->alive);
}

static enum handled go_on(struct exchange *exchange, struct store *store)
{
    struct all_events *const events = exchange->handler_state;
    struct buffer piece;
    struct telling telling = {
        .exchange = exchange, .store = store, .events = events, .piece = &piece};
    struct err err;
    enum handled handled = ANSWERED;
    do {
        stream_begin(exchange, &piece);
        if (!add_news(&telling, &err)) stream_failed(exchange, &err);
        note_place(exchange);
    } while (!stream_rest(exchange, &piece, (uint32_t)(events->place - 1), &handled));
    arena_done(&telling.scratch);
    return handled;
}

/* ---- opening ---- */

static bool read_types(struct exchange *exchange, struct all_events *events)
{
    const struct uri *const uri = &exchange->uri;
    struct bytes *const types =
        arena_array(&exchange->arena, uri->parameter_count + 1, sizeof(*types));
    events->types = types;
    for (size_t i = 0; i < uri->parameter_count; i++) {
        const struct bytes value = uri->parameters[i].value;
        if (!bytes_equal_text(uri->parameters[i].name, "type")) continue;
        if (!history_knows_type(value)) {
            return refuse(&exchange->refusal, PROBLEM_INVALID_QUERY,
                          "type is that of an entry of a history, such as saga.succeeded");
        }
        types[events->type_count++] = value;
    }
    return true;
}

/* "<place>.<entries>"; `0`: from the oldest that is kept. */
static bool read_id(struct bytes id, int64_t *ret_place, uint64_t *ret_heard)
{
    const char *const dot = id.size == 0 ? NULL : memchr(id.data, '.', id.size);
    const size_t size = dot == NULL ? id.size : (size_t)(dot - id.data);
    uint64_t place = 0;
    *ret_heard = 0;
    if (!text_number((struct bytes){id.data, size}, INT64_MAX - 1, &place)) return false;
    *ret_place = (int64_t)place;
    if (dot == NULL) return place == 0;
    return text_number((struct bytes){dot + 1, id.size - size - 1}, UINT32_MAX, ret_heard);
}

static bool find_begin(struct exchange *exchange, const struct event_position *position,
                       struct all_events *events)
{
    const struct bytes id = stream_last_id(exchange);
    events->place = position->place + 1;
    if (id.data == NULL) return true;
    if (!read_id(id, &events->place, &events->heard) || events->place > position->place + 1) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_HEADER,
                      "Last-Event-ID is the id of an event of this stream, or 0 for the oldest");
    }
    if (events->place == 0) {
        events->place = position->first == 0 ? position->place + 1 : position->first;
        return true;
    }
    if (events->place == position->place + 1 ||
        (position->first != 0 && events->place >= position->first)) {
        return true;
    }
    return refuse(&exchange->refusal, PROBLEM_EVENTS_GONE,
                  "events are kept for a day; that one is older");
}

enum handled event_stream(struct exchange *exchange, struct store *store)
{
    struct all_events *const events = arena_alloc(&exchange->arena, sizeof(*events));
    struct event_position position;
    struct err err;
    bool matches_nothing = false;
    *events = (struct all_events){0};
    exchange->handler_state = events;
    if (!engine_keeps_events(exchange->api->engine)) {
        return exchange_problem(exchange, PROBLEM_EVENTS_OFF,
                                "this node runs with --events off; a saga's own stream is there");
    }
    if (!saga_filter_read(exchange, &events->filter, &matches_nothing) ||
        !read_types(exchange, events)) {
        return exchange_refused(exchange);
    }
    if (!store_events_position(store, &position, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_NO_ROUTE);
    }
    if (!find_begin(exchange, &position, events) || !stream_open(exchange, PLACES, go_on)) {
        return exchange_refused(exchange);
    }
    exchange->wait.saga_id = (struct uuid){0};
    exchange->wait.what = WAIT_PLACE;
    note_place(exchange);
    return ANSWERED;
}
