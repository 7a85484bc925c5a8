/*
 * api/batches.c
 *   /v1/batches: one command to many sagas, or the replay of many dead letters, item by item.
 */
#include "api/batch_read.h"
#include "api/body.h"
#include "api/cursor.h"
#include "api/handlers.h"
#include "api/remember.h"
#include "api/results.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/text.h"
#include "orchestrator/base/clock.h"
#include "orchestrator/store/failure.h"
#include "orchestrator/store/operator_batch.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

enum {
    SAMPLE_MAX = 10,
    COUNT_MS = 10 * 1000,
    MAKE_MS = 100 * 1000, /* ten million sagas */
    ACTS_SHOWN = 50,
};

/* ---- as JSON ---- */

static const char *state_name(enum batch_state state)
{
    static const char *const NAMES[] = {
        [BATCH_RUNNING] = "running",
        [BATCH_PAUSED] = "paused",
        [BATCH_DONE] = "done",
        [BATCH_STOPPED] = "stopped",
    };
    return NAMES[state];
}

static bool parse_state(struct bytes name, enum batch_state *ret_state)
{
    for (enum batch_state state = BATCH_RUNNING; state <= BATCH_STOPPED; state++) {
        *ret_state = state;
        if (bytes_equal_text(name, state_name(state))) return true;
    }
    return false;
}

static void add_text(struct buffer *body, const char *name, struct bytes text)
{
    buffer_add_format(body, ",\"%s\":", name);
    if (text.data == NULL) {
        buffer_add_text(body, "null");
    } else {
        json_write_string(body, text);
    }
}

static void add_time(struct buffer *body, const char *name, int64_t at_ms)
{
    buffer_add_format(body, ",\"%s\":", name);
    json_write_time(body, at_ms);
}

static void add_id(struct buffer *body, const struct uuid *id, bool is_letter)
{
    char text[UUID_TEXT_SIZE];
    if (is_letter) {
        buffer_add_format(body, "\"%" PRId64 "\"", letter_number(id));
        return;
    }
    uuid_print(id, text);
    buffer_add_format(body, "\"%s\"", text);
}

static bool is_replay(const struct operator_batch *batch)
{
    return bytes_equal_text(batch->verb, "replay");
}

static void add_wish(struct buffer *body, const struct operator_batch *batch)
{
    buffer_add_text(body, ",\"verb\":");
    json_write_string(body, batch->verb);
    if (batch->step.data != NULL) add_text(body, "step", batch->step);
    if (batch->has_item) buffer_add_format(body, ",\"index\":%d", batch->item);
    if (batch->name.data != NULL) add_text(body, "name", batch->name);
    if (bytes_equal_text(batch->verb, "migrate") && batch->output.size > 2) {
        const struct bytes plan = {batch->output.data + 1, batch->output.size - 2};
        buffer_add_char(body, ',');
        buffer_add_bytes(body, plan); /* its members */
    }
    buffer_add_text(body, ",\"filter\":");
    buffer_add_bytes(body, batch->filter.data == NULL ? BYTES("null") : batch->filter);
    add_text(body, "reason", batch->reason);
    add_text(body, "actor", batch->actor);
    buffer_add_format(body,
                      ",\"rate_per_s\":%u,\"total\":%" PRId64 ",\"done\":%" PRId64
                      ",\"failed\":%" PRId64 ",\"sample\":[",
                      batch->rate, batch->total, batch->done, batch->failed);
    for (size_t at = 0; at + sizeof(struct uuid) <= batch->sample.size; at += sizeof(struct uuid)) {
        struct uuid id;
        memcpy(&id, batch->sample.data + at, sizeof(id));
        if (at > 0) buffer_add_char(body, ',');
        add_id(body, &id, is_replay(batch));
    }
    buffer_add_char(body, ']');
}

/* Without the closing brace. */
static void add_batch(struct buffer *body, const struct operator_batch *batch)
{
    char id[UUID_TEXT_SIZE];
    uuid_print(&batch->id, id);
    buffer_add_format(body, "{\"id\":\"%s\",\"state\":\"%s\"", id, state_name(batch->state));
    add_wish(body, batch);
    add_time(body, "created_at", batch->created_at_ms);
    add_time(body, "updated_at", batch->updated_at_ms);
    add_time(body, "finished_at", batch->finished_at_ms);
}

