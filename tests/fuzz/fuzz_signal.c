/*
 * Any record as a signal. Input: one header a line ("name:value", no colon is a null value), an
 * empty line, the value. What is accepted keeps its promises.
 */
#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/record.h"

#include "orchestrator/bus/signal.h"
#include "sagas/base/utf8.h"

#include <assert.h>

static void check_event(const struct event *event, struct arena *arena)
{
    const struct json_view *view = NULL;
    struct json_error error;
    assert(event->kind == EVENT_SIGNAL && event->step == -1 && event->name.size > 0);
    assert(event->key.size > 0 && event->key.size <= SIGNAL_ID_SIZE_MAX && utf8_valid(event->key));
    assert(utf8_valid(event->actor) && utf8_valid(event->reason));
    assert(event->payload.data == NULL || json_view_parse(event->payload, arena, &view, &error));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bus_header headers[RECORD_HEADERS_MAX];
    struct bus_record record = {.topic = BYTES("saga.signals")};
    record_of_text((struct bytes){(const char *)data, size}, headers, &record);

    struct arena arena = {0};
    struct signal_record signal;
    if (signal_read(&record, &arena, &signal)) {
        assert(signal.what == NULL);
        check_event(&signal.event, &arena);
    } else {
        assert(signal.what != NULL);
    }
    arena_done(&arena);
    return 0;
}
