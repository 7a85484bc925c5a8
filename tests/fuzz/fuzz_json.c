/* Any bytes as JSON: what is accepted can be written compactly, read again and is the same. */
#include "tests/fuzz/fuzz.h"

#include "sagas/base/json_view.h"
#include "sagas/base/utf8.h"

#include <assert.h>

static struct bytes compact(const struct json_view *view, struct arena *arena)
{
    struct buffer json = buffer_in(arena);
    json_write_compact(&json, view);
    return buffer_bytes(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes text = {(const char *)data, size};
    struct arena arena = {0};
    const struct json_view *view = NULL;
    struct json_error error = {0};
    if (json_view_parse(text, &arena, &view, &error)) {
        assert(utf8_valid(text));
        assert(arena.used_bytes <= 512 + 100 * size);
        const struct bytes once = compact(view, &arena);
        const struct json_view *again = NULL;
        const bool read_again = json_view_parse(once, &arena, &again, &error);
        assert(read_again && again->type == view->type && again->count == view->count);
        assert(bytes_equal(compact(again, &arena), once));
    } else {
        assert(error.what != NULL && error.offset <= size);
    }
    arena_done(&arena);
    return 0;
}
