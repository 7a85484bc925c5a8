/*
 * orchestrator/bus/command.c
 *   See command.h. Names of the definition cannot collide with ours: registration refuses them.
 */
#include "orchestrator/bus/command.h"

#include "orchestrator/bus/trace.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    TIME_TEXT_SIZE = sizeof "2026-01-31T12:00:00.000Z",
    ID_TEXT_SIZE = UUID_TEXT_SIZE + IDENT_SIZE_MAX + 40,
    OWN_HEADERS = 18,
};

static void add(rd_kafka_headers_t *headers, const char *name, struct bytes value)
{
    rd_kafka_header_add(headers, name, -1, value.data, (ssize_t)value.size);
}

static void add_time(rd_kafka_headers_t *headers, const char *name, int64_t at_ms)
{
    const time_t seconds = (time_t)(at_ms / 1000);
    struct tm tm;
    char text[TIME_TEXT_SIZE + 40]; /* room for what gmtime_r could make of nonsense */
    gmtime_r(&seconds, &tm);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(at_ms % 1000));
    add(headers, name, bytes_of(text));
}

/* ce_subject, ce_idempotencykey, ce_id: each is the one before it and something more. */
static void add_ids(rd_kafka_headers_t *headers, const struct command *command)
{
    char text[ID_TEXT_SIZE];
    uuid_print(&command->saga_id, text);
    add(headers, "ce_subject", bytes_of(text));

    size_t size = strlen(text);
    const struct bytes step = command->step->id;
    assert(step.size <= IDENT_SIZE_MAX);
    size += (size_t)snprintf(text + size, sizeof text - size, "/%.*s", (int)step.size, step.data);
    if (command->index != INDEX_NONE) {
        size += (size_t)snprintf(text + size, sizeof text - size, "/%d", command->index);
    }
    add(headers, "ce_idempotencykey", bytes_of(text));

    snprintf(text + size, sizeof text - size, "/%s/%u", op_name(command->op), command->attempt);
    add(headers, "ce_id", bytes_of(text));
}

static void add_token(rd_kafka_headers_t *headers, const struct token_keys *keys,
                      const struct command *command)
{
    struct token token = {.saga_id = command->saga_id,
                          .op = command->op,
                          .attempt = command->attempt,
                          .index = command->index};
    memcpy(token.step_id, command->step->id.data, command->step->id.size);
    char text[TOKEN_TEXT_MAX + 1];
    const size_t size = token_print(keys, &token, text);
    add(headers, "ce_sagatoken", (struct bytes){text, size});
}

static void add_trace(rd_kafka_headers_t *headers, const struct command *command,
                      const struct bus_saga *saga)
{
    char text[TRACE_PARENT_SIZE];
    trace_parent_print(command, saga->trace, text);
    add(headers, "traceparent", bytes_of(text));
    /* A state without its parent says nothing (W3C Trace Context, section 3.3). */
    if (saga->trace_state.size > 0 && trace_parent_is_valid(saga->trace)) {
        add(headers, "tracestate", saga->trace_state);
    }
}

static void add_custom(rd_kafka_headers_t *headers, const struct command *command)
{
    for (size_t i = 0; i < command->send->header_count; i++) {
        const struct bytes name = command->send->headers[i].name;
        const struct bytes value = command->headers[i];
        if (value.data == NULL) continue;
        rd_kafka_header_add(headers, name.data, (ssize_t)name.size, value.data,
                            (ssize_t)value.size);
    }
}

rd_kafka_headers_t *command_headers(const struct command_origin *origin,
                                    const struct command *command, const struct bus_saga *saga)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(OWN_HEADERS + command->send->header_count);
    char attempt[16];
    snprintf(attempt, sizeof attempt, "%u", command->attempt);

    add(headers, "content-type", BYTES("application/json"));
    add(headers, "ce_specversion", BYTES("1.0"));
    add(headers, "ce_source", bytes_of(origin->source));
    add(headers, "ce_type", command->send->type);
    add_time(headers, "ce_time", saga->now_ms);
    add_ids(headers, command);
    add(headers, "ce_sagaop", bytes_of(op_name(command->op)));
    add(headers, "ce_sagastep", command->step->id);
    add(headers, "ce_sagadef", saga->definition);
    add(headers, "ce_sagaattempt", bytes_of(attempt));
    add(headers, "ce_sagareplyto", bytes_of(origin->reply_topic));
    add_token(headers, origin->keys, command);
    if (command->expires_at_ms > 0) add_time(headers, "ce_expirytime", command->expires_at_ms);
    add_trace(headers, command, saga);
    add_custom(headers, command);
    return headers;
}
