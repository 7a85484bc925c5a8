/*
 * api/saga_signals.c
 *   POST /v1/signals/{name}: a signal to the open sagas that a business attribute names.
 *
 * Each saga is asked by itself, and once by the Idempotency-Key; the answer is stored when all of
 * them have answered, so a crash between repeats what changes nothing.
 */
#include "api/body.h"
#include "api/command_read.h"
#include "api/handlers.h"
#include "api/readers.h"
#include "api/remember.h"
#include "api/results.h"
#include "api/server.h"
#include "orchestrator/store/store.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

enum { TARGETS_MAX = 1000, ATTRIBUTES_MAX = 16, SIGNALS_EXTRA_MS = 10 * 1000 };

enum match { MATCH_ONE, MATCH_ALL };

struct target {
    struct signals *signals;
    struct request request;
    struct refusal refusal; /* problem NONE: it has taken the signal */
    enum verdict verdict;
};

struct signals {
    struct exchange *exchange;
    enum match match;
    struct event event;
    struct tag_write tags[ATTRIBUTES_MAX];
    struct saga_filter filter;
    struct target *targets;
    size_t count;
    pthread_mutex_t lock; /* guards the exchange's arena and `waiting` while requests are out */
    size_t waiting;
};

/* ---- reading ---- */

static bool read_attributes(struct signals *signals, const struct json_view *attribute)
{
    struct refusal *const refusal = &signals->exchange->refusal;
    struct arena *const arena = &signals->exchange->arena;
    bool right = true;
    if (attribute->count == 0 || attribute->count > ATTRIBUTES_MAX) {
        return refuse_at(refusal, BYTES("/attribute"), "must have 1 to %d members", ATTRIBUTES_MAX);
    }
    for (const struct json_view *at = attribute->child; at != NULL; at = at->next) {
        struct buffer pointer = buffer_in(arena);
        buffer_add_text(&pointer, "/attribute");
        json_pointer_add(&pointer, at->key);
        if (at->type != VIEW_STRING) {
            right = refuse_at(refusal, buffer_bytes(&pointer), "must be a text: attributes are");
            continue;
        }
        if (memchr(at->key.data, '\0', at->key.size) != NULL ||
            memchr(at->string.data, '\0', at->string.size) != NULL) {
            right = refuse_at(refusal, buffer_bytes(&pointer), "must be a text without NUL");
            continue;
        }
        signals->tags[signals->filter.tag_count++] =
            (struct tag_write){.kind = 'a', .name = at->key, .value = at->string};
    }
    return right;
}

static bool read_match(struct signals *signals, const struct json_view *match)
{
    if (match == NULL || bytes_equal_text(match->string, "one")) return true;
    signals->match = MATCH_ALL;
    return bytes_equal_text(match->string, "all") ||
           refuse_at(&signals->exchange->refusal, BYTES("/match"), "must be one or all");
}

static bool read_signals(struct signals *signals)
{
    static const enum saga_state OPEN[] = {SAGA_PENDING, SAGA_RUNNING, SAGA_COMPENSATING,
                                           SAGA_STUCK};
    static const struct member MEMBERS[] = {
        {"attribute", IS_OBJECT,   MEMBER_REQUIRED},
        {"match",     IS_STRING,   MEMBER_OPTIONAL},
        {"payload",   IS_ANYTHING, MEMBER_OPTIONAL},
        {"reason",    IS_STRING,   MEMBER_OPTIONAL},
    };
    struct exchange *const exchange = signals->exchange;
    const struct json_view *body = NULL;
    const struct json_view *value[4];
    signals->event = (struct event){
        .kind = EVENT_SIGNAL, .step = -1, .index = INDEX_NONE, .actor = exchange_actor(exchange)};
    command_name_signal(exchange, exchange->argument[0], &signals->event);
    signals->filter = (struct saga_filter){.states = OPEN,
                                           .state_count = sizeof(OPEN) / sizeof(OPEN[0]),
                                           .tags = signals->tags,
                                           .limit = TARGETS_MAX + 1};
    if (!body_parse(exchange->body, &exchange->refusal, &body) ||
        !body_members(body, MEMBERS, 4, BYTES(""), &exchange->refusal, value)) {
        return false;
    }
    bool right = read_attributes(signals, value[0]);
    right = read_match(signals, value[1]) && right;
    return command_read_signal(&exchange->refusal, value[2], value[3], &signals->event) && right;
}

/* ---- all answers are there ---- */

