/*
 * sagas/definition/read_send.c
 *   Commands: where they go, what they hold, how often they are tried.
 */
#include "sagas/definition/members.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TYPE_LENGTH_MAX = 200, TOPIC_SIZE_MAX = 249, CODE_SIZE_MAX = 64 };

static const char *const JITTERS[] = {"full", "equal", "none", NULL};
static const char *const EXHAUSTIONS[] = {"stuck", "continue", NULL};

/* ---- retry ---- */

static void read_multiplier(struct draft *draft, const struct json_view *value,
                            const struct member *member, void *object)
{
    (void)member;
    struct retry_policy *policy = object;
    if (!expect_type(draft, value, VIEW_NUMBER, "a number of at least 1")) return;
    const char *text = arena_copy(draft->scratch, value->text.data, value->text.size);
    const double multiplier = strtod(text, NULL);
    if (!isfinite(multiplier) || multiplier < 1) {
        problems_error(&draft->problems, value,
                       "must be at least 1: waits between attempts never shrink");
        return;
    }
    policy->multiplier = multiplier;
}

static bool is_code(struct bytes text)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    if (text.size == 0 || text.size > CODE_SIZE_MAX) return false;
    for (size_t i = 0; i < text.size; i++) {
        if (memchr(LETTERS, text.data[i], sizeof(LETTERS) - 1) == NULL) return false;
    }
    return true;
}

static void read_codes(struct draft *draft, const struct json_view *value,
                       const struct member *member, void *object)
{
    (void)member;
    struct retry_policy *policy = object;
    if (!expect_type(draft, value, VIEW_ARRAY, "a list of error codes")) return;
    struct bytes *codes = arena_array(draft->arena, value->count + 1, sizeof(*codes));
    size_t count = 0;
    for (const struct json_view *code = value->child; code != NULL; code = code->next) {
        if (!expect_type(draft, code, VIEW_STRING, "an error code")) continue;
        if (!is_code(code->string)) {
            problems_warning(&draft->problems, code,
                             "no reply has the code `%s`; codes are 1 to %d of a-z, 0-9 and `_`",
                             shown_text(code->string).text, CODE_SIZE_MAX);
        }
        codes[count++] = bytes_copy(draft->arena, code->string);
    }
    policy->never_on = codes;
    policy->never_on_count = count;
}

/* clang-format off */
static const struct member RETRY_MEMBERS[] = {
    {"max_attempts", OPTIONAL, read_count,      FIELD(retry_policy, max_attempts),   {.high = UINT32_MAX}},
    {"initial",      OPTIONAL, read_duration,   FIELD(retry_policy, initial_ms),     {0}},
    {"multiplier",   OPTIONAL, read_multiplier, 0,                                   {0}},
    {"max",          OPTIONAL, read_duration,   FIELD(retry_policy, max_ms),         {0}},
    {"jitter",       OPTIONAL, read_word,       FIELD(retry_policy, jitter),         {.words = JITTERS}},
    {"max_elapsed",  OPTIONAL, read_duration,   FIELD(retry_policy, max_elapsed_ms), {0}},
    {"never_on",     OPTIONAL, read_codes,      0,                                   {0}},
};
/* clang-format on */
static const struct shape RETRY = {"a retry policy", RETRY_MEMBERS,
                                   sizeof(RETRY_MEMBERS) / sizeof(*RETRY_MEMBERS), false};

void read_retry(struct draft *draft, const struct json_view *view, struct retry_policy *policy)
{
    if (!read_shape(draft, view, &RETRY, policy)) return;
    const struct json_view *initial = json_view_member(view, "initial");
    if (initial == NULL || policy->initial_ms <= policy->max_ms) return;
    if (json_view_member(view, "max") != NULL) {
        problems_warning(&draft->problems, initial, "is cut to `max`, %s",
                         shown_duration(policy->max_ms).text);
    } else {
        policy->max_ms = policy->initial_ms; /* an inherited cap does not cut a stated wait */
    }
}

/* ---- action and compensation ---- */

static void read_retry_member(struct draft *draft, const struct json_view *value,
                              const struct member *member, void *object)
{
    (void)member;
    struct send *send = object;
    read_retry(draft, value, &send->retry);
}

