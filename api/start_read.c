#include "api/start_read.h"

#include "api/body.h"
#include "api/server.h"
#include "api/text.h"
#include "orchestrator/base/log.h"

#include <string.h>

enum {
    LABEL_SIZE_MAX = 200,
    LABEL_NAME_SIZE_MAX = 100,
    TRACE_STATE_SIZE_MAX = 512,
};

struct reading {
    struct exchange *exchange;
    struct store *store;
    struct bytes base;
    struct refusal *refusal;
    struct start_request *start;
    bool needs_store;
};

static struct bytes place(const struct reading *reading, const char *token)
{
    return pointer_to(reading->refusal->arena, reading->base, token);
}

/* ---- which definition ---- */

static bool refuse_failure(struct reading *reading, const struct err *err)
{
    if (err->kind == ERR_INTERNAL) {
        log_event(LOG_ERROR, "request_failed", "request_id=%s reason=\"%s\"",
                  reading->exchange->request_id, err->text);
    }
    return refuse(reading->refusal, problem_of_err(err, PROBLEM_UNKNOWN_DEFINITION), "%s",
                  err->kind == ERR_UNAVAILABLE ? "the database is away" : "an internal error");
}

static bool refuse_unknown(struct reading *reading, struct bytes name, uint32_t version)
{
    const struct bytes shown = body_shown(name);
    (void)refuse(reading->refusal, PROBLEM_UNKNOWN_DEFINITION,
                 "definition '%.*s' is not registered%s", (int)shown.size, shown.data,
                 version > 0 ? " with this version" : "");
    return refuse_at(reading->refusal, place(reading, "definition"),
                     "names no registered definition%s", version > 0 ? " and version" : "");
}

static bool find_by_name(struct reading *reading, struct bytes name, uint32_t version)
{
    struct registered found;
    struct err err;
    struct registry *const registry = reading->exchange->api->registry;
    if (memchr(name.data, '\0', name.size) != NULL) return refuse_unknown(reading, name, version);
    if (!registry_by_name(registry, reading->store, name, version, &found, &err)) {
        reading->needs_store = err.kind == ERR_UNAVAILABLE && reading->store == NULL;
        if (err.kind == ERR_NOT_FOUND) return refuse_unknown(reading, name, version);
        return refuse_failure(reading, &err);
    }
    reading->start->definition = found.definition;
    reading->start->definition_paused = found.paused;
    if (!found.deprecated) return true;
    return refuse(reading->refusal, PROBLEM_DEPRECATED, "version %u of '%.*s' is deprecated",
                  found.definition->version, (int)found.definition->name.size,
                  found.definition->name.data);
}

static bool read_named(struct reading *reading, const struct json_view *definition)
{
    static const struct member MEMBERS[] = {
        {"name",    IS_STRING, MEMBER_REQUIRED},
        {"version", IS_NUMBER, MEMBER_OPTIONAL},
    };
    const struct json_view *value[2];
    const struct bytes base = place(reading, "definition");
    int64_t version = 0;
    if (!body_members(definition, MEMBERS, 2, base, reading->refusal, value)) return false;
    if (value[1] != NULL &&
        (!json_view_int64(value[1], &version) || version < 1 || version > UINT32_MAX)) {
        return refuse_at(reading->refusal, pointer_to(reading->refusal->arena, base, "version"),
                         "versions are whole numbers from 1");
    }
    return find_by_name(reading, value[0]->string, (uint32_t)version);
}

static bool refuse_inline(struct reading *reading, const struct definition_report *report)
{
    struct refusal *const refusal = reading->refusal;
    (void)refuse(refusal, PROBLEM_INVALID_DEFINITION, "the inline definition has %zu errors",
                 report->error_count);
    const struct bytes base = pointer_to(refusal->arena, place(reading, "definition"), "inline");
    for (size_t i = 0; i < report->error_count; i++) {
        struct buffer pointer = buffer_in(refusal->arena);
        buffer_add_bytes(&pointer, base);
        buffer_add_bytes(&pointer, report->errors[i].pointer);
        (void)refuse_at(refusal, buffer_bytes(&pointer), "%.*s", (int)report->errors[i].detail.size,
                        report->errors[i].detail.data);
    }
    return false;
}

static bool read_inline(struct reading *reading, const struct json_view *definition)
{
    static const struct member MEMBERS[] = {
        {"inline", IS_OBJECT, MEMBER_REQUIRED}
    };
    const struct json_view *value[1];
    struct definition_report report = {0};
    struct err err;
    if (!body_members(definition, MEMBERS, 1, place(reading, "definition"), reading->refusal,
                      value)) {
        return false;
    }
    if (reading->store == NULL) {
        reading->needs_store = true;
        return false;
    }
    if (registry_inline(reading->exchange->api->registry, reading->store, value[0]->text,
                        reading->refusal->arena, &report, &reading->start->definition, &err)) {
        return true;
    }
    if (report.error_count > 0) return refuse_inline(reading, &report);
    return refuse_failure(reading, &err);
}

static bool read_definition(struct reading *reading, const struct json_view *definition)
{
    if (definition->type == VIEW_STRING) return find_by_name(reading, definition->string, 0);
    if (json_view_member(definition, "inline") != NULL) return read_inline(reading, definition);
    return read_named(reading, definition);
}

/* ---- the other members ---- */

