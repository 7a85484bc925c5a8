/* The JSON reader and writer. */
#include "sagas/base/json_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static int release(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static const struct json_view *parse(const char *text)
{
    const struct json_view *view = NULL;
    struct json_error error = {0};
    if (!json_view_parse(bytes_of(text), &arena, &view, &error)) {
        fail_msg("%s: %s at %zu", text, error.what, error.offset);
    }
    return view;
}

static struct json_error refusal(struct bytes text)
{
    const struct json_view *view = NULL;
    struct json_error error = {0};
    if (json_view_parse(text, &arena, &view, &error)) {
        fail_msg("accepted: %.*s", (int)text.size, text.data);
    }
    assert_non_null(error.what);
    return error;
}

/* ---- reading ---- */

static void every_view_points_at_its_exact_bytes(void **state)
{
    (void)state;
    const struct json_view *const view =
        parse(" { \"a\" : 0.10 , \"b\\u0062\" : [ 1E400 , \"x\" ] } ");

    assert_int_equal(view->type, VIEW_OBJECT);
    assert_int_equal(view->count, 2);
    assert_true(
        bytes_equal_text(view->text, "{ \"a\" : 0.10 , \"b\\u0062\" : [ 1E400 , \"x\" ] }"));
    const struct json_view *const first = view->child;
    assert_true(bytes_equal_text(first->key, "a") && bytes_equal_text(first->text, "0.10"));
    const struct json_view *const second = first->next;
    assert_true(bytes_equal_text(second->key, "bb"));
    assert_true(bytes_equal_text(second->text, "[ 1E400 , \"x\" ]"));
    assert_int_equal(second->count, 2);
    assert_true(bytes_equal_text(second->child->text, "1E400"));
    assert_true(bytes_equal_text(second->child->next->text, "\"x\""));
    assert_null(second->child->next->next);
    assert_null(second->next);
    assert_null(second->child->key.data);
}

static void every_type_is_told(void **state)
{
    (void)state;
    const struct json_view *item = parse("[null,false,true,-0,\"\",[],{}]")->child;

    for (int type = VIEW_NULL; type <= VIEW_OBJECT; type++, item = item->next) {
        assert_int_equal(item->type, type);
    }
    assert_null(item);
}

static void strings_are_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *string;
    } ROWS[] = {
        {"\"\"",                               ""                             },
        {"\"plain, and longer than a word\"",  "plain, and longer than a word"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",     "\"\\/\b\f\n\r\t"              },
        {"\"a\\u00eb\\u20ac\\ud83d\\ude00z\"", "a\u00eb\u20ac\U0001f600z"     },
        {"\"\u00eb\u20ac\U0001f600\"",         "\u00eb\u20ac\U0001f600"       },
        {"\"\\uD83D\\uDE00\"",                 "\U0001f600"                   },
        {"\"seven 7\\nand the rest\"",         "seven 7\nand the rest"        },
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        const struct json_view *const view = parse(ROWS[i].json);
        assert_true(bytes_equal_text(view->string, ROWS[i].string));
        assert_true(bytes_equal_text(view->text, ROWS[i].json));
    }
    assert_true(bytes_equal(parse("\"a\\u0000b\"")->string, (struct bytes){"a\0b", 3}));
}

static const char *const NO_JSON[] = {"",
                                      " ",
                                      "nul",
                                      "True",
                                      "NaN",
                                      "Infinity",
                                      "01",
                                      "-",
                                      "-a",
                                      "+1",
                                      ".5",
                                      "1.",
                                      "1.e1",
                                      "1e",
                                      "1e+",
                                      "0x1",
                                      "1 2",
                                      "{} {}",
                                      "[1",
                                      "[1,",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "{",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "{\"a\":1",
                                      "{\"a\":1,",
                                      "{\"a\":1,}",
                                      "{a:1}",
                                      "{'a':1}",
                                      "{1:1}",
                                      "{\"a\" 1}",
                                      "{\"a\":1 \"b\":2}",
                                      "]",
                                      "}",
                                      "[}",
                                      "{]",
                                      "\"",
                                      "\"a",
                                      "\"\\",
                                      "\"\\\"",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u12g4\"",
                                      "'a'",
                                      "/*x*/1",
                                      "1//x",
                                      "\"a\nb\"",
                                      "\"a\tb\"",
                                      "\"\x01\"",
                                      "[1]x",
                                      "true1",
                                      "\xef\xbb\xbf{}",
                                      "\"\x80\"",
                                      "\"\xc0\xaf\"",
                                      "\"\xed\xa0\x80\"",
                                      "\"\xf4\x90\x80\x80\"",
                                      "\"\xe2\x82\"",
                                      "\xe2\x82\xac",
                                      "\x0c 1"};

