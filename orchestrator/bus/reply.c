/*
 * orchestrator/bus/reply.c
 *   See reply.h. The token is looked at first: without a valid one nothing else of a record
 *   is believed, not even that it is malformed.
 */
#include "orchestrator/bus/reply.h"

#include "orchestrator/bus/record.h"
#include "sagas/base/duration.h"

static bool is_error_code(struct bytes code)
{
    if (code.data == NULL || code.size == 0 || code.size >= ERROR_CODE_SIZE) return false;
    for (size_t i = 0; i < code.size; i++) {
        const char c = code.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
    }
    return true;
}

/* The readers return NULL, or what is wrong. */

static const char *read_outcome(const struct bus_record *record, struct event *event)
{
    struct bytes outcome;
    if (!record_header(record, "ce_sagaoutcome", &outcome)) return "ce_sagaoutcome is there twice";
    if (outcome.data == NULL) return "ce_sagaoutcome is missing";
    if (!outcome_parse(outcome, &event->outcome)) {
        return "ce_sagaoutcome is none of success, failure, retry, progress, pending";
    }
    return NULL;
}

static const char *read_error(const struct bus_record *record, struct event *event)
{
    if (event->outcome != OUTCOME_FAILURE && event->outcome != OUTCOME_RETRY) return NULL;
    struct bytes code;
    if (!record_header(record, "ce_sagaerror", &code)) return "ce_sagaerror is there twice";
    event->code = is_error_code(code) ? code : BYTES("failed");
    if (event->outcome != OUTCOME_RETRY) return NULL;

    struct bytes after;
    if (!record_header(record, "ce_sagaretryafter", &after)) {
        return "ce_sagaretryafter is there twice";
    }
    if (after.data == NULL) return NULL;
    if (!duration_parse(after, &event->delay_ms)) return "ce_sagaretryafter is no duration";
    event->delay_stated = true;
    return NULL;
}

static const char *read_event(const struct bus_record *record, struct arena *arena,
                              struct event *event)
{
    const char *what = read_outcome(record, event);
    if (what == NULL) what = read_error(record, event);
    if (what == NULL) what = record_payload(record, arena, &event->payload);
    return what;
}

enum reply_result reply_read(const struct bus_record *record, const struct token_keys *keys,
                             struct arena *arena, struct reply *ret_reply)
{
    struct reply reply = {
        .event = {.kind = EVENT_REPLY, .step = -1, .index = INDEX_NONE}
    };
    struct bytes text;
    if (!record_header(record, "ce_sagatoken", &text)) {
        reply.what = "ce_sagatoken is there twice";
    } else if (text.data == NULL) {
        reply.what = "ce_sagatoken is missing";
    } else if (token_parse(keys, text, &reply.token) != TOKEN_VALID) {
        reply.what = "ce_sagatoken is not one of ours";
    }
    if (reply.what != NULL) {
        *ret_reply = reply;
        return REPLY_FORGED;
    }

    reply.event.index = reply.token.index;
    reply.event.op = reply.token.op;
    reply.event.attempt = reply.token.attempt;
    reply.what = read_event(record, arena, &reply.event);
    if (reply.what != NULL) reply.event.kind = EVENT_BAD_REPLY;
    *ret_reply = reply;
    return reply.what == NULL ? REPLY_VALID : REPLY_MALFORMED;
}
