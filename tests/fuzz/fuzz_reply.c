/*
 * Any record as a reply. Input: a record as text (record.h), a header's value "$" is a token of
 * ours. What is accepted keeps its promises, and its headers can always be kept as JSON.
 */
#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/record.h"

#include "orchestrator/bus/record.h"
#include "orchestrator/bus/reply.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

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

static void put_tokens(struct bus_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal_text(headers[i].value, "$")) headers[i].value = our_token();
    }
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
    struct bus_header headers[RECORD_HEADERS_MAX];
    struct bus_record record = {.topic = BYTES("saga.replies")};
    record_of_text((struct bytes){(const char *)data, size}, headers, &record);
    put_tokens(headers, record.header_count);

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
    const bool kept = json_view_parse(record_headers_json(&record, &arena), &arena, &view, &error);
    assert(kept && view->count == record.header_count);
    arena_done(&arena);
    return 0;
}