static bool is_topic(struct bytes text)
{
    if (text.size == 0 || text.size > TOPIC_SIZE_MAX) return false;
    if (bytes_equal_text(text, ".") || bytes_equal_text(text, "..")) return false;
    for (size_t i = 0; i < text.size; i++) {
        const char c = text.data[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-') return false;
    }
    return true;
}

static void read_topic(struct draft *draft, const struct json_view *value,
                       const struct member *member, void *object)
{
    (void)member;
    struct send *send = object;
    if (!expect_type(draft, value, VIEW_STRING, "the name of a topic")) return;
    const struct shown name = shown_text(value->string);
    if (!is_topic(value->string)) {
        problems_error(&draft->problems, value,
                       "`%s` is no topic; Kafka takes 1 to %d letters, digits, `.`, `_` and `-`",
                       name.text, TOPIC_SIZE_MAX);
    } else if (!definition_topic_allowed(draft->rules->topics_allow, value->string)) {
        problems_error(&draft->problems, value,
                       "topic `%s` is not allowed here (%s); choose another, or start sagad with a "
                       "--topics-allow that matches it",
                       name.text,
                       draft->rules->topics_allow == NULL
                           ? "`saga.*` and `__*` are kept for the system"
                           : draft->rules->topics_allow);
    } else {
        send->topic = bytes_copy(draft->arena, value->string);
    }
}

static void read_type(struct draft *draft, const struct json_view *value,
                      const struct member *member, void *object)
{
    if (value->type == VIEW_STRING && has_controls(value->string)) {
        problems_error(&draft->problems, value, "must not hold control characters");
        return;
    }
    read_text(draft, value, member, object);
}

static bool is_system_header(struct bytes name)
{
    static const char *const SYSTEM[] = {"content-type", "traceparent", "tracestate"};
    char lower[16] = {0};
    for (size_t i = 0; i < name.size && i < sizeof(lower) - 1; i++) {
        const char c = name.data[i];
        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    if (strncmp(lower, "ce_", 3) == 0) return true;
    for (size_t i = 0; i < sizeof(SYSTEM) / sizeof(*SYSTEM); i++) {
        if (name.size == strlen(SYSTEM[i]) && strcmp(lower, SYSTEM[i]) == 0) return true;
    }
    return false;
}

static bool is_header(struct draft *draft, const struct json_view *value)
{
    if (is_system_header(value->key)) {
        problems_error(&draft->problems, value,
                       "header `%s` is written by sagad itself; choose another name",
                       shown_text(value->key).text);
        return false;
    }
    if (value->key.size == 0 || has_controls(value->key)) {
        problems_error(&draft->problems, value, "a header needs a name without control characters");
        return false;
    }
    return expect_type(draft, value, VIEW_STRING, "a string (it may hold `${...}`)");
}

static void read_headers(struct draft *draft, const struct json_view *value,
                         const struct member *member, void *object)
{
    (void)member;
    struct send *send = object;
    if (!expect_type(draft, value, VIEW_OBJECT, "an object of strings")) return;
    struct send_header *headers = arena_array(draft->arena, value->count + 1, sizeof(*headers));
    size_t count = 0;
    for (const struct json_view *header = value->child; header != NULL; header = header->next) {
        if (!is_header(draft, header)) continue;
        headers[count].name = bytes_copy(draft->arena, header->key);
        pending_add(draft, (struct pending){.view = header, .template = &headers[count].value});
        count++;
    }
    send->headers = headers;
    send->header_count = count;
}

/* clang-format off */
static const struct member SEND_MEMBERS[] = {
    {"topic",         REQUIRED, read_topic,        0,                         {0}},
    {"type",          OPTIONAL, read_type,         FIELD(send, type),         {.low = 1, .high = TYPE_LENGTH_MAX}},
    {"key",           OPTIONAL, read_expression,   FIELD(send, key),          {0}},
    {"input",         OPTIONAL, read_template,     FIELD(send, input),        {0}},
    {"headers",       OPTIONAL, read_headers,      0,                         {0}},
    {"timeout",       OPTIONAL, read_duration,     FIELD(send, timeout_ms),   {0}},
    {"heartbeat",     OPTIONAL, read_duration,     FIELD(send, heartbeat_ms), {0}},
    {"retry",         OPTIONAL, read_retry_member, 0,                         {0}},
    {"output_schema", OPTIONAL, read_schema,       FIELD(send, output_schema), {0}},
};
static const struct member COMPENSATION_MEMBERS[] = {
    {"topic",        REQUIRED, read_topic,        0,                         {0}},
    {"type",         OPTIONAL, read_type,         FIELD(send, type),         {.low = 1, .high = TYPE_LENGTH_MAX}},
    {"key",          OPTIONAL, read_expression,   FIELD(send, key),          {0}},
    {"input",        OPTIONAL, read_template,     FIELD(send, input),        {0}},
    {"headers",      OPTIONAL, read_headers,      0,                         {0}},
    {"timeout",      OPTIONAL, read_duration,     FIELD(send, timeout_ms),   {0}},
    {"retry",        OPTIONAL, read_retry_member, 0,                         {0}},
    {"on_exhausted", OPTIONAL, read_word,         FIELD(send, on_exhausted), {.words = EXHAUSTIONS}},
};
/* clang-format on */

static const struct shape SEND = {"an action", SEND_MEMBERS,
                                  sizeof(SEND_MEMBERS) / sizeof(*SEND_MEMBERS), false};
static const struct shape COMPENSATION = {
    "a compensation", COMPENSATION_MEMBERS,
    sizeof(COMPENSATION_MEMBERS) / sizeof(*COMPENSATION_MEMBERS), false};

void read_send(struct draft *draft, const struct json_view *view, struct send *send)
{
    send->timeout_ms = draft->timeout_ms;
    send->retry = draft->retry;
    (void)read_shape(draft, view, &SEND, send);
}

void read_compensation(struct draft *draft, const struct json_view *view, struct send *send)
{
    if (view->type != VIEW_OBJECT) {
        problems_error(&draft->problems, view,
                       "must be an object, or null when there is nothing to undo; not %s",
                       shown_type(view));
        return;
    }
    send->timeout_ms = draft->timeout_ms;
    send->retry = draft->compensation_retry;
    (void)read_shape(draft, view, &COMPENSATION, send);
}