static struct bytes long_string(char odd, size_t place, size_t size)
{
    static char text[300];
    memset(text, 'x', sizeof(text));
    text[0] = '"';
    text[place] = odd;
    text[size] = '"';
    return (struct bytes){text, size + 1};
}

/* A long string is read many bytes at a time. */
static void no_byte_of_a_long_string_is_overlooked(void **state)
{
    (void)state;
    static const char ODD[] = {'"', '\\', '\n', '\x1f', '\x80', '\xff'};
    for (size_t place = 1; place < 220; place++) {
        for (size_t i = 0; i < sizeof(ODD); i++) {
            (void)refusal(long_string(ODD[i], place, 230));
        }
        const struct json_view *view = NULL;
        struct json_error error;
        assert_true(json_view_parse(long_string('\x7f', place, 230), &arena, &view, &error));
        assert_int_equal(view->string.size, 229);
        assert_int_equal(view->string.data[place - 1], 0x7f);
        arena_reset(&arena);
    }
}

static void the_end_of_a_string_is_its_first_quote_that_is_not_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *text; /* behind the opening quote */
        size_t size;
    } ROWS[] = {
        {"\"",           1},
        {"ab\",1",       3},
        {"\\\"\"]",      3},
        {"\\\\\"\"",     3},
        {"\\\\\\\"a\"}", 6},
        {"\\\"a\\\"\"",  6},
        {"open",         4},
        {"open\\\"",     6},
        {"",             0},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        const char *const end = ROWS[i].text + strlen(ROWS[i].text);
        assert_int_equal(json_string_end(ROWS[i].text, end) - ROWS[i].text, ROWS[i].size);
    }
}

static void what_rfc_8259_does_not_know_is_refused(void **state)
{
    (void)state;

    for (size_t i = 0; i < sizeof(NO_JSON) / sizeof(NO_JSON[0]); i++) {
        (void)refusal(bytes_of(NO_JSON[i]));
    }
    (void)refusal((struct bytes){"1\0", 2});
    (void)refusal((struct bytes){"\"\0\"", 3});
    (void)refusal((struct bytes){NULL, 0});
}

static void surrogates_come_in_pairs(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "\"\\ud800\"",        "\"\\udc00\"",        "\"\\ud800x\"",
        "\"\\ud800\\n\"",     "\"\\ud800\\ud800\"", "\"\\ud800\\u0041\"",
        "\"\\udc00\\ud800\"", "\"\\ud83d\\ude0\"",  "{\"\\ud800\":1}"};

    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        (void)refusal(bytes_of(TEXTS[i]));
    }
}

static void an_error_names_the_place(void **state)
{
    (void)state;

    assert_int_equal(refusal(BYTES("{\"a\": tru}")).offset, 6);
    assert_int_equal(refusal(BYTES("[1, 2")).offset, 5);
    assert_int_equal(refusal(BYTES("\"a\nb\"")).offset, 2);
    assert_int_equal(refusal(BYTES("{\"a\":1, \"a\":2}")).offset, 12);
    assert_string_equal(refusal(BYTES("{} x")).what, "text follows the value");
}

static const char *nested(size_t depth)
{
    struct buffer text = buffer_in(&arena);
    for (size_t i = 0; i < depth; i++) {
        buffer_add_text(&text, i % 2 == 0 ? "[" : "{\"a\":");
    }
    buffer_add_char(&text, '1');
    for (size_t i = depth; i > 0; i--) {
        buffer_add_text(&text, i % 2 == 1 ? "]" : "}");
    }
    return text.data;
}

static void nesting_is_bounded(void **state)
{
    (void)state;

    (void)parse(nested(JSON_DEPTH_MAX));
    (void)refusal(bytes_of(nested(JSON_DEPTH_MAX + 1)));
    (void)refusal(bytes_of(nested(100000)));
}

