#include "api/command_read.h"

#include "api/body.h"
#include "api/routes.h"
#include "api/text.h"
#include "orchestrator/bus/signal.h"

#include <string.h>

enum { REASON_SIZE_MAX = 1000 };

enum { REASON, OUTPUT, CODE, INPUT, PAYLOAD, MEMBER_COUNT };

static const struct member MEMBERS[MEMBER_COUNT] = {
    [REASON] = {"reason",  IS_STRING,   MEMBER_OPTIONAL},
    [OUTPUT] = {"output",  IS_ANYTHING, MEMBER_OPTIONAL},
    [CODE] = {"code",    IS_STRING,   MEMBER_OPTIONAL},
    [INPUT] = {"input",   IS_ANYTHING, MEMBER_OPTIONAL},
    [PAYLOAD] = {"payload", IS_ANYTHING, MEMBER_OPTIONAL},
};

static bool takes_output(enum event_kind kind)
{
    return kind == EVENT_STEP_SKIP || kind == EVENT_STEP_COMPLETE;
}

static bool is_code(struct bytes code)
{
    for (size_t i = 0; i < code.size; i++) {
        const char c = code.data[i];
        const bool known = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        if (!known) return false;
    }
    return code.size > 0 && code.size < ERROR_CODE_SIZE;
}

static bool read_output(struct refusal *refusal, const struct json_view *output,
                        struct event *event)
{
    if (output == NULL) return true;
    if (!takes_output(event->kind)) {
        return refuse_at(refusal, BYTES("/output"), "only skip and complete take an output");
    }
    if (output->text.size > PAYLOAD_SIZE_MAX) {
        (void)refuse(refusal, PROBLEM_INPUT_TOO_LARGE, "the output is larger than 256 KiB");
        return refuse_at(refusal, BYTES("/output"), "is larger than 256 KiB");
    }
    if (output->type != VIEW_NULL) event->payload = output->text;
    return true;
}

static bool read_input(struct refusal *refusal, const struct json_view *input, struct event *event)
{
    if (input == NULL) return true;
    if (event->kind != EVENT_STEP_RETRY) {
        return refuse_at(refusal, BYTES("/input"), "only the retry of a step takes an input");
    }
    if (input->text.size > PAYLOAD_SIZE_MAX) {
        (void)refuse(refusal, PROBLEM_INPUT_TOO_LARGE, "the input is larger than 256 KiB");
        return refuse_at(refusal, BYTES("/input"), "is larger than 256 KiB");
    }
    event->payload = input->text;
    return true;
}

static bool read_payload(struct refusal *refusal, const struct json_view *payload,
                         struct event *event)
{
    if (payload == NULL) return true;
    if (event->kind != EVENT_SIGNAL) {
        return refuse_at(refusal, BYTES("/payload"), "only a signal takes a payload");
    }
    if (payload->text.size > PAYLOAD_SIZE_MAX) {
        (void)refuse(refusal, PROBLEM_INPUT_TOO_LARGE, "the payload is larger than 256 KiB");
        return refuse_at(refusal, BYTES("/payload"), "is larger than 256 KiB");
    }
    if (payload->type != VIEW_NULL) event->payload = payload->text;
    return true;
}

static bool read_code(struct refusal *refusal, const struct json_view *code, struct event *event)
{
    if (event->kind == EVENT_STEP_FAIL) event->code = BYTES("failed");
    if (code == NULL) return true;
    if (event->kind != EVENT_STEP_FAIL) {
        return refuse_at(refusal, BYTES("/code"), "only fail takes a code");
    }
    event->code = code->string;
    return is_code(code->string) ||
           refuse_at(refusal, BYTES("/code"), "must be 1 to 64 of a-z, 0-9 and _");
}

bool command_reason(struct refusal *refusal, const struct json_view *reason,
                    struct bytes *ret_reason)
{
    if (reason == NULL) return true;
    *ret_reason = reason->string;
    if (reason->string.size == 0) {
        return refuse_at(refusal, BYTES("/reason"), "must not be empty; leave it out or say why");
    }
    if (reason->string.size > REASON_SIZE_MAX ||
        memchr(reason->string.data, '\0', reason->string.size) != NULL) {
        return refuse_at(refusal, BYTES("/reason"), "must be at most %d bytes without NUL",
                         REASON_SIZE_MAX);
    }
    return true;
}

static bool read_body(struct exchange *exchange, struct event *event)
{
    struct refusal *const refusal = &exchange->refusal;
    const struct json_view *body = NULL;
    const struct json_view *value[MEMBER_COUNT] = {0};
    bool right = true;
    if (exchange->body.size > 0) {
        if (!body_parse(exchange->body, refusal, &body)) return false;
        right = body_members(body, MEMBERS, MEMBER_COUNT, BYTES(""), refusal, value);
    }
    right = command_reason(refusal, value[REASON], &event->reason) && right;
    right = read_output(refusal, value[OUTPUT], event) && right;
    right = read_code(refusal, value[CODE], event) && right;
    right = read_input(refusal, value[INPUT], event) && right;
    right = read_payload(refusal, value[PAYLOAD], event) && right;
    return right;
}

static bool read_index(struct exchange *exchange, struct event *event)
{
    const struct bytes text = uri_parameter(&exchange->uri, "index");
    uint64_t index = 0;
    if (text.data == NULL) return true;
    if (!text_number(text, FOREACH_ITEMS_MAX, &index)) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_QUERY, "index is the number of an item");
    }
    event->index = (int32_t)index;
    return true;
}

/* A tag that is none of ours can never be the current one. */
bool command_if_match(struct exchange *exchange, bool *ret_has, uint32_t *ret_revision)
{
    const struct bytes tag = exchange_header_in(exchange, "If-Match");
    if (tag.data == NULL || bytes_equal_text(tag, "*")) return true;
    if (memchr(tag.data, ',', tag.size) != NULL) {
        return refuse(&exchange->refusal, PROBLEM_INVALID_HEADER, "If-Match takes one entity tag");
    }
    *ret_has = true;
    if (!text_etag(tag, ETAG_STRONG_ONLY, ret_revision)) *ret_revision = UINT32_MAX;
    return true;
}

void command_name_signal(struct exchange *exchange, struct bytes name, struct event *event)
{
    event->name = name;
    signal_set_key(event, exchange_header_in(exchange, "Idempotency-Key"));
}

bool command_read_signal(struct refusal *refusal, const struct json_view *payload,
                         const struct json_view *reason, struct event *event)
{
    const bool right = command_reason(refusal, reason, &event->reason);
    return read_payload(refusal, payload, event) && right;
}

bool command_read(struct exchange *exchange, struct command_request *ret_command)
{
    struct command_request command = {
        .event =
            {
                    .kind = (enum event_kind)exchange->route->verb,
                    .step = -1,
                    .index = INDEX_NONE,
                    .actor = exchange_actor(exchange),
                    },
    };
    if (command.event.kind == EVENT_SIGNAL) {
        command_name_signal(exchange, exchange->argument[1], &command.event);
    } else {
        command.step_id = exchange->argument[1];
    }
    if (!exchange_saga_id(exchange, &command.saga_id)) return false;
    if (!command_if_match(exchange, &command.has_if_match, &command.if_match)) return false;
    if (!read_index(exchange, &command.event)) return false;
    if (!read_body(exchange, &command.event)) return false;
    *ret_command = command;
    return true;
}
