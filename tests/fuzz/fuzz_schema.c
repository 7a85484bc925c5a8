/*
 * Any text as a schema, and as values of schemas: what compiles judges in bounds, the same twice,
 * and what it finds wrong it names. Lines: the first is the schema, the others are values.
 */
#include "tests/fuzz/fuzz.h"

#include "sagas/schema/schema.h"

#include <assert.h>
#include <string.h>

enum { MEMORY_BOUND = 2 * SCHEMA_ROOM };

static void count_errors(void *context, enum schema_level level, const struct json_view *at,
                         const char *detail)
{
    assert(at != NULL && detail[0] != '\0');
    *(size_t *)context += level == SCHEMA_ERROR;
}

static void try_value(const struct schema *schema, struct bytes text, struct arena *arena)
{
    const struct json_view *view = NULL;
    struct json_error error;
    struct schema_report first;
    struct schema_report second;
    if (!json_view_parse(text, arena, &view, &error)) return;
    const bool fits = schema_check(schema, view, arena, &first);
    const bool fits_again = schema_check(schema, view, arena, &second);
    assert(fits == fits_again && fits == (first.count == 0) && first.count == second.count);
    assert(first.count <= SCHEMA_FAULTS_MAX);
    for (size_t i = 0; i < first.count; i++) {
        assert(first.fault[i].pointer.data != NULL && first.fault[i].detail.size > 0);
        assert(bytes_equal(first.fault[i].pointer, second.fault[i].pointer));
    }
}

static struct bytes take_line(struct bytes *rest)
{
    const char *const end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);
    const size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    const struct bytes line = {rest->data, size};
    const size_t taken = end == NULL ? size : size + 1;
    *rest = (struct bytes){rest->data + taken, rest->size - taken};
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = {(const char *)data, size};
    struct arena arena = {0};
    struct arena scratch = {0};
    size_t room = SCHEMA_ROOM;
    size_t errors = 0;
    const struct schema_compiler compiler = {&arena, &scratch, &room, count_errors, &errors};
    const struct json_view *view = NULL;
    struct json_error error;
    const struct bytes text = take_line(&rest);
    if (json_view_parse(text, &scratch, &view, &error)) {
        const struct schema *const schema = schema_compile(view, &compiler);
        assert((schema == NULL) == (errors > 0));
        assert(arena.used_bytes <= MEMORY_BOUND + 100 * size);
        if (schema != NULL) try_value(schema, text, &scratch);
        while (schema != NULL && rest.size > 0) {
            try_value(schema, take_line(&rest), &scratch);
        }
    }
    arena_done(&scratch);
    arena_done(&arena);
    return 0;
}
