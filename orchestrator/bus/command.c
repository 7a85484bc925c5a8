/*
 * orchestrator/bus/command.c
 *   See command.h. Names of the definition cannot collide with ours: registration refuses them.
 */
#include "orchestrator/bus/command.h"

#include "orchestrator/bus/trace.h"

#include "sagas/base/json_view.h"

#include <assert.h>
#include <string.h>

enum {
    NUMBER_TEXT_SIZE = 12,
    ID_TEXT_SIZE = UUID_TEXT_SIZE + IDENT_SIZE_MAX + 40,
    OWN_HEADERS = 18,
};

static void add(rd_kafka_headers_t *headers, const char *name, struct bytes value)
{
    rd_kafka_header_add(headers, name, -1, value.data, (ssize_t)value.size);
}

static void add_time(rd_kafka_headers_t *headers, const char *name, int64_t at_ms)
{
    char text[TIME_TEXT_SIZE];
    const size_t size = time_print(at_ms, text);
    add(headers, name, (struct bytes){text, size});
}

static struct bytes decimal(uint32_t value, char text[NUMBER_TEXT_SIZE])
{
    char *at = text + NUMBER_TEXT_SIZE;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return (struct bytes){at, (size_t)(text + NUMBER_TEXT_SIZE - at)};
}

struct id_text {
    char text[ID_TEXT_SIZE];
    size_t size;
};

static void append(struct id_text *id, struct bytes part)
{
    assert(id->size + 1 + part.size <= sizeof(id->text));
    id->text[id->size++] = '/';
    memcpy(id->text + id->size, part.data, part.size);
    id->size += part.size;
}

static void add_id(rd_kafka_headers_t *headers, const char *name, const struct id_text *id)
{
    add(headers, name, (struct bytes){id->text, id->size});
}

/* ce_subject, ce_idempotencykey, ce_id: each is the one before it and something more. */
static void add_ids(rd_kafka_headers_t *headers, const struct command *command)
{
    char number[NUMBER_TEXT_SIZE];
    struct id_text id;
    uuid_print(&command->saga_id, id.text);
    id.size = UUID_TEXT_SIZE - 1;
    add_id(headers, "ce_subject", &id);

    append(&id, command->step->id);
    if (command->index != INDEX_NONE) append(&id, decimal((uint32_t)command->index, number));
    add_id(headers, "ce_idempotencykey", &id);

    append(&id, bytes_of(op_name(command->op)));
    append(&id, decimal(command->attempt, number));
    add_id(headers, "ce_id", &id);
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
    char attempt[NUMBER_TEXT_SIZE];

    add(headers, "content-type", BYTES("application/json"));
    add(headers, "ce_specversion", BYTES("1.0"));
    add(headers, "ce_source", bytes_of(origin->source));
    add(headers, "ce_type", command->send->type);
    add_time(headers, "ce_time", saga->now_ms);
    add_ids(headers, command);
    add(headers, "ce_sagaop", bytes_of(op_name(command->op)));
    add(headers, "ce_sagastep", command->step->id);
    add(headers, "ce_sagadef", saga->definition);
    add(headers, "ce_sagaattempt", decimal(command->attempt, attempt));
    add(headers, "ce_sagareplyto", bytes_of(origin->reply_topic));
    add_token(headers, origin->keys, command);
    if (command->expires_at_ms > 0) add_time(headers, "ce_expirytime", command->expires_at_ms);
    add_trace(headers, command, saga);
    add_custom(headers, command);
    return headers;
}
