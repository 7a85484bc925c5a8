/*
 * Any text as an expression: what compiles gives JSON or an error under fixed values, within its
 * bounds, and the same twice. The same text inside a string of a template.
 */
#include "tests/fuzz/fuzz.h"

#include "sagas/expression/expression.h"

#include <assert.h>

enum { MEMORY_BOUND = 16 * 1024 * 1024 };

static const struct bytes STEP_IDS[] = {
    {"first", 5},
    {"a-b",   3},
    {"last",  4},
};
static const bool VISIBLE[] = {true, true, false};
static const struct expression_step STEPS[] = {
    {.output = {"{\"got\":\"g\"}", 11}, .state = "succeeded"},
    {.error = {"{\"code\":\"c\"}", 12},                                 .state = "failed"},
    {.state = "waiting"},
};
static const struct expression_names NAMES = {
    .step_ids = STEP_IDS,
    .step_count = 3,
    .step_visible = VISIBLE,
    .item = {"item", 4},
    .index = true,
    .output = true,
};

static struct expression_values fixed_values(void)
{
    return (struct expression_values){
        .input =
            BYTES("{\"n\":21,\"f\":2.50,\"s\":\"abc\",\"u\":\"Zo\\u00eb\",\"t\":true,\"z\":null,"
                  "\"l\":[3,1,2],\"o\":{\"a\":{\"b\":7},\"k-1\":\"d\"},\"big\":1E400,"
                  "\"m\":-9223372036854775808,\"i\":[{\"q\":2},{\"q\":0}],\"e\":[]}"),
        .steps = STEPS,
        .item = BYTES("\"x y\""),
        .index = 3,
        .output = BYTES("[1, {\"id\": 5}]"),
        .saga_id = BYTES("id"),
        .saga_name = BYTES("na\"me"),
        .saga_version = 2,
        .saga_started_at_ms = 1700000000123,
        .saga_labels = BYTES("{\"team\":\"x\"}"),
    };
}

static void must_be_json(struct bytes json, struct arena *arena)
{
    const struct json_view *view = NULL;
    struct json_error error;
    const bool valid = json_view_parse(json, arena, &view, &error);
    assert(valid && json.size <= EXPRESSION_RESULT_MAX);
}

static void try_expression(struct bytes source, struct arena *arena)
{
    const struct expression_values values = fixed_values();
    const struct expression *expression = NULL;
    struct expression_error error = {""};
    struct bytes first = {0};
    struct bytes second = {0};
    if (!expression_compile(source, &NAMES, arena, &expression, &error)) {
        assert(error.detail[0] != '\0');
        return;
    }
    (void)expression_is_constant_false(expression);
    const bool valid = expression_evaluate(expression, &values, arena, &first, &error);
    const bool valid_again = expression_evaluate(expression, &values, arena, &second, &error);
    assert(valid == valid_again && bytes_equal(first, second));
    if (valid) {
        must_be_json(first, arena);
    } else {
        assert(error.detail[0] != '\0');
    }
}

static void count_report(void *context, struct bytes pointer, const char *detail)
{
    assert(pointer.data != NULL && detail[0] != '\0');
    ++*(size_t *)context;
}

static void try_template(struct bytes source, struct arena *arena)
{
    const struct expression_values values = fixed_values();
    struct buffer json = buffer_in(arena);
    buffer_add_text(&json, "{\"a\": [ ");
    json_write_string(&json, source);
    buffer_add_text(&json, " , 0.10 ]}");
    const struct json_view *view = NULL;
    struct json_error json_error;
    if (!json_view_parse(buffer_bytes(&json), arena, &view, &json_error)) return;

    const struct template *tmpl = NULL;
    size_t reports = 0;
    const bool valid = template_compile(view, &NAMES, arena, count_report, &reports, &tmpl);
    assert(valid == (reports == 0));
    struct bytes rendered = {0};
    struct expression_error error = {""};
    if (!valid) return;
    if (template_render(tmpl, &values, arena, &rendered, &error)) {
        must_be_json(rendered, arena);
    } else {
        assert(error.detail[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes source = {(const char *)data, size};
    struct arena arena = {0};
    try_expression(source, &arena);
    try_template(source, &arena);
    assert(arena.used_bytes <= MEMORY_BOUND + 100 * size);
    arena_done(&arena);
    return 0;
}