static void a_member_occurs_once(void **state)
{
    (void)state;
    static const size_t COUNTS[] = {2, 7, 8, 9, 10, 1000};

    for (size_t i = 0; i < sizeof(COUNTS) / sizeof(COUNTS[0]); i++) {
        struct buffer text = buffer_in(&arena);
        buffer_add_char(&text, '{');
        for (size_t j = 0; j < COUNTS[i]; j++) {
            buffer_add_format(&text, "%s\"%zu\":1", j == 0 ? "" : ",", j);
        }
        const size_t size = text.size;
        buffer_add_text(&text, "}");
        assert_int_equal(parse(text.data)->count, COUNTS[i]);

        buffer_cut(&text, size);
        buffer_add_text(&text, ",\"\\u0031\":2}");
        assert_int_equal(refusal(bytes_of(text.data)).offset, text.size - 2);
    }
    (void)parse("{\"a\":{\"a\":[{\"a\":1},{\"a\":1}]}}");
    (void)refusal(BYTES("{\"\":1,\"\":2}"));
}

static void memory_is_at_most_100_bytes_a_token(void **state)
{
    (void)state;
    enum { TOKENS = 500000 };
    struct buffer text = buffer_in(&arena);
    buffer_add_char(&text, '[');
    for (int i = 0; i < TOKENS; i++) {
        buffer_add_text(&text, i == 0 ? "1" : ",1");
    }
    buffer_add_char(&text, ']');
    struct buffer members = buffer_in(&arena);
    for (int i = 0; i < TOKENS / 5; i++) {
        buffer_add_format(&members, "%s\"%x\":1", i == 0 ? "{" : ",", i);
    }
    buffer_add_char(&members, '}');

    struct arena views = {0};
    const struct json_view *view = NULL;
    struct json_error error;
    assert_true(json_view_parse(buffer_bytes(&text), &views, &view, &error));
    assert_in_range(arena_held(&views), 0, 100 * TOKENS);
    arena_reset(&views);
    assert_true(json_view_parse(buffer_bytes(&members), &views, &view, &error));
    assert_in_range(arena_held(&views), 0, 100 * TOKENS / 5);
    arena_done(&views);
}

static void members_and_items_are_found(void **state)
{
    (void)state;
    const struct json_view *const view = parse("{\"a\":1,\"b\":[10,20]}");

    assert_true(bytes_equal_text(json_view_member(view, "a")->text, "1"));
    assert_null(json_view_member(view, "c"));
    assert_null(json_view_member(view->child, "a"));
    assert_null(json_view_member(NULL, "a"));
    const struct json_view *const list = json_view_member_bytes(view, BYTES("b"));
    assert_true(bytes_equal_text(json_view_item(list, 1)->text, "20"));
    assert_null(json_view_item(list, 2));
    assert_null(json_view_item(view, 0));
}

static void integers_are_exact_or_refused(void **state)
{
    (void)state;
    static const char *const NONE[] = {
        "9223372036854775808",    "-9223372036854775809", "1.0", "1e2", "\"1\"", "null", "[1]",
        "99999999999999999999999"};
    int64_t value = 5;

    assert_true(json_view_int64(parse("9223372036854775807"), &value) && value == INT64_MAX);
    assert_true(json_view_int64(parse("-9223372036854775808"), &value) && value == INT64_MIN);
    assert_true(json_view_int64(parse("-0"), &value) && value == 0);
    for (size_t i = 0; i < sizeof(NONE) / sizeof(NONE[0]); i++) {
        assert_false(json_view_int64(parse(NONE[i]), &value));
    }
    assert_int_equal(value, 0);
}

/* ---- writing ---- */

static void strings_are_escaped_no_more_than_needed(void **state)
{
    (void)state;
    struct buffer json = buffer_in(&arena);

    json_write_string(&json, (struct bytes){"a\"\\/\n\r\t\b\f\x01\x1f\x7f\u00eb\0", 15});
    assert_string_equal(json.data, "\"a\\\"\\\\/\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\u00eb\\u0000\"");

    buffer_cut(&json, 0);
    json_write_text(&json, NULL);
    json_write_text(&json, "");
    json_write_string_part(&json, BYTES("a\nb"));
    assert_string_equal(json.data, "null\"\"a\\nb");
}

static void numbers_read_back_as_they_were(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *json;
    } ROWS[] = {
        {0,                       "0"                      },
        {-0.0,                    "-0"                     },
        {3,                       "3"                      },
        {0.1,                     "0.1"                    },
        {-2.5,                    "-2.5"                   },
        {1.0 / 3,                 "0.3333333333333333"     },
        {0.1 + 0.2,               "0.30000000000000004"    },
        {9007199254740992.0,      "9007199254740992"       },
        {1e15,                    "1000000000000000"       },
        {1e21,                    "1e21"                   },
        {1e-7,                    "1e-7"                   },
        {1.5e-10,                 "1.5e-10"                },
        {5e-324,                  "5e-324"                 },
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {1.7976931348623157e308,  "1.7976931348623157e308" },
        {123456789.125,           "123456789.125"          },
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct buffer json = buffer_in(&arena);
        json_write_double(&json, ROWS[i].value);
        assert_string_equal(json.data, ROWS[i].json);
        assert_true(strtod(json.data, NULL) == ROWS[i].value);
    }
    struct buffer json = buffer_in(&arena);
    json_write_int(&json, INT64_MIN);
    json_write_int(&json, 0);
    json_write_int(&json, INT64_MAX);
    assert_string_equal(json.data, "-922337203685477580809223372036854775807");
}

