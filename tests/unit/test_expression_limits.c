/* What is refused, and what any expression may cost. */
#include "tests/unit/test_expression_support.h"

#include <stdlib.h>
#include <string.h>

static const char *const NO_EXPRESSIONS[] = {"",
                                             " ",
                                             "1 +",
                                             "input.",
                                             "input..a",
                                             "(1",
                                             "[1, 2",
                                             "'open",
                                             "1 2",
                                             "foo",
                                             "foo(1)",
                                             "now()",
                                             "random()",
                                             "input.n = 1",
                                             "size()",
                                             "size(1, 2)",
                                             "size(1,)",
                                             "steps.nowhere.output",
                                             "steps.last.output",
                                             "saga.secret",
                                             "x => x",
                                             "while(true)",
                                             "input.n ? 1",
                                             "1 ? 2 :",
                                             "@",
                                             "steps.first.nothing",
                                             "item.sku",
                                             "output.id",
                                             "99999999999999999999",
                                             "9223372036854775808",
                                             "-9223372036854775809",
                                             "input['a",
                                             "steps",
                                             "steps.first",
                                             "saga",
                                             "1e400",
                                             "01",
                                             "1.",
                                             ".5",
                                             "1 === 1",
                                             "a.b",
                                             "'\\x'",
                                             "'\\ud800'",
                                             "'\\u12'",
                                             "'a\\",
                                             "[1,]",
                                             "[,]",
                                             "{}",
                                             "{'a': 1}",
                                             "input.1",
                                             "input[]",
                                             "input[1",
                                             "!",
                                             "-",
                                             "()",
                                             "in",
                                             "1 in",
                                             "true.x(1)",
                                             "'a'.upper(1)",
                                             "'a'.contains()",
                                             "'a' 'b'",
                                             "1 // 2",
                                             "/* x */ 1",
                                             "input;",
                                             "&& 1",
                                             "1 & 2",
                                             "1 | 2",
                                             "1 <> 2",
                                             "$input",
                                             "input.n++",
                                             "\x01",
                                             "\xff",
                                             "'\xff'",
                                             "steps.first.output-",
                                             "null.",
                                             "has()",
                                             "has(input.a, 1)"};

static void what_is_no_expression_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(NO_EXPRESSIONS) / sizeof(NO_EXPRESSIONS[0]); i++) {
        const char *const found = worth(NO_EXPRESSIONS[i], &NAMES, INPUT);
        if (strcmp(found, "refused") != 0) fail_msg("`%s` is %s", NO_EXPRESSIONS[i], found);
    }
}

static const char *repeated(const char *part, size_t count, const char *middle, const char *close)
{
    struct buffer text = buffer_in(&arena);
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(&text, part);
    }
    buffer_add_text(&text, middle);
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(&text, close);
    }
    return text.data;
}

static void size_and_nesting_are_bounded(void **state)
{
    (void)state;

    assert_string_equal(worth(repeated("a", 100000, "", ""), &NAMES, INPUT), "refused");
    assert_string_equal(worth(repeated("(", 3000, "1", ")"), &NAMES, INPUT), "refused");
    assert_string_equal(worth(repeated("(", 40, "1", ")"), &NAMES, INPUT), "1");
    assert_string_equal(worth(repeated("[", 3000, "1", "]"), &NAMES, INPUT), "refused");
    assert_string_equal(worth(repeated("!", 3000, "true", ""), &NAMES, INPUT), "refused");
    assert_string_equal(worth(repeated("-", 3000, "1", ""), &NAMES, INPUT), "refused");
    assert_string_equal(worth(repeated("true?", 3000, "1", ":1"), &NAMES, INPUT), "refused");
    assert_string_equal(worth(repeated("1+", 200, "1", ""), &NAMES, INPUT), "201");
    assert_string_equal(worth(repeated("1+", 4000, "1", ""), &NAMES, INPUT), "refused");
    assert_string_equal(worth(repeated("input", 1, "", ""), &NAMES, "1"), "1");
    assert_string_equal(worth(repeated("", 3000, "input", ".a"), &NAMES, "1"), "refused");
    assert_string_equal(worth(repeated("[1].map(x,", 20, "1", ")"), &NAMES, "1"), "refused");
}