static void add_target(struct buffer *body, const struct signals *signals,
                       const struct target *target)
{
    char id[UUID_TEXT_SIZE];
    uuid_print(&target->request.command.saga_id, id);
    const enum problem problem = target->refusal.problem;
    buffer_add_format(body, "{\"saga\":\"%s\",\"status\":%u", id,
                      problem == PROBLEM_NONE ? 202 : problem_row(problem)->status);
    if (problem == PROBLEM_NONE) {
        buffer_add_format(body, ",\"verdict\":\"%s\"", verdict_name(target->verdict));
    } else {
        buffer_add_text(body, ",\"problem\":");
        problem_write(body, &target->refusal, signals->exchange->request_id);
    }
    buffer_add_char(body, '}');
}

static void finish(struct signals *signals)
{
    struct exchange *const exchange = signals->exchange;
    struct buffer body = buffer_in(&exchange->arena);
    (void)pthread_mutex_destroy(&signals->lock);
    if (signals->match == MATCH_ONE && signals->targets[0].refusal.problem != PROBLEM_NONE) {
        exchange->refusal = signals->targets[0].refusal;
        (void)exchange_refused(exchange);
        exchange_done(exchange);
        return;
    }
    buffer_add_text(&body, "{\"items\":[");
    for (size_t i = 0; i < signals->count; i++) {
        if (i > 0) buffer_add_char(&body, ',');
        add_target(&body, signals, &signals->targets[i]);
    }
    buffer_add_text(&body, "]}");
    (void)exchange_json(exchange, 202, buffer_bytes(&body));
    readers_put_waiting(exchange->api->readers, exchange, remember_answer);
}

/* Thread: engine workers, several at once. */
static void signalled(struct request *request, const struct answer *answer)
{
    struct target *const target = request->context;
    struct signals *const signals = target->signals;
    (void)pthread_mutex_lock(&signals->lock);
    target->verdict = answer->verdict;
    if (answer->result == RESULT_NOT_FOUND && answer->saga != NULL) {
        result_unknown_signal(&target->refusal, answer->saga->definition);
    } else if (!result_is_good(answer)) {
        result_refuse(&target->refusal, answer, PROBLEM_SAGA_NOT_FOUND);
    }
    const bool is_last = --signals->waiting == 0;
    (void)pthread_mutex_unlock(&signals->lock);
    if (is_last) finish(signals);
}

/* ---- finding and asking ---- */

static bool is_right_number(struct signals *signals, size_t count)
{
    struct refusal *const refusal = &signals->exchange->refusal;
    if (count == 0) {
        return refuse(refusal, PROBLEM_SAGA_NOT_FOUND, "no open saga has these attributes");
    }
    if (count > TARGETS_MAX) {
        return refuse(refusal, PROBLEM_MATCHES_MANY,
                      "more than %d open sagas have these attributes", TARGETS_MAX);
    }
    return signals->match == MATCH_ALL || count == 1 ||
           refuse(refusal, PROBLEM_MATCHES_MANY,
                  "%zu open sagas have these attributes, and one is asked for", count);
}

static void ask_all(struct signals *signals, const struct saga_row *rows)
{
    struct exchange *const exchange = signals->exchange;
    struct request **const requests =
        arena_array(&exchange->arena, signals->count, sizeof(struct request *));
    signals->targets = arena_array(&exchange->arena, signals->count, sizeof(*signals->targets));
    (void)pthread_mutex_init(&signals->lock, NULL);
    signals->waiting = signals->count;
    for (size_t i = 0; i < signals->count; i++) {
        struct target *const target = &signals->targets[i];
        target->signals = signals;
        target->refusal.arena = &exchange->arena;
        target->request.kind = REQUEST_COMMAND;
        target->request.done = signalled;
        target->request.context = target;
        target->request.command =
            (struct command_request){.saga_id = rows[i].id, .event = signals->event};
        requests[i] = &target->request;
    }
    exchange_extend(exchange, SIGNALS_EXTRA_MS);
    engine_submit_many(exchange->api->engine, requests, signals->count);
}

enum handled saga_signal_match(struct exchange *exchange, struct store *store)
{
    struct signals *const signals = arena_alloc(&exchange->arena, sizeof(*signals));
    struct saga_row *rows = NULL;
    struct err err;
    signals->exchange = exchange;
    if (!read_signals(signals)) return exchange_refused(exchange);
    if (remember_replay(exchange, store)) return ANSWERED;
    if (!store_list(store, &signals->filter, &exchange->arena, &rows, &signals->count, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    }
    if (!is_right_number(signals, signals->count)) return exchange_refused(exchange);
    ask_all(signals, rows);
    return LATER;
}