static bool read_batch_id(struct exchange *exchange, struct uuid *ret_id)
{
    if (uuid_parse(exchange->argument[0], ret_id)) return true;
    return refuse(&exchange->refusal, PROBLEM_BATCH_NOT_FOUND, "batch ids are UUIDs");
}

static enum handled show(struct exchange *exchange, struct store *store, uint16_t status,
                         const struct uuid *id)
{
    struct buffer body = buffer_in(&exchange->arena);
    struct operator_batch batch;
    struct batch_act *acts = NULL;
    size_t count = 0;
    struct err err;
    if (!store_batch_load(store, id, &exchange->arena, &batch, &err) ||
        !store_batch_acts(store, id, ACTS_SHOWN, &exchange->arena, &acts, &count, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_BATCH_NOT_FOUND);
    }
    add_batch(&body, &batch);
    buffer_add_text(&body, ",\"acts\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(&body, i > 0 ? ",{\"at\":" : "{\"at\":");
        json_write_time(&body, acts[i].at_ms);
        add_text(&body, "verb", acts[i].verb);
        add_text(&body, "actor", acts[i].actor);
        add_text(&body, "reason", acts[i].reason);
        buffer_add_char(&body, '}');
    }
    buffer_add_text(&body, "]}");
    return exchange_json(exchange, status, buffer_bytes(&body));
}

/* ---- making one ---- */

static enum handled refuse_size(struct exchange *exchange, int64_t count, bool exact)
{
    return exchange_problem(exchange, PROBLEM_BATCH_TOO_LARGE,
                            "%s%" PRId64 " items; a batch takes at most %d", exact ? "" : "about ",
                            count, BATCH_ITEMS_MAX);
}

static bool sample_sagas(struct exchange *exchange, struct store *store, struct batch_wish *wish,
                         struct err *err)
{
    struct saga_row *rows = NULL;
    size_t count = 0;
    wish->sagas.limit = SAMPLE_MAX;
    if (!store_list(store, &wish->sagas, &exchange->arena, &rows, &count, err)) return false;
    struct uuid *const ids = arena_array(&exchange->arena, SAMPLE_MAX, sizeof(*ids));
    for (size_t i = 0; i < count; i++) {
        ids[i] = rows[i].id;
    }
    wish->batch.sample = (struct bytes){(const char *)ids, count * sizeof(*ids)};
    return true;
}

static void sample_ids(struct batch_wish *wish)
{
    const size_t count = wish->source.id_count < SAMPLE_MAX ? wish->source.id_count : SAMPLE_MAX;
    wish->batch.total = (int64_t)wish->source.id_count;
    wish->batch.sample =
        (struct bytes){(const char *)wish->source.ids, count * sizeof(struct uuid)};
}

/* How many, and some of them. *ret_exact false: estimated. */
static bool count_items(struct exchange *exchange, struct store *store, struct batch_wish *wish,
                        bool *ret_exact, struct err *err)
{
    struct operator_batch *const batch = &wish->batch;
    *ret_exact = true;
    if (wish->source.ids != NULL) {
        sample_ids(wish);
        return true;
    }
    if (wish->source.letters != NULL) {
        return store_count_letters(store, &wish->letters, BATCH_ITEMS_MAX, &exchange->arena,
                                   &batch->total, &batch->sample, err);
    }
    if (wish->source.failure != NULL) {
        struct failure_group *const group = &wish->failure;
        if (!store_failure(store, group->state, group->definition_id, group->key, SAMPLE_MAX,
                           &exchange->arena, group, err)) {
            return false;
        }
        batch->total = group->count;
        batch->sample = group->sample;
        return true;
    }
    struct saga_count count;
    wish->sagas.limit = BATCH_ITEMS_MAX;
    if (!store_count(store, &wish->sagas, COUNT_MS, &count, err)) return false;
    batch->total = count.count;
    *ret_exact = count.exact;
    return sample_sagas(exchange, store, wish, err);
}

