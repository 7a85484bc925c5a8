/*
 * api/replies.c
 *   POST /v1/replies: a reply from somebody who is not on Kafka. The token is the credential.
 *
 * The body becomes the record that a participant would have produced, so that one reader judges
 * both.
 */
#include "api/body.h"
#include "api/handlers.h"
#include "api/results.h"
#include "api/server.h"
#include "orchestrator/bus/reply.h"
#include "sagas/base/duration.h"

enum { TOKEN, OUTCOME, OUTPUT, ERROR, RETRY_AFTER, MEMBER_COUNT };

static const struct member MEMBERS[MEMBER_COUNT] = {
    [TOKEN] = {"token",       IS_STRING,   MEMBER_REQUIRED},
    [OUTCOME] = {"outcome",     IS_STRING,   MEMBER_REQUIRED},
    [OUTPUT] = {"output",      IS_ANYTHING, MEMBER_OPTIONAL},
    [ERROR] = {"error",       IS_OBJECT,   MEMBER_OPTIONAL},
    [RETRY_AFTER] = {"retry_after", IS_STRING,   MEMBER_OPTIONAL},
};

static const char *const HEADERS[MEMBER_COUNT] = {
    [TOKEN] = "ce_sagatoken",
    [OUTCOME] = "ce_sagaoutcome",
    [ERROR] = "ce_sagaerror",
    [RETRY_AFTER] = "ce_sagaretryafter",
};

struct reply_body {
    struct bus_header header[MEMBER_COUNT];
    struct bus_record record;
};

static bool read_error(struct exchange *exchange, const struct json_view *error,
                       struct bytes *ret_code)
{
    static const struct member ERROR_MEMBERS[] = {
        {"code",   IS_STRING, MEMBER_REQUIRED},
        {"detail", IS_STRING, MEMBER_OPTIONAL},
    };
    const struct json_view *value[2];
    if (!body_members(error, ERROR_MEMBERS, 2, BYTES("/error"), &exchange->refusal, value)) {
        return false;
    }
    *ret_code = value[0]->string;
    return true;
}

static bool is_refused(struct bytes outcome)
{
    return bytes_equal_text(outcome, "failure") || bytes_equal_text(outcome, "retry");
}

static bool is_in_form(struct refusal *refusal, const struct json_view *const *value)
{
    enum outcome outcome;
    uint64_t delay_ms = 0;
    if (!outcome_parse(value[OUTCOME]->string, &outcome)) {
        return refuse_at(refusal, BYTES("/outcome"),
                         "must be one of success, failure, retry, progress, pending");
    }
    if (value[RETRY_AFTER] != NULL && !duration_parse(value[RETRY_AFTER]->string, &delay_ms)) {
        return refuse_at(refusal, BYTES("/retry_after"), "must be a duration such as 1500ms");
    }
    if (value[OUTPUT] != NULL && value[OUTPUT]->text.size > PAYLOAD_SIZE_MAX) {
        (void)refuse(refusal, PROBLEM_INPUT_TOO_LARGE, "the output is larger than 256 KiB");
        return refuse_at(refusal, BYTES("/output"), "is larger than 256 KiB");
    }
    return true;
}

/* `output` belongs to what went well, `error` to what did not. */
static bool fits(struct exchange *exchange, const struct json_view *const *value)
{
    if (!is_in_form(&exchange->refusal, value)) return false;
    const bool refused = is_refused(value[OUTCOME]->string);
    if (refused && value[OUTPUT] != NULL) {
        return refuse_at(&exchange->refusal, BYTES("/output"), "failure and retry take `error`");
    }
    if (!refused && value[ERROR] != NULL) {
        return refuse_at(&exchange->refusal, BYTES("/error"),
                         "only failure and retry take `error`");
    }
    return true;
}

static bool read_body(struct exchange *exchange, struct reply_body *ret_body)
{
    const struct json_view *body = NULL;
    const struct json_view *value[MEMBER_COUNT] = {0};
    struct bus_record *const record = &ret_body->record;
    if (!body_parse(exchange->body, &exchange->refusal, &body)) return false;
    if (!body_members(body, MEMBERS, MEMBER_COUNT, BYTES(""), &exchange->refusal, value)) {
        return false;
    }
    if (!fits(exchange, value)) return false;
    *record = (struct bus_record){.headers = ret_body->header};
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (value[i] == NULL || HEADERS[i] == NULL) continue;
        struct bus_header *const header = &ret_body->header[record->header_count++];
        *header = (struct bus_header){bytes_of(HEADERS[i]), value[i]->string};
        if (i == ERROR && !read_error(exchange, value[ERROR], &header->value)) return false;
    }
    if (value[OUTPUT] != NULL) record->value = value[OUTPUT]->text;
    if (value[ERROR] != NULL) record->value = value[ERROR]->text;
    return true;
}

static enum handled show_verdict(struct exchange *exchange, const struct answer *answer)
{
    struct buffer body = buffer_in(&exchange->arena);
    buffer_add_format(&body, "{\"verdict\":\"%s\"}", verdict_name(answer->verdict));
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

/* Thread: engine worker. */
static void replied(struct request *request, const struct answer *answer)
{
    struct exchange *const exchange = request->context;
    if (answer->result == RESULT_DONE) {
        (void)show_verdict(exchange, answer);
    } else {
        result_refuse(&exchange->refusal, answer, PROBLEM_SAGA_NOT_FOUND);
        (void)exchange_refused(exchange);
    }
    exchange_done(exchange);
}

enum handled reply_take(struct exchange *exchange, struct store *store)
{
    struct reply reply;
    struct request *const request = arena_alloc(&exchange->arena, sizeof(*request));
    struct reply_body *const body = arena_alloc(&exchange->arena, sizeof(*body));
    (void)store;
    if (!read_body(exchange, body)) return exchange_refused(exchange);
    switch (reply_read(&body->record, &exchange->api->token_keys, &exchange->arena, &reply)) {
    case REPLY_VALID: break;
    case REPLY_FORGED: return exchange_problem(exchange, PROBLEM_FORGED_TOKEN, "%s", reply.what);
    case REPLY_MALFORMED: return exchange_problem(exchange, PROBLEM_INVALID, "%s", reply.what);
    }
    request->kind = REQUEST_REPLY;
    request->reply.token = reply.token;
    request->reply.event = reply.event;
    request->done = replied;
    request->context = exchange;
    exchange_suspend(exchange);
    engine_submit(exchange->api->engine, request);
    return LATER;
}