static bool read_input(struct reading *reading, const struct json_view *input)
{
    reading->start->input = input == NULL ? BYTES("{}") : input->text;
    reading->start->input_view = input;
    if (reading->start->input.size <= PAYLOAD_SIZE_MAX) return true;
    (void)refuse(reading->refusal, PROBLEM_INPUT_TOO_LARGE,
                 "the input has %zu bytes; %d are the most", reading->start->input.size,
                 PAYLOAD_SIZE_MAX);
    return refuse_at(reading->refusal, place(reading, "input"), "is larger than 256 KiB");
}

static bool read_id(struct reading *reading, const struct json_view *id)
{
    if (id == NULL) return true;
    reading->start->has_id = true;
    if (uuid_parse(id->string, &reading->start->id)) return true;
    return refuse_at(reading->refusal, place(reading, "id"), "must be a UUID");
}

static bool is_label(const struct json_view *label)
{
    return label->type == VIEW_STRING && label->string.size <= LABEL_SIZE_MAX &&
           label->key.size <= LABEL_NAME_SIZE_MAX && label->key.size > 0 &&
           memchr(label->string.data, '\0', label->string.size) == NULL &&
           memchr(label->key.data, '\0', label->key.size) == NULL;
}

static bool read_labels(struct reading *reading, const struct json_view *labels)
{
    struct refusal *const refusal = reading->refusal;
    struct buffer compact = buffer_in(refusal->arena);
    reading->start->labels = BYTES("{}");
    if (labels == NULL) return true;
    const struct bytes base = place(reading, "labels");
    if (labels->count > DEFINITION_LABELS_MAX) {
        return refuse_at(refusal, base, "at most %d labels", DEFINITION_LABELS_MAX);
    }
    bool right = true;
    for (const struct json_view *label = labels->child; label != NULL; label = label->next) {
        if (is_label(label)) continue;
        struct buffer pointer = buffer_in(refusal->arena);
        buffer_add_bytes(&pointer, base);
        json_pointer_add(&pointer, body_shown(label->key));
        right = refuse_at(refusal, buffer_bytes(&pointer),
                          "must be a string of at most %d bytes, its name of 1 to %d, without NUL",
                          LABEL_SIZE_MAX, LABEL_NAME_SIZE_MAX);
    }
    json_write_compact(&compact, labels);
    reading->start->labels = buffer_bytes(&compact);
    return right;
}

static bool read_start_at(struct reading *reading, const struct json_view *start_at)
{
    if (start_at == NULL || text_time(start_at->string, &reading->start->start_at_ms)) return true;
    return refuse_at(reading->refusal, place(reading, "start_at"),
                     "must be an RFC 3339 time such as 2030-01-31T12:00:00Z");
}

static bool read_if_exists(struct reading *reading, const struct json_view *if_exists)
{
    if (if_exists == NULL || bytes_equal_text(if_exists->string, "return")) return true;
    reading->start->fail_if_exists = bytes_equal_text(if_exists->string, "fail");
    if (reading->start->fail_if_exists) return true;
    return refuse_at(reading->refusal, place(reading, "if_exists"),
                     "must be \"return\" or \"fail\"");
}

static void read_trace(struct reading *reading)
{
    const struct bytes trace = exchange_header_in(reading->exchange, "traceparent");
    const struct bytes state = exchange_header_in(reading->exchange, "tracestate");
    if (trace.data == NULL || !text_is_traceparent(trace)) return;
    reading->start->trace = trace;
    if (state.data != NULL && state.size > 0 && state.size <= TRACE_STATE_SIZE_MAX) {
        reading->start->trace_state = state;
    }
}

enum start_read start_read(struct exchange *exchange, struct store *store,
                           const struct json_view *body, struct bytes base, struct refusal *refusal,
                           struct start_request *ret_start)
{
    enum { DEFINITION, INPUT, ID, LABELS, START_AT, IF_EXISTS, COUNT };
    static const struct member MEMBERS[COUNT] = {
        [DEFINITION] = {"definition", IS_STRING | IS_OBJECT, MEMBER_REQUIRED},
        [INPUT] = {"input",      IS_ANYTHING,           MEMBER_OPTIONAL},
        [ID] = {"id",         IS_STRING,             MEMBER_OPTIONAL},
        [LABELS] = {"labels",     IS_OBJECT,             MEMBER_OPTIONAL},
        [START_AT] = {"start_at",   IS_STRING,             MEMBER_OPTIONAL},
        [IF_EXISTS] = {"if_exists",  IS_STRING,             MEMBER_OPTIONAL},
    };
    const struct json_view *value[COUNT];
    *ret_start = (struct start_request){0};
    struct reading reading = {exchange, store, base, refusal, ret_start, false};
    bool right = body_members(body, MEMBERS, COUNT, base, refusal, value);
    right = read_input(&reading, value[INPUT]) && right;
    right = read_id(&reading, value[ID]) && right;
    right = read_labels(&reading, value[LABELS]) && right;
    right = read_start_at(&reading, value[START_AT]) && right;
    right = read_if_exists(&reading, value[IF_EXISTS]) && right;
    read_trace(&reading);
    /* Last, and only for a start that is right otherwise: an inline definition is stored. */
    if (right) right = read_definition(&reading, value[DEFINITION]);
    if (reading.needs_store) return START_NEEDS_STORE;
    return right ? START_READY : START_REFUSED;
}