static enum handled answer_preview(struct exchange *exchange, const struct batch_wish *wish)
{
    struct buffer body = buffer_in(&exchange->arena);
    buffer_add_text(&body, "{\"id\":null,\"state\":\"previewed\"");
    add_wish(&body, &wish->batch);
    buffer_add_text(&body,
                    ",\"created_at\":null,\"updated_at\":null,\"finished_at\":null,\"acts\":[]}");
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

/* True: the key was used before; the exchange is answered. */
static bool was_made_before(struct exchange *exchange, struct store *store,
                            const struct request_key *key)
{
    struct request_key_row row = {0};
    struct err err;
    if (key->key.data == NULL) return false;
    if (!store_load_keys(store, &key->key, 1, &exchange->arena, &row, &err)) {
        (void)exchange_failed(exchange, &err, PROBLEM_NO_ROUTE);
        return true;
    }
    if (!row.found) return false;
    if (memcmp(row.fingerprint, key->fingerprint, FINGERPRINT_SIZE) != 0) {
        (void)exchange_problem(exchange, PROBLEM_KEY_REUSED,
                               "this Idempotency-Key stands for another request");
        return true;
    }
    exchange_set_header(exchange, "Idempotent-Replayed", "true");
    (void)show(exchange, store, 202, &row.saga_id);
    return true;
}

static struct uuid new_id(void)
{
    uint8_t noise[10];
    randombytes_buf(noise, sizeof(noise));
    return uuid_v7(clock_wall_ms(), noise);
}

static enum handled make(struct exchange *exchange, struct store *store, struct batch_wish *wish,
                         const struct request_key *key)
{
    struct err err;
    wish->batch.id = new_id();
    struct request_key_write write = {
        .key = key->key, .has_saga = true, .saga_id = wish->batch.id, .status = 202};
    memcpy(write.fingerprint, key->fingerprint, FINGERPRINT_SIZE);
    if (!store_batch_make(store, &wish->batch, &wish->source, BATCH_ITEMS_MAX, MAKE_MS,
                          key->key.data == NULL ? NULL : &write, &err)) {
        if (err.kind == ERR_CONFLICT && was_made_before(exchange, store, key)) return ANSWERED;
        if (err.kind == ERR_INVALID) return refuse_size(exchange, BATCH_ITEMS_MAX + 1, false);
        return exchange_failed(exchange, &err, PROBLEM_NO_ROUTE);
    }
    char id[UUID_TEXT_SIZE];
    uuid_print(&wish->batch.id, id);
    exchange_set_header_format(exchange, "Location", "/v1/batches/%s", id);
    return show(exchange, store, 202, &wish->batch.id);
}

/* A filter that cannot match makes an empty batch. */
static void take_nothing(struct batch_wish *wish)
{
    static const struct uuid NONE;
    wish->source = (struct batch_source){.ids = &NONE};
}

static enum handled count_and_make(struct exchange *exchange, struct store *store,
                                   struct batch_wish *wish, bool dry_run,
                                   const struct request_key *key)
{
    bool exact = false;
    struct err err;
    if (!count_items(exchange, store, wish, &exact, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_FAILURE_NOT_FOUND);
    }
    if (wish->batch.total > BATCH_ITEMS_MAX) return refuse_size(exchange, wish->batch.total, exact);
    if (bytes_equal_text(wish->batch.verb, "skip") && wish->batch.step.data == NULL) {
        wish->batch.step = wish->failure.step;
    }
    if (wish->migrates && !batch_plan_migration(exchange, store, wish)) return ANSWERED;
    if (dry_run) return answer_preview(exchange, wish);
    return make(exchange, store, wish, key);
}

enum handled batch_create(struct exchange *exchange, struct store *store)
{
    struct batch_wish *const wish = arena_alloc(&exchange->arena, sizeof(*wish));
    struct request_key key = {0};
    bool dry_run = false;
    if (!exchange_flag(exchange, "dry_run", &dry_run) || !batch_read(exchange, wish)) {
        return exchange_refused(exchange);
    }
    if (!dry_run) request_key_fill(exchange, &key);
    if (was_made_before(exchange, store, &key)) return ANSWERED;
    if (wish->matches_nothing) take_nothing(wish);
    /* Readers are few: one of them at a time may be busy for long. */
    if (atomic_exchange(&exchange->api->freezes, true)) {
        return exchange_problem(exchange, PROBLEM_OVERLOADED,
                                "another batch is being made on this node; one at a time");
    }
    exchange_extend(exchange, COUNT_MS + MAKE_MS);
    const enum handled handled = count_and_make(exchange, store, wish, dry_run, &key);
    atomic_store(&exchange->api->freezes, false);
    return handled;
}

/* ---- reading ---- */

static bool read_states(struct exchange *exchange, enum batch_state *states, size_t *ret_count)
{
    *ret_count = 0;
    for (size_t i = 0; i < exchange->uri.parameter_count; i++) {
        const struct parameter *const parameter = &exchange->uri.parameters[i];
        if (!bytes_equal_text(parameter->name, "state")) continue;
        if (!parse_state(parameter->value, &states[(*ret_count)++])) {
            return refuse(&exchange->refusal, PROBLEM_INVALID_QUERY,
                          "state is one of running paused done stopped");
        }
    }
    return true;
}

/* False: refused. NULL: none was given. */
static bool read_before(struct exchange *exchange, struct uuid *before, struct uuid **ret_before)
{
    struct bytes key;
    *ret_before = NULL;
    if (!cursor_read(exchange, &key)) return false;
    if (key.data == NULL) return true;
    if (key.size != sizeof(*before)) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_CURSOR, "this is no cursor of ours");
    }
    memcpy(before, key.data, key.size);
    *ret_before = before;
    return true;
}