/* {"l": [item, item, ...], "s": string of `size` letters} */
static const char *input_with(const char *item, size_t count, size_t size)
{
    struct buffer text = buffer_in(&arena);
    buffer_add_text(&text, "{\"l\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_add_format(&text, "%s%s", i == 0 ? "" : ",", item);
    }
    buffer_add_text(&text, "],\"s\":\"");
    for (size_t i = 0; i < size; i++) {
        buffer_add_char(&text, 'x');
    }
    buffer_add_text(&text, "\"}");
    return text.data;
}

static void work_is_bounded(void **state)
{
    (void)state;
    const char *const input = input_with("1", 60, 1);

    assert_string_equal(
        worth("input.l.all(a, input.l.all(b, input.l.all(c, a + b + c >= 0)))", &NAMES, input),
        "error");
    assert_string_equal(worth("input.l.all(a, input.l.all(b, a + b >= 0))", &NAMES, input),
                        "error");
    assert_string_equal(worth("input.l.all(a, input.l.all(b, a > 0))", &NAMES, input), "true");
    assert_string_equal(worth("input.l.filter(a, a > 0).map(a, a + 1).all(a, a == 2)", &NAMES,
                              input_with("1", 1000, 1)),
                        "true");
    assert_string_equal(worth("input.l.all(a, input.l.all(b, !input.s.contains('y')))", &NAMES,
                              input_with("1", 50, 100000)),
                        "error");
    assert_string_equal(
        worth("input.l.all(a, input.l[299990] == 1)", &NAMES, input_with("1", 300000, 1)), "error");
}

static void long_numbers_cost_more(void **state)
{
    (void)state;
    const char *const digits = repeated("1", 200000, "", "");
    struct buffer input = buffer_in(&arena);
    buffer_add_format(&input, "{\"n\":%s,\"l\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]}", digits);

    assert_string_equal(worth("input.n", &NAMES, input.data), digits);
    assert_string_equal(worth("input.n == 1", &NAMES, input.data), "false");
    assert_string_equal(worth("input.l.all(x, input.n > x)", &NAMES, input.data), "error");
}

static void white_space_takes_no_memory_for_nothing(void **state)
{
    (void)state;
    struct buffer input = buffer_in(&arena);
    buffer_add_format(&input, "{\"w\":[%s],\"l\":[%s1]}", repeated(" ", 200000, "", ""),
                      repeated("1,", 1000, "", ""));
    const size_t held = arena_held(&arena);

    assert_string_equal(worth("string(input.w)", &NAMES, input.data), "\"[]\"");
    assert_string_equal(worth("input.l.map(x, string(input.w))", &NAMES, input.data), "error");
    assert_in_range(arena_held(&arena) - held, 0, 4 * 1024 * 1024);
}

static void memory_is_bounded(void **state)
{
    (void)state;

    assert_string_equal(worth("input.l.map(a, input.l)", &NAMES,
                              input_with("\"a text of forty characters, more or less\"", 100, 1)),
                        "error");
    assert_string_equal(worth("input.s + input.s", &NAMES, input_with("1", 1, 200000)), "error");
    assert_string_equal(
        worth("input.l.map(a, input.s + 'y').map(b, 1)", &NAMES, input_with("1", 100, 100000)),
        "error");
    assert_string_equal(worth("input.l.map(a, string(input.l)).map(b, 1)", &NAMES,
                              input_with("\"some text\"", 500, 1)),
                        "error");
    assert_string_equal(worth("input.s", &NAMES, input_with("1", 1, 300000)), "error");
    assert_string_equal(worth("size(input.s)", &NAMES, input_with("1", 1, 300000)), "300000");
    assert_in_range(arena_held(&arena), 0, 64 * 1024 * 1024);
}

static void a_result_is_never_nested_deeper_than_json_may_be(void **state)
{
    (void)state;

    assert_string_equal(worth("[input]", &NAMES, repeated("[", 128, "", "]")), "error");
    assert_string_equal(worth("input", &NAMES, repeated("[", 128, "", "]")),
                        repeated("[", 128, "", "]"));
    assert_string_equal(worth("[input]", &NAMES, repeated("[", 127, "", "]")),
                        repeated("[", 128, "", "]"));
    assert_string_equal(worth("[input]", &NAMES, repeated("[\"\\\"]\",", 127, "1", "]")),
                        repeated("[", 1, repeated("[\"\\\"]\",", 127, "1", "]"), "]"));
    assert_string_equal(worth("[input]", &NAMES, repeated("[\"\\\"]\",", 128, "1", "]")), "error");
}

