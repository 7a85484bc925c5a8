/*
 * orchestrator/bus/reply.c
 *   See reply.h. The token is looked at first: without a valid one nothing else of a record
 *   is believed, not even that it is malformed.
 */
#include "orchestrator/bus/reply.h"

#include "sagas/base/duration.h"
#include "sagas/base/json_view.h"
#include "sagas/base/utf8.h"

/* Find a header; false when it is there twice with different values. A null value is absent. */
static bool find_header(const struct bus_record *record, const char *name, struct bytes *ret_value)
{
    struct bytes found = {0};
    for (size_t i = 0; i < record->header_count; i++) {
        const struct bus_header *header = &record->headers[i];
        if (header->value.data == NULL || !bytes_equal_text(header->name, name)) continue;
        if (found.data != NULL && !bytes_equal(found, header->value)) return false;
        found = header->value;
    }
    *ret_value = found;
    return true;
}

static bool is_error_code(struct bytes code)
{
    if (code.data == NULL || code.size == 0 || code.size >= ERROR_CODE_SIZE) return false;
    for (size_t i = 0; i < code.size; i++) {
        const char c = code.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
    }
    return true;
}

/* The three readers return NULL, or what is wrong. */

static const char *read_outcome(const struct bus_record *record, struct event *event)
{
    struct bytes outcome;
    if (!find_header(record, "ce_sagaoutcome", &outcome)) return "ce_sagaoutcome is there twice";
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
    if (!find_header(record, "ce_sagaerror", &code)) return "ce_sagaerror is there twice";
    event->code = is_error_code(code) ? code : BYTES("failed");
    if (event->outcome != OUTCOME_RETRY) return NULL;

    struct bytes after;
    if (!find_header(record, "ce_sagaretryafter", &after)) {
        return "ce_sagaretryafter is there twice";
    }
    if (after.data == NULL) return NULL;
    if (!duration_parse(after, &event->delay_ms)) return "ce_sagaretryafter is no duration";
    event->delay_stated = true;
    return NULL;
}

static const char *read_value(const struct bus_record *record, struct arena *arena,
                              struct event *event)
{
    if (record->value.size == 0) return NULL;
    if (record->value.size > PAYLOAD_SIZE_MAX) return "the value is larger than 256 KiB";
    const struct json_view *view = NULL;
    struct json_error error;
    if (!json_view_parse(record->value, arena, &view, &error)) {
        struct buffer what = buffer_in(arena);
        buffer_add_format(&what, "the value is no JSON: %s at byte %zu", error.what, error.offset);
        return what.data;
    }
    if (view->type != VIEW_NULL) event->payload = view->text;
    return NULL;
}

static const char *read_event(const struct bus_record *record, struct arena *arena,
                              struct event *event)
{
    const char *what = read_outcome(record, event);
    if (what == NULL) what = read_error(record, event);
    if (what == NULL) what = read_value(record, arena, event);
    return what;
}

enum reply_result reply_read(const struct bus_record *record, const struct token_keys *keys,
                             struct arena *arena, struct reply *ret_reply)
{
    struct reply reply = {
        .event = {.kind = EVENT_REPLY, .step = -1, .index = INDEX_NONE}
    };
    struct bytes text;
    if (!find_header(record, "ce_sagatoken", &text)) {
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

/* A JSON string of any bytes: what is no UTF-8 becomes the code point of its byte. */
static void write_any_string(struct buffer *buffer, struct bytes text)
{
    struct buffer clean = buffer_in(buffer->arena);
    for (size_t i = 0; i < text.size;) {
        const size_t size = utf8_size(text.data + i, text.data + text.size);
        if (size > 0) {
            buffer_add(&clean, text.data + i, size);
        } else {
            char escaped[UTF8_SIZE_MAX];
            buffer_add(&clean, escaped, utf8_encode((uint8_t)text.data[i], escaped));
        }
        i += size > 0 ? size : 1;
    }
    json_write_string(buffer, clean.data == NULL ? BYTES("") : buffer_bytes(&clean));
}

struct bytes reply_headers_json(const struct bus_record *record, struct arena *arena)
{
    struct buffer json = buffer_in(arena);
    buffer_add_char(&json, '[');
    for (size_t i = 0; i < record->header_count; i++) {
        const struct bus_header *header = &record->headers[i];
        buffer_add_text(&json, i > 0 ? ",[" : "[");
        write_any_string(&json, header->name);
        buffer_add_char(&json, ',');
        if (header->value.data == NULL) {
            buffer_add_text(&json, "null");
        } else {
            write_any_string(&json, header->value);
        }
        buffer_add_char(&json, ']');
    }
    buffer_add_char(&json, ']');
    return buffer_bytes(&json);
}
