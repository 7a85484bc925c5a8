#include "tests/unit/test_expression_support.h"

#include <string.h>

const char INPUT[] =
    "{\"n\": 21, \"f\": 2.5, \"s\": \"abc\", \"u\": \"Zo\\u00eb\", \"t\": true, \"z\": null,"
    " \"l\": [3, 1, 2], \"o\": {\"a\": {\"b\": 7}, \"k-1\": \"dash\"}, \"swapped\": {\"k-1\":"
    " \"dash\", \"a\": {\"b\": 7.0}}, \"items\": [{\"sku\": \"x\", \"qty\": 2}, {\"sku\": \"y\","
    " \"qty\": 0}], \"e\": [], \"num\": \"42\", \"empty\": \"\", \"price\": 0.10, \"huge\": 1E400,"
    " \"long\": 12345678901234567890123, \"min\": -9223372036854775808, \"map\": 1}";

static const struct bytes STEP_IDS[] = {
    {"first",         5 },
    {"reserve-stock", 13},
    {"skipped",       7 },
    {"last",          4 },
};
static const bool VISIBLE[] = {true, true, true, false};
static const struct expression_step STEPS[] = {
    {.output = {"{\"got\":\"g\"}", 11},                     .state = "succeeded"},
    {.output = {"\"plain\"", 7},
     .error = {"{\"code\":\"late\",\"detail\":\"d\"}", 28},
     .state = "failed"},
    {.state = "skipped"},
    {.state = "waiting"                                                    },
};

const struct expression_names NAMES = {
    .step_ids = STEP_IDS,
    .step_count = 4,
    .step_visible = VISIBLE,
};
const struct expression_names FOREACH_NAMES = {
    .item = {"part", 4},
    .index = true,
    .output = true,
};

struct expression_values values_with(const char *input)
{
    return (struct expression_values){
        .input = bytes_of(input),
        .steps = STEPS,
        .item = BYTES("{\"sku\":\"x\"}"),
        .index = 4,
        .output = BYTES("{\"id\":\"r-1\"}"),
        .saga_id = BYTES("018bcfe5-687b-7f01-8203-040506070809"),
        .saga_name = BYTES("order \"checkout\""),
        .saga_version = 1,
        .saga_started_at_ms = 1700000000123,
        .saga_labels = BYTES("{\"team\":\"x\"}"),
    };
}

struct arena arena;

const char *worth(const char *source, const struct expression_names *names, const char *input)
{
    const struct expression *expression = NULL;
    struct expression_error error = {0};
    struct bytes json = {0};
    if (!expression_compile(bytes_of(source), names, &arena, &expression, &error)) {
        assert_true(error.detail[0] != '\0');
        return "refused";
    }
    const struct expression_values values = values_with(input);
    if (!expression_evaluate(expression, &values, &arena, &json, &error)) {
        assert_true(error.detail[0] != '\0');
        return "error";
    }
    return arena_copy(&arena, json.data, json.size);
}

void assert_row(const char *row)
{
    const char *const arrow = strstr(row, " => ");
    assert_non_null(arrow);
    const char *const source = arena_copy(&arena, row, (size_t)(arrow - row));
    const char *const found = worth(source, &NAMES, INPUT);
    if (strcmp(found, arrow + 4) != 0) fail_msg("%s is %s, not %s", source, found, arrow + 4);
}

int reset_arena(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}
