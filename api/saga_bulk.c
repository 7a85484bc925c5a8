/*
 * api/saga_bulk.c
 *   POST /v1/sagas/bulk: many starts in one request, each with an answer of its own.
 *
 * With an Idempotency-Key K the first item that can start takes K itself, with the fingerprint of
 * the whole body: it alone goes first, so that the same key with another body starts nothing. The
 * others follow under "K n" (a key of a client never holds a space) and find themselves again on a
 * replay. An item that was refused the first time, and would be accepted now, starts then.
 */
#include "api/body.h"
#include "api/handlers.h"
#include "api/readers.h"
#include "api/render.h"
#include "api/results.h"
#include "api/server.h"
#include "api/start_read.h"

#include <pthread.h>
#include <stdio.h>

enum { ITEMS_MAX = 1000, NO_ITEM = ITEMS_MAX, BULK_EXTRA_MS = 10 * 1000 };

struct item {
    struct bulk *bulk;
    struct request request;
    bool is_submitted;
    struct bytes answer; /* JSON; absent until there is one */
};

struct bulk {
    struct exchange *exchange;
    struct item *items;
    size_t count;
    size_t guard; /* the item that goes first under the key itself; NO_ITEM: none */
    struct request_key key;
    pthread_mutex_t lock; /* guards the exchange's arena and what follows while items are out */
    size_t waiting;
    size_t inside; /* items, for the admission */
    bool is_replayed, is_other_body;
};

static void answer_item(struct bulk *bulk, struct item *item, uint16_t status,
                        const struct saga *saga)
{
    struct buffer text = buffer_in(&bulk->exchange->arena);
    buffer_add_format(&text, "{\"status\":%u,\"saga\":", status);
    render_saga(&text, saga, bulk->exchange->api->namespace_name);
    buffer_add_char(&text, '}');
    item->answer = buffer_bytes(&text);
}

static void refuse_item(struct bulk *bulk, struct item *item, const struct refusal *refusal)
{
    struct buffer text = buffer_in(&bulk->exchange->arena);
    buffer_add_format(&text, "{\"status\":%u,\"problem\":", problem_row(refusal->problem)->status);
    problem_write(&text, refusal, bulk->exchange->request_id);
    buffer_add_char(&text, '}');
    item->answer = buffer_bytes(&text);
}

/* ---- all answers are there ---- */

static size_t answers_size(const struct bulk *bulk)
{
    size_t size = sizeof("{\"items\":[]}") + bulk->count;
    for (size_t i = 0; i < bulk->count; i++) {
        size += bulk->items[i].answer.size;
    }
    return size;
}

static void finish(struct bulk *bulk)
{
    struct exchange *const exchange = bulk->exchange;
    admission_leave(&exchange->api->admission, bulk->inside);
    (void)pthread_mutex_destroy(&bulk->lock);
    if (bulk->is_other_body) {
        (void)exchange_problem(exchange, PROBLEM_KEY_REUSED,
                               "this Idempotency-Key stands for another request");
        exchange_done(exchange);
        return;
    }
    struct buffer body = buffer_in(&exchange->arena);
    buffer_expect(&body, answers_size(bulk));
    buffer_add_text(&body, "{\"items\":[");
    for (size_t i = 0; i < bulk->count; i++) {
        if (i > 0) buffer_add_char(&body, ',');
        buffer_add_bytes(&body, bulk->items[i].answer);
    }
    buffer_add_text(&body, "]}");
    if (bulk->is_replayed) exchange_set_header(exchange, "Idempotent-Replayed", "true");
    (void)exchange_json(exchange, 200, buffer_bytes(&body));
    exchange_done(exchange);
}

static void take_answer(struct bulk *bulk, struct item *item, const struct answer *answer)
{
    struct arena *const arena = &bulk->exchange->arena;
    if (!result_is_good(answer)) {
        struct refusal refusal = {.arena = arena};
        result_refuse(&refusal, answer, PROBLEM_SAGA_NOT_FOUND);
        refuse_item(bulk, item, &refusal);
        return;
    }
    const bool replayed = answer->result == RESULT_REPLAYED;
    const struct saga *const saga =
        replayed ? result_as_started(arena, answer->saga) : answer->saga;
    bulk->is_replayed = bulk->is_replayed || replayed;
    answer_item(bulk, item, answer->result == RESULT_EXISTS ? 200 : 201, saga);
}

/* Thread: engine workers, several at once. */
static void item_started(struct request *request, const struct answer *answer)
{
    struct item *const item = request->context;
    struct bulk *const bulk = item->bulk;
    (void)pthread_mutex_lock(&bulk->lock);
    take_answer(bulk, item, answer);
    const bool is_last = --bulk->waiting == 0;
    (void)pthread_mutex_unlock(&bulk->lock);
    if (is_last) finish(bulk);
}

/* ---- handing over ---- */

/* The key of item `i` besides the guard: that of the whole and the place. */
static struct bytes derived_key(struct bulk *bulk, size_t i)
{
    struct buffer key = buffer_in(&bulk->exchange->arena);
    if (bulk->key.key.data == NULL) return (struct bytes){0};
    buffer_add_bytes(&key, bulk->key.key);
    buffer_add_format(&key, " %zu", i);
    return buffer_bytes(&key);
}

static void submit_rest(struct bulk *bulk)
{
    struct exchange *const exchange = bulk->exchange;
    struct request **const requests =
        arena_array(&exchange->arena, bulk->count + 1, sizeof(void *));
    size_t count = 0;
    for (size_t i = 0; i < bulk->count; i++) {
        struct item *const item = &bulk->items[i];
        if (item->answer.data != NULL) continue;
        item->request.key = bulk->key;
        item->request.key.key = derived_key(bulk, i);
        item->request.done = item_started;
        requests[count++] = &item->request;
    }
    bulk->waiting = count;
    if (count == 0) {
        finish(bulk);
    } else {
        engine_submit_many(exchange->api->engine, requests, count);
    }
}

