/*
 * Any record as a reply. Input: one header a line ("name:value", a value "$" is a token of ours, no
 * colon is a null value), an empty line, the value. What is accepted keeps its promises, and its
 * headers can always be kept as JSON.
 */
#include "tests/fuzz/fuzz.h"

#include "orchestrator/bus/reply.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { HEADERS_MAX = 64 };

static const struct token_keys KEYS = {
    .key = {{1}, {2}},
      .count = 2
};

static struct bytes our_token(void)
{
    static char text[TOKEN_TEXT_MAX + 1];
    static size_t size;
    if (size == 0) {
        if (sodium_init() < 0) abort();
        const struct token token = {
            .op = OP_ACTION, .attempt = 2, .index = INDEX_NONE, .step_id = "pay"};
        size = token_print(&KEYS, &token, text);
    }
    return (struct bytes){text, size};
}

static struct bus_header read_header(const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    if (colon == NULL)
        return (struct bus_header){
            .name = {line, size}
        };
    const size_t name_size = (size_t)(colon - line);
    struct bytes value = {colon + 1, size - name_size - 1};
    if (bytes_equal_text(value, "$")) value = our_token();
    return (struct bus_header){
        .name = {line, name_size},
          .value = value
    };
}

/* Fills the headers and the value of *record from the input. */
static void read_record(struct bytes input, struct bus_header *headers, struct bus_record *record)
{
    const char *at = input.data, *end = input.data + input.size;
    while (at < end && record->header_count < HEADERS_MAX) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const size_t size = (size_t)((newline == NULL ? end : newline) - at);
        const char *line = at;
        at = newline == NULL ? end : newline + 1;
        if (size == 0) break;
        headers[record->header_count++] = read_header(line, size);
    }
    record->headers = headers;
    record->value = (struct bytes){at, (size_t)(end - at)};
}

static void check_event(const struct reply *reply, struct arena *arena)
{
    const struct event *event = &reply->event;
    assert(event->kind == EVENT_REPLY && reply->what == NULL && event->step == -1);
    assert(event->outcome <= OUTCOME_PENDING && event->attempt == 2);
    assert(event->code.size < ERROR_CODE_SIZE);
    const struct json_view *view = NULL;
    struct json_error error;
    assert(event->payload.data == NULL || json_view_parse(event->payload, arena, &view, &error));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bus_header headers[HEADERS_MAX];
    struct bus_record record = {.topic = BYTES("saga.replies")};
    read_record((struct bytes){(const char *)data, size}, headers, &record);

    struct arena arena = {0};
    struct reply reply;
    switch (reply_read(&record, &KEYS, &arena, &reply)) {
    case REPLY_VALID: check_event(&reply, &arena); break;
    case REPLY_FORGED: assert(reply.what != NULL); break;
    case REPLY_MALFORMED:
        assert(reply.what != NULL && reply.event.kind == EVENT_BAD_REPLY);
        assert(strcmp(reply.token.step_id, "pay") == 0);
        break;
    }
    const struct json_view *view = NULL;
    struct json_error error;
    const bool kept = json_view_parse(reply_headers_json(&record, &arena), &arena, &view, &error);
    assert(kept && view->count == record.header_count);
    arena_done(&arena);
    return 0;
}