enum handled batch_list(struct exchange *exchange, struct store *store)
{
    struct buffer body = buffer_in(&exchange->arena);
    enum batch_state states[PARAMETERS_MAX];
    struct operator_batch *batches = NULL;
    struct uuid place;
    struct uuid *before = NULL;
    struct bytes cursor = {0};
    size_t state_count = 0;
    size_t limit = 0;
    size_t count = 0;
    struct err err;
    if (!read_states(exchange, states, &state_count) || !cursor_limit(exchange, &limit) ||
        !read_before(exchange, &place, &before)) {
        return exchange_refused(exchange);
    }
    if (!store_batch_list(store, before, states, state_count, limit + 1, &exchange->arena, &batches,
                          &count, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_BATCH_NOT_FOUND);
    }
    if (count > limit) {
        count = limit;
        cursor = cursor_make(exchange, &batches[count - 1].id, sizeof(struct uuid));
    }
    buffer_add_text(&body, "{\"items\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buffer_add_char(&body, ',');
        add_batch(&body, &batches[i]);
        buffer_add_char(&body, '}');
    }
    cursor_close_list(&body, cursor);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

enum handled batch_show(struct exchange *exchange, struct store *store)
{
    struct uuid id;
    if (!read_batch_id(exchange, &id)) return exchange_refused(exchange);
    return show(exchange, store, 200, &id);
}

static enum problem problem_of(enum item_end end, bool is_letter)
{
    switch (end) {
    case ITEM_NOT_FOUND: return is_letter ? PROBLEM_DEAD_LETTER_NOT_FOUND : PROBLEM_SAGA_NOT_FOUND;
    case ITEM_NO_STEP: return PROBLEM_STEP_NOT_FOUND;
    case ITEM_NO_SIGNAL: return PROBLEM_SIGNAL_NOT_FOUND;
    case ITEM_NOT_ALLOWED: return PROBLEM_NOT_ALLOWED;
    case ITEM_PAST_PIVOT: return PROBLEM_PAST_PIVOT;
    case ITEM_SETTLED: return PROBLEM_SETTLED;
    case ITEM_REFUSED: return PROBLEM_INVALID;
    case ITEM_DONE:
    case ITEM_INTERNAL:
    case ITEM_END_COUNT: break;
    }
    return PROBLEM_INTERNAL;
}

static void add_item(struct buffer *body, const struct operator_batch *batch,
                     const struct batch_item *item)
{
    const bool waits = item->seq >= batch->done + batch->failed;
    const bool failed = item->end != ITEM_DONE;
    buffer_add_format(body, "{\"seq\":%" PRId64 ",\"id\":", item->seq);
    add_id(body, &item->id, is_replay(batch));
    buffer_add_format(
        body, ",\"state\":\"%s\",\"problem\":", failed ? "failed" : (waits ? "waiting" : "done"));
    if (failed) {
        const struct problem_row *const row = problem_row(problem_of(item->end, is_replay(batch)));
        buffer_add_format(body, "{\"type\":\"/problems/%s\",\"title\":", row->slug);
        json_write_text(body, row->title);
        buffer_add_format(body, ",\"status\":%u", row->status);
        add_text(body, "detail", item->why.size > 0 ? item->why : bytes_of(row->cause));
        buffer_add_char(body, '}');
    } else {
        buffer_add_text(body, "null");
    }
    buffer_add_char(body, '}');
}

static bool read_first(struct exchange *exchange, int64_t *ret_first)
{
    uint64_t first = 0;
    struct bytes key;
    if (!cursor_read(exchange, &key)) return false;
    if (key.data != NULL && !text_number(key, INT64_MAX, &first)) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_CURSOR, "this is no cursor of ours");
    }
    *ret_first = (int64_t)first;
    return true;
}