static bool is_same_content(const struct start_request *start, const struct saga *saga)
{
    return bytes_equal(start->definition->name, saga->definition->name) &&
           bytes_equal(start->input, saga->input) && bytes_equal(start->labels, saga->labels) &&
           start->start_at_ms == saga->start_at_ms &&
           (!start->has_id || uuid_equal(&start->id, &saga->id));
}

/*
 * On a replay an item before the first one may have become acceptable: the saga under the key
 * belongs to the first item that it can have come from.
 */
static struct item *guarded_item(struct bulk *bulk, const struct answer *answer)
{
    for (size_t i = 0; i < bulk->count && answer->result == RESULT_REPLAYED; i++) {
        struct item *const item = &bulk->items[i];
        if (item->answer.data == NULL && is_same_content(&item->request.start, answer->saga)) {
            return item;
        }
    }
    return &bulk->items[bulk->guard];
}

static void submit_guard(struct bulk *bulk);

/* The next item without an answer is the guard; false: there is none. */
static bool find_next_guard(struct bulk *bulk)
{
    do {
        bulk->guard++;
    } while (bulk->guard < bulk->count && bulk->items[bulk->guard].answer.data != NULL);
    return bulk->guard < bulk->count;
}

/* Thread: engine worker. Nothing else of the bulk is out. */
static void guard_started(struct request *request, const struct answer *answer)
{
    struct bulk *const bulk = ((struct item *)request->context)->bulk;
    bulk->is_other_body = answer->result == RESULT_OTHER_BODY;
    if (bulk->is_other_body) {
        finish(bulk);
        return;
    }
    take_answer(bulk, guarded_item(bulk, answer), answer);
    if (answer->result == RESULT_REFUSED && find_next_guard(bulk)) {
        submit_guard(bulk); /* nothing stands under the key yet */
    } else {
        submit_rest(bulk);
    }
}

static void submit_guard(struct bulk *bulk)
{
    struct item *const item = &bulk->items[bulk->guard];
    item->request.key = bulk->key;
    item->request.done = guard_started;
    engine_submit(bulk->exchange->api->engine, &item->request);
}

static void submit(struct bulk *bulk)
{
    for (size_t i = 0; i < bulk->count; i++) {
        bulk->inside += bulk->items[i].answer.data == NULL;
    }
    admission_enter(&bulk->exchange->api->admission, bulk->inside);
    if (bulk->key.key.data == NULL || bulk->guard == NO_ITEM) {
        submit_rest(bulk);
        return;
    }
    submit_guard(bulk);
}

/* ---- reading ---- */

/* False: an item's definition is not in memory, so that the database must be asked. */
static bool read_items(struct bulk *bulk, struct store *store, const struct json_view *items)
{
    struct arena *const arena = &bulk->exchange->arena;
    size_t i = 0;
    for (const struct json_view *view = items->child; view != NULL; view = view->next, i++) {
        struct item *const item = &bulk->items[i];
        struct refusal refusal = {.arena = arena};
        item->bulk = bulk;
        item->request.kind = REQUEST_START;
        item->request.context = item;
        switch (
            start_read(bulk->exchange, store, view, BYTES(""), &refusal, &item->request.start)) {
        case START_NEEDS_STORE: return false;
        case START_REFUSED: refuse_item(bulk, item, &refusal); break;
        case START_READY:
            if (bulk->guard == NO_ITEM) bulk->guard = i;
            break;
        }
    }
    return true;
}

static bool read_bulk(struct exchange *exchange, const struct json_view **ret_items)
{
    static const struct member MEMBERS[] = {
        {"items", IS_ARRAY, MEMBER_REQUIRED}
    };
    const struct json_view *body = NULL;
    struct refusal *const refusal = &exchange->refusal;
    if (!body_parse(exchange->body, refusal, &body)) return false;
    if (!body_members(body, MEMBERS, 1, BYTES(""), refusal, ret_items)) return false;
    if ((*ret_items)->count <= ITEMS_MAX) return true;
    (void)refuse(refusal, PROBLEM_TOO_MANY_ITEMS, "%u items; %d are the most", (*ret_items)->count,
                 ITEMS_MAX);
    return refuse_at(refusal, BYTES("/items"), "holds more than %d items", ITEMS_MAX);
}

enum handled saga_start_bulk(struct exchange *exchange, struct store *store)
{
    const struct json_view *items = NULL;
    if (!admission_has_room(&exchange->api->admission)) {
        return exchange_problem(exchange, PROBLEM_OVERLOADED, "%s", ADMISSION_REFUSAL);
    }
    if (!read_bulk(exchange, &items)) return exchange_refused(exchange);
    struct bulk *const bulk = arena_alloc(&exchange->arena, sizeof(*bulk));
    bulk->exchange = exchange;
    bulk->count = items->count;
    bulk->guard = NO_ITEM;
    bulk->items = arena_array(&exchange->arena, bulk->count + 1, sizeof(struct item));
    request_key_fill(exchange, &bulk->key);
    const bool is_read = read_items(bulk, store, items);
    if (store == NULL) exchange_suspend(exchange);
    if (!is_read) {
        readers_put(exchange->api->readers, exchange, saga_start_bulk);
        return LATER;
    }
    (void)pthread_mutex_init(&bulk->lock, NULL);
    exchange_extend(exchange, BULK_EXTRA_MS);
    submit(bulk);
    return LATER;
}
