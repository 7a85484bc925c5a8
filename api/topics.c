/*
 * api/topics.c
 *   /v1/topics: how they do as this node sees them, pause and resume.
 */
#include "api/body.h"
#include "api/command_read.h"
#include "api/cursor.h"
#include "api/handlers.h"
#include "api/remember.h"
#include "api/routes.h"
#include "api/server.h"
#include "orchestrator/engine/topic_view.h"
#include "orchestrator/store/topic_rows.h"

#include <inttypes.h>
#include <string.h>

enum { ACTS_SHOWN = 50, TOPIC_NAME_MAX = 249 };

/* ---- as JSON ---- */

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
    json_write_time(body, at_ms); /* 0: null */
}

static void add_count(struct buffer *body, const char *name, int64_t count)
{
    buffer_add_format(body, ",\"%s\":", name);
    if (count < 0) {
        buffer_add_text(body, "null");
    } else {
        json_write_int(body, count);
    }
}

/* Without the closing brace. */
static void add_topic(struct buffer *body, const struct topic_view *topic)
{
    buffer_add_text(body, "{\"name\":");
    json_write_string(body, topic->name);
    buffer_add_format(body, ",\"paused\":%s", topic->paused ? "true" : "false");
    add_time(body, "paused_at", topic->paused ? topic->paused_at_ms : 0);
    add_text(body, "paused_by", topic->paused_by);
    add_text(body, "reason", topic->paused_why);
    buffer_add_format(body, ",\"circuit\":\"%s\"", topic->circuit);
    add_time(body, "circuit_since", topic->circuit_since_ms);
    add_count(body, "lag", topic->lag);
    add_count(body, "participants", topic->participants);
    add_time(body, "last_reply_at", topic->last_reply_at_ms);
    if (topic->bad_percent < 0) {
        buffer_add_text(body, ",\"error_rate\":null");
    } else {
        buffer_add_format(body, ",\"error_rate\":%d.%02d", topic->bad_percent / 100,
                          topic->bad_percent % 100);
    }
    add_count(body, "window", topic->window);
    add_count(body, "outstanding", topic->outstanding);
    add_count(body, "waiting", (int64_t)topic->waiting);
}

static void add_acts(struct buffer *body, const struct topic_act_row *acts, size_t count)
{
    buffer_add_text(body, ",\"acts\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(body, i > 0 ? ",{\"at\":" : "{\"at\":");
        json_write_time(body, acts[i].at_ms);
        add_text(body, "verb", acts[i].verb);
        add_text(body, "actor", acts[i].actor);
        add_text(body, "reason", acts[i].reason);
        buffer_add_char(body, '}');
    }
    buffer_add_char(body, ']');
}

static enum handled show(struct exchange *exchange, struct store *store, struct err *err)
{
    struct buffer body = buffer_in(&exchange->arena);
    struct topic_view topic;
    struct topic_act_row *acts = NULL;
    size_t count = 0;
    const struct bytes name = exchange->argument[0];
    if (!engine_topic(exchange->api->engine, name, &exchange->arena, &topic)) {
        return exchange_problem(exchange, PROBLEM_TOPIC_NOT_FOUND, "no topic of this name");
    }
    if (!store_topic_acts(store, name, ACTS_SHOWN, &exchange->arena, &acts, &count, err)) {
        return exchange_failed(exchange, err, PROBLEM_TOPIC_NOT_FOUND);
    }
    add_topic(&body, &topic);
    add_acts(&body, acts, count);
    buffer_add_char(&body, '}');
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

/* ---- reading ---- */

/* The first one behind the cursor. */
static size_t first_after(const struct topic_view *topics, size_t count, struct bytes name)
{
    size_t first = 0;
    while (first < count && name.data != NULL && bytes_compare(topics[first].name, name) <= 0) {
        first++;
    }
    return first;
}

enum handled topic_list(struct exchange *exchange, struct store *store)
{
    struct buffer body = buffer_in(&exchange->arena);
    struct topic_view *topics = NULL;
    struct bytes after = {0};
    struct bytes cursor = {0};
    size_t limit = 0;
    size_t count = 0;
    (void)store;
    if (!cursor_limit(exchange, &limit) || !cursor_read(exchange, &after)) {
        return exchange_refused(exchange);
    }
    engine_topics(exchange->api->engine, &exchange->arena, &topics, &count);
    const size_t first = first_after(topics, count, after);
    size_t end = count;
    if (count - first > limit) {
        end = first + limit;
        cursor = cursor_make(exchange, topics[end - 1].name.data, topics[end - 1].name.size);
    }
    buffer_add_text(&body, "{\"items\":[");
    for (size_t i = first; i < end; i++) {
        if (i > first) buffer_add_char(&body, ',');
        add_topic(&body, &topics[i]);
        buffer_add_char(&body, '}');
    }
    cursor_close_list(&body, cursor);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

enum handled topic_show(struct exchange *exchange, struct store *store)
{
    struct err err;
    return show(exchange, store, &err);
}

/* ---- pause and resume ---- */

static bool is_name(struct bytes name)
{
    static const char ALLOWED[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    for (size_t i = 0; i < name.size; i++) {
        if (memchr(ALLOWED, name.data[i], sizeof(ALLOWED) - 1) == NULL) return false;
    }
    return name.size > 0 && name.size <= TOPIC_NAME_MAX;
}

static bool read_reason(struct exchange *exchange, struct bytes *ret_reason)
{
    static const struct member MEMBERS[] = {
        {"reason", IS_STRING, MEMBER_OPTIONAL}
    };
    const struct json_view *body = NULL;
    const struct json_view *value[1];
    struct refusal *const refusal = &exchange->refusal;
    if (exchange->body.size == 0) return true;
    return body_parse(exchange->body, refusal, &body) &&
           body_members(body, MEMBERS, 1, BYTES(""), refusal, value) &&
           command_reason(refusal, value[0], ret_reason);
}

enum handled topic_switch(struct exchange *exchange, struct store *store)
{
    const enum topic_verb verb = (enum topic_verb)exchange->route->verb;
    const struct bytes name = exchange->argument[0];
    struct topic_view topic;
    struct bytes reason = {0};
    bool changed = false;
    struct err err;
    if (!is_name(name)) {
        return exchange_problem(exchange, PROBLEM_TOPIC_NOT_FOUND, "this is no name of a topic");
    }
    if (!read_reason(exchange, &reason)) return exchange_refused(exchange);
    if (remember_replay(exchange, store)) return ANSWERED;
    if (!store_topic_set(store, verb, name, exchange_actor(exchange), reason, &changed, &err) ||
        !engine_read_pauses(exchange->api->engine, store, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_TOPIC_NOT_FOUND);
    }
    const bool known = engine_topic(exchange->api->engine, name, &exchange->arena, &topic);
    if (verb == TOPIC_PAUSE && (!known || !topic.paused)) {
        return exchange_problem(exchange, PROBLEM_NOT_ALLOWED,
                                "%d topics are paused or known already; resume one first",
                                TOPIC_PAUSES_MAX);
    }
    (void)show(exchange, store, &err);
    return remember_answer(exchange, store);
}