enum handled batch_items(struct exchange *exchange, struct store *store)
{
    struct buffer body = buffer_in(&exchange->arena);
    struct buffer key = buffer_in(&exchange->arena);
    struct operator_batch batch;
    struct batch_item *items = NULL;
    struct bytes cursor = {0};
    struct uuid id;
    bool failed_only = false;
    int64_t first = 0;
    size_t limit = 0;
    size_t count = 0;
    struct err err;
    if (!read_batch_id(exchange, &id) || !exchange_flag(exchange, "failed", &failed_only) ||
        !cursor_limit(exchange, &limit) || !read_first(exchange, &first)) {
        return exchange_refused(exchange);
    }
    /* The items first: what is counted as done afterwards was so already, or is only now. */
    if (!store_batch_load(store, &id, &exchange->arena, &batch, &err) ||
        !store_batch_items(store, &id, first, failed_only, limit + 1, &exchange->arena, &items,
                           &count, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_BATCH_NOT_FOUND);
    }
    if (count > limit) {
        count = limit;
        buffer_add_format(&key, "%" PRId64, items[count].seq);
        cursor = cursor_make(exchange, key.data, key.size);
    }
    buffer_add_text(&body, "{\"items\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buffer_add_char(&body, ',');
        add_item(&body, &batch, &items[i]);
    }
    cursor_close_list(&body, cursor);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

/* ---- steering ---- */

struct steering {
    const char *verb;
    enum batch_state to;
    enum batch_state from[2];
    size_t from_count;
    const char *allowed;
};

static const struct steering STEERINGS[] = {
    [STEER_PAUSE] = {"pause",  BATCH_PAUSED,  {BATCH_RUNNING},               1, "a running one"          },
    [STEER_RESUME] = {"resume", BATCH_RUNNING, {BATCH_PAUSED},                1, "a paused one"           },
    [STEER_STOP] =
        {"stop",   BATCH_STOPPED, {BATCH_RUNNING, BATCH_PAUSED}, 2, "a running or paused one"},
};

static bool read_act(struct exchange *exchange, struct batch_act *act)
{
    enum { REASON_SIZE_MAX = 1000 };
    const struct json_view *body = NULL;
    if (!body_is_reason_only(exchange->body, &exchange->refusal)) return false;
    if (exchange->body.size == 0) return true;
    if (!body_parse(exchange->body, &exchange->refusal, &body)) return false;
    const struct json_view *const reason = json_view_member(body, "reason");
    if (reason == NULL) return true;
    act->reason = reason->string;
    return (reason->string.size > 0 && reason->string.size <= REASON_SIZE_MAX &&
            memchr(reason->string.data, '\0', reason->string.size) == NULL) ||
           refuse_at(&exchange->refusal, BYTES("/reason"), "must be 1 to %d bytes without NUL",
                     REASON_SIZE_MAX);
}

enum handled batch_steer(struct exchange *exchange, struct store *store)
{
    const struct steering *const steering = &STEERINGS[exchange->route->verb];
    struct batch_act act = {.verb = bytes_of(steering->verb), .actor = exchange_actor(exchange)};
    struct operator_batch batch;
    struct uuid id;
    struct err err;
    if (!read_batch_id(exchange, &id) || !read_act(exchange, &act)) {
        return exchange_refused(exchange);
    }
    if (remember_replay(exchange, store)) return ANSWERED;
    if (!store_batch_load(store, &id, &exchange->arena, &batch, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_BATCH_NOT_FOUND);
    }
    if (!store_batch_set(store, &id, steering->to, steering->from, steering->from_count, &act,
                         &err)) {
        if (err.kind != ERR_CONFLICT) {
            return exchange_failed(exchange, &err, PROBLEM_BATCH_NOT_FOUND);
        }
        return exchange_problem(exchange, PROBLEM_NOT_ALLOWED, "the batch is %s; %s takes %s",
                                state_name(batch.state), steering->verb, steering->allowed);
    }
    (void)show(exchange, store, 202, &id);
    return remember_answer(exchange, store);
}