static void random_doubles_read_back(void **state)
{
    (void)state;
    uint64_t bits = 42;

    for (int i = 0; i < 50000; i++) {
        bits = bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        double value = 0;
        memcpy(&value, &bits, sizeof(value));
        if (value - value != 0) continue; /* not finite */
        struct buffer json = buffer_in(&arena);
        json_write_double(&json, value);
        const struct json_view *const view = parse(json.data);
        assert_true(view->type == VIEW_NUMBER && strtod(json.data, NULL) == value);
        arena_reset(&arena);
    }
}

static void times_are_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        int64_t at_ms;
        const char *json;
    } ROWS[] = {
        {0,               "null"                        },
        {1,               "\"1970-01-01T00:00:00.001Z\""},
        {-1,              "\"1969-12-31T23:59:59.999Z\""},
        {1700000000123,   "\"2023-11-14T22:13:20.123Z\""},
        {951782399999,    "\"2000-02-28T23:59:59.999Z\""},
        {951782400000,    "\"2000-02-29T00:00:00.000Z\""},
        {951868800000,    "\"2000-03-01T00:00:00.000Z\""},
        {1709164800000,   "\"2024-02-29T00:00:00.000Z\""},
        {4107542400000,   "\"2100-03-01T00:00:00.000Z\""},
        {253402300799999, "\"9999-12-31T23:59:59.999Z\""},
        {-62135596800000, "\"0001-01-01T00:00:00.000Z\""},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct buffer json = buffer_in(&arena);
        json_write_time(&json, ROWS[i].at_ms);
        assert_string_equal(json.data, ROWS[i].json);
    }
}

static void compact_text_loses_white_space_outside_of_strings_only(void **state)
{
    (void)state;
    struct buffer json = buffer_in(&arena);

    json_write_compact(
        &json, parse(" {\n\t\"a b\" : [ 0.10 , \" \\\" } \" , true ] ,\r\n \"\\u0041\" : { } } "));

    assert_string_equal(json.data, "{\"a b\":[0.10,\" \\\" } \",true],\"\\u0041\":{}}");
}

static void a_pointer_escapes_its_tokens(void **state)
{
    (void)state;
    struct buffer pointer = buffer_in(&arena);

    json_pointer_add(&pointer, BYTES("a/b"));
    json_pointer_add(&pointer, BYTES("m~n"));
    json_pointer_add(&pointer, BYTES(""));

    assert_string_equal(pointer.data, "/a~1b/m~0n/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_view_points_at_its_exact_bytes, release),
        cmocka_unit_test_teardown(every_type_is_told, release),
        cmocka_unit_test_teardown(strings_are_decoded, release),
        cmocka_unit_test_teardown(no_byte_of_a_long_string_is_overlooked, release),
        cmocka_unit_test_teardown(the_end_of_a_string_is_its_first_quote_that_is_not_escaped,
                                  release),
        cmocka_unit_test_teardown(what_rfc_8259_does_not_know_is_refused, release),
        cmocka_unit_test_teardown(surrogates_come_in_pairs, release),
        cmocka_unit_test_teardown(an_error_names_the_place, release),
        cmocka_unit_test_teardown(nesting_is_bounded, release),
        cmocka_unit_test_teardown(a_member_occurs_once, release),
        cmocka_unit_test_teardown(memory_is_at_most_100_bytes_a_token, release),
        cmocka_unit_test_teardown(members_and_items_are_found, release),
        cmocka_unit_test_teardown(integers_are_exact_or_refused, release),
        cmocka_unit_test_teardown(strings_are_escaped_no_more_than_needed, release),
        cmocka_unit_test_teardown(numbers_read_back_as_they_were, release),
        cmocka_unit_test_teardown(random_doubles_read_back, release),
        cmocka_unit_test_teardown(times_are_rfc_3339, release),
        cmocka_unit_test_teardown(compact_text_loses_white_space_outside_of_strings_only, release),
        cmocka_unit_test_teardown(a_pointer_escapes_its_tokens, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