static void a_condition_that_can_never_hold_is_recognised(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        bool never;
    } ROWS[] = {
        {"false",            true },
        {"!true",            true },
        {"1 > 2",            true },
        {"null",             true },
        {"true",             false},
        {"input.a",          false},
        {"false && input.a", false},
        {"1 / 0",            false},
        {"0",                false},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        const struct expression *expression = NULL;
        struct expression_error error;
        assert_true(
            expression_compile(bytes_of(ROWS[i].source), &NAMES, &arena, &expression, &error));
        assert_int_equal(expression_is_constant_false(expression), ROWS[i].never);
    }
}

static void a_compiled_expression_borrows_nothing_from_its_source(void **state)
{
    (void)state;
    static const char SOURCE[] = "[input.o['k-1'], 'text', 0.10, 'a\\nb'].filter(x, x != 'text')";
    char *const copy = strdup(SOURCE);
    const struct expression *expression = NULL;
    struct expression_error error;
    struct bytes json = {0};

    assert_true(expression_compile(bytes_of(copy), &NAMES, &arena, &expression, &error));
    memset(copy, '?', sizeof(SOURCE) - 1);
    free(copy);

    const struct expression_values values = values_with(INPUT);
    assert_true(expression_evaluate(expression, &values, &arena, &json, &error));
    assert_true(bytes_equal_text(json, "[\"dash\",0.10,\"a\\nb\"]"));
}

static void values_that_are_no_json_are_an_error(void **state)
{
    (void)state;

    assert_string_equal(worth("input.a", &NAMES, "{\"a\":"), "error");
    assert_string_equal(worth("input", &NAMES, "nonsense"), "error");
}

/* A small generator with a fixed seed: the same bytes in every run. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static const char *const PIECES[] = {
    "input",  ".",          "l",     "[",      "]",
    "(",      ")",          "map",   "(x,",    "x",
    "+",      "-",          "*",     "/",      "%",
    "??",     "?",          ":",     "'a'",    "1",
    "2.5",    "steps",      "first", "output", "saga",
    "id",     "&&",         "||",    "!",      "==",
    "<",      "in",         "null",  "true",   ",",
    "size(",  "string(",    "has(",  " ",      "\\",
    "\"",     "'",          "\xc3",  "\x01",   "9223372036854775807",
    ".join(", ".filter(y,", "y",     ".o",     "int("};

/* It is refused, fails, or gives JSON. */
static void assert_decent(const char *source)
{
    const char *const found = worth(source, &NAMES, INPUT);
    const struct json_view *view = NULL;
    struct json_error error;
    if (strcmp(found, "refused") != 0 && strcmp(found, "error") != 0 &&
        !json_view_parse(bytes_of(found), &arena, &view, &error)) {
        fail_msg("`%s` gives %s", source, found);
    }
}

static void no_text_makes_it_crash(void **state)
{
    (void)state;
    for (uint32_t round = 1; round <= 20000; round++) {
        uint32_t seed = round * 2654435761u;
        struct buffer text = buffer_in(&arena);
        const uint32_t length = next_random(&seed) % 16;
        for (uint32_t i = 0; i < length; i++) {
            buffer_add_text(&text,
                            PIECES[next_random(&seed) % (sizeof(PIECES) / sizeof(PIECES[0]))]);
        }
        assert_decent(buffer_bytes(&text).data);
        arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_no_expression_is_refused, reset_arena),
        cmocka_unit_test_teardown(size_and_nesting_are_bounded, reset_arena),
        cmocka_unit_test_teardown(work_is_bounded, reset_arena),
        cmocka_unit_test_teardown(long_numbers_cost_more, reset_arena),
        cmocka_unit_test_teardown(white_space_takes_no_memory_for_nothing, reset_arena),
        cmocka_unit_test_teardown(memory_is_bounded, reset_arena),
        cmocka_unit_test_teardown(a_result_is_never_nested_deeper_than_json_may_be, reset_arena),
        cmocka_unit_test_teardown(a_condition_that_can_never_hold_is_recognised, reset_arena),
        cmocka_unit_test_teardown(a_compiled_expression_borrows_nothing_from_its_source,
                                  reset_arena),
        cmocka_unit_test_teardown(values_that_are_no_json_are_an_error, reset_arena),
        cmocka_unit_test_teardown(no_text_makes_it_crash, reset_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
