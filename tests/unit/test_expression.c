/* Every row of the language: what an expression is worth, and what is refused. */
#include "sagas/base/utf8.h"
#include "sagas/expression/expression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char INPUT[] =
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

static const struct expression_names NAMES = {
    .step_ids = STEP_IDS,
    .step_count = 4,
    .step_visible = VISIBLE,
};
static const struct expression_names FOREACH_NAMES = {
    .item = {"part", 4},
    .index = true,
    .output = true,
};

static struct expression_values values_with(const char *input)
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

static struct arena arena;

/* The JSON of an expression, "error" when it fails at run time, "refused" when it does not compile.
 */
static const char *worth(const char *source, const struct expression_names *names,
                         const char *input)
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

/* A row is "expression => JSON". */
static void assert_row(const char *row)
{
    const char *const arrow = strstr(row, " => ");
    assert_non_null(arrow);
    const char *const source = arena_copy(&arena, row, (size_t)(arrow - row));
    const char *const found = worth(source, &NAMES, INPUT);
    if (strcmp(found, arrow + 4) != 0) fail_msg("%s is %s, not %s", source, found, arrow + 4);
}

#define assert_rows(rows)                                                                          \
    do {                                                                                           \
        for (size_t row_ = 0; row_ < sizeof(rows) / sizeof((rows)[0]); row_++)                     \
            assert_row((rows)[row_]);                                                              \
    } while (0)

static int reset(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void literals_are_themselves(void **state)
{
    (void)state;
    static const char *const ROWS[] = {"1 => 1",
                                       "-3 => -3",
                                       "2.5 => 2.5",
                                       "true => true",
                                       "false => false",
                                       "null => null",
                                       "'x' => \"x\"",
                                       "\"x\" => \"x\"",
                                       "[1, 'a', null] => [1,\"a\",null]",
                                       "[] => []",
                                       "[[], [1]] => [[],[1]]",
                                       "'' => \"\"",
                                       "0 => 0",
                                       "1e3 => 1e3",
                                       "0.10 => 0.10",
                                       " 1  => 1",
                                       "\n\t1\r => 1",
                                       "9223372036854775807 => 9223372036854775807",
                                       "-9223372036854775808 => -9223372036854775808",
                                       "- 9223372036854775808 => -9223372036854775808",
                                       "'it\\'s \\\"so\\\"' => \"it's \\\"so\\\"\"",
                                       "'a\\n\\t\\\\b' => \"a\\n\\t\\\\b\"",
                                       "'\\u00eb\\ud83d\\ude00' => \"\u00eb\U0001f600\"",
                                       "'\\u0000' => \"\\u0000\"",
                                       "'}' => \"}\"",
                                       "\"'\" => \"'\""};
    assert_rows(ROWS);
}

static void a_path_reads_what_is_there_and_null_where_nothing_is(void **state)
{
    (void)state;
    static const char *const ROWS[] = {"input.n => 21",
                                       "input.o.a.b => 7",
                                       "input['s'] => \"abc\"",
                                       "input.o['k-1'] => \"dash\"",
                                       "input.l[0] => 3",
                                       "input.items[1].sku => \"y\"",
                                       "input.none => null",
                                       "input.none.deeper => null",
                                       "input.l[9] => null",
                                       "input.s.x => null",
                                       "input.l[-1] => null",
                                       "input.l.x => null",
                                       "input.l['x'] => null",
                                       "input.o[0] => null",
                                       "input.l[input.none] => null",
                                       "input.l[input.n - 19] => 2",
                                       "input[input.num] => null",
                                       "input['' + 's'] => \"abc\"",
                                       "[1, 2][1] => 2",
                                       "[1, 2][2] => null",
                                       "input.map => 1",
                                       "input.e => []",
                                       "input.l[true] => error",
                                       "input.l[1.0] => error",
                                       "input.l[[0]] => error"};
    assert_rows(ROWS);
}

static void what_is_passed_through_keeps_its_bytes(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "input.price => 0.10",
        "input.huge => 1E400",
        "input.u => \"Zo\\u00eb\"",
        "input.long => 12345678901234567890123",
        "input.o => {\"a\": {\"b\": 7}, \"k-1\": \"dash\"}",
        "[input.price] => [0.10]",
        "input.none ?? input.price => 0.10",
        "input.t ? input.huge : 0 => 1E400",
        "input.l.filter(x, true) => [3,1,2]",
        "[input.long][0] => 12345678901234567890123",
        "string(input.price) => \"0.10\"",
        "input.items.map(i, i) => [{\"sku\": \"x\", \"qty\": 2},{\"sku\": \"y\", \"qty\": 0}]"};
    assert_rows(ROWS);
    assert_string_equal(worth("input", &NAMES, " {\"a\" : 1.0} "), "{\"a\" : 1.0}");
    assert_string_equal(worth("input", &NAMES, NULL), "null");
    assert_string_equal(worth("input.a", &NAMES, "[1]"), "null");
}

static void computed_numbers_are_printed_in_the_shortest_form(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "input.f + 0.5 => 3",     "0.1 + 0.2 => 0.30000000000000004",
        "input.price + 0 => 0.1", "7.0 / 2.0 => 3.5",
        "1e300 * 10 => 1e+301",   "input.long + 0 => 1.2345678901234568e+22",
        "-input.f => -2.5",       "1 / 3.0 => 0.3333333333333333",
        "double(5) => 5"};
    assert_rows(ROWS);
}

static void the_default_replaces_null_only(void **state)
{
    (void)state;
    static const char *const ROWS[] = {"input.none ?? 'EUR' => \"EUR\"",
                                       "input.s ?? 'EUR' => \"abc\"",
                                       "input.none ?? input.z ?? 3 => 3",
                                       "input.t ?? false => true",
                                       "input.empty ?? 'd' => \"\"",
                                       "false ?? true => false",
                                       "1 ?? 1 / 0 => 1",
                                       "input.none ?? 20 > 3 => true",
                                       "input.n ?? 0 > 30 => false",
                                       "input.none ?? 1 + 1 => 2",
                                       "1 + (input.none ?? 1) => 2",
                                       "input.none ?? 'a' == 'a' && true => true"};
    assert_rows(ROWS);
}

static void equality_works_on_everything(void **state)
{
    (void)state;
    static const char *const ROWS[] = {"input.n == 21 => true",
                                       "input.n != 21 => false",
                                       "input.s == 'abc' => true",
                                       "input.z == null => true",
                                       "input.z != 1 => true",
                                       "input.none == input.z => true",
                                       "input.o == input.o => true",
                                       "input.o == input.swapped => true",
                                       "input.o == input.items[0] => false",
                                       "input.l == [3, 1, 2] => true",
                                       "input.l == [3, 2, 1] => false",
                                       "[] == input.e => true",
                                       "[1] == [] => false",
                                       "1 == '1' => false",
                                       "1 == 1.0 => true",
                                       "1 == true => false",
                                       "0 == null => false",
                                       "'' == null => false",
                                       "[] == null => false",
                                       "[[1.0]] == [[1]] => true",
                                       "input.huge == input.huge => true",
                                       "true == true => true",
                                       "true != false => true",
                                       "input.items == input.items.filter(x, true) => true",
                                       "input.u == 'Zo\\u00eb' => true"};
    assert_rows(ROWS);
}

static void order_needs_two_numbers_or_two_strings_and_is_false_with_null(void **state)
{
    (void)state;
    static const char *const ROWS[] = {"input.n > 20 => true",    "input.n >= 21.0 => true",
                                       "input.f < 2 => false",    "input.f <= 2.5 => true",
                                       "'a' < 'b' => true",       "'a' < 'aa' => true",
                                       "'b' >= 'a' => true",      "input.none > 3 => false",
                                       "input.none < 3 => false", "input.z >= input.z => false",
                                       "null < 'a' => false",     "null <= [1] => false",
                                       "1 < '2' => error",        "true < false => error",
                                       "[1] < [2] => error",      "1 < 2 == true => true",
                                       "input.o > 1 => error"};
    assert_rows(ROWS);
}

static void logic_ends_as_soon_as_it_is_decided(void **state)
{
    (void)state;
    static const char *const ROWS[] = {"true && false => false",
                                       "true || false => true",
                                       "!input.t => false",
                                       "false && 1 / 0 == 1 => false",
                                       "true || 1 / 0 == 1 => true",
                                       "!!true => true",
                                       "true && 1 / 0 == 1 => error",
                                       "false || true && false => false",
                                       "input.n > 20 ? 'big' : 'small' => \"big\"",
                                       "input.t ? input.n : 1 / 0 => 21",
                                       "false ? 1 / 0 : 2 => 2",
                                       "true ? false ? 1 : 2 : 3 => 2",
                                       "false ? 1 : false ? 2 : 3 => 3"};
    assert_rows(ROWS);
}

static void null_is_false_as_a_condition_and_anything_else_no_condition(void **state)
{
    (void)state;
    static const char *const ROWS[] = {"!null => true",
                                       "null && true => false",
                                       "input.none || true => true",
                                       "true && null => false",
                                       "input.none ? 1 : 2 => 2",
                                       "1 && true => error",
                                       "!'x' => error",
                                       "'' ? 1 : 2 => error",
                                       "true && 1 => error",
                                       "input.l.filter(x, null) => []",
                                       "input.l.all(x, x) => error"};
    assert_rows(ROWS);
}

static void arithmetic_keeps_ints_and_reports_what_does_not_fit(void **state)
{
    (void)state;
    static const char *const ROWS[] = {"input.n + 1 => 22",
                                       "input.n * 2 => 42",
                                       "input.n - 22 => -1",
                                       "input.n % 4 => 1",
                                       "7 / 2 => 3",
                                       "-7 / 2 => -3",
                                       "-7 % 2 => -1",
                                       "1 + 2 * 3 => 7",
                                       "(1 + 2) * 3 => 9",
                                       "10 - 3 - 2 => 5",
                                       "-input.n => -21",
                                       "--1 => 1",
                                       "2 - -1 => 3",
                                       "7.5 % 2 => 1.5",
                                       "1 / 0 => error",
                                       "1 % 0 => error",
                                       "1.0 / 0 => error",
                                       "1 / 0.0 => error",
                                       "1.0 % 0.0 => error",
                                       "input.s - 1 => error",
                                       "null + 1 => error",
                                       "true * 2 => error",
                                       "-'a' => error",
                                       "9223372036854775807 + 1 => error",
                                       "-9223372036854775807 - 2 => error",
                                       "9223372036854775807 * 2 => error",
                                       "input.min / -1 => error",
                                       "input.min % -1 => 0",
                                       "-input.min => error",
                                       "input.min + 0 => -9223372036854775808",
                                       "1e308 * 10 => error",
                                       "input.huge + 1 => error",
                                       "9223372036854775807 + 1.0 => 9.223372036854776e+18"};
    assert_rows(ROWS);
}

static void plus_joins_strings_and_lists(void **state)
{
    (void)state;
    static const char *const ROWS[] = {"'a' + 'b' => \"ab\"",
                                       "'' + '' => \"\"",
                                       "[1] + [2, 3] => [1,2,3]",
                                       "input.e + input.l => [3,1,2]",
                                       "[] + [] => []",
                                       "'a' + 1 => error",
                                       "[1] + 2 => error",
                                       "'n' + string(1) => \"n1\"",
                                       "input.u + '!' => \"Zo\u00eb!\""};
    assert_rows(ROWS);
}

static void in_looks_into_lists_and_objects(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "3 in input.l => true",    "9 in input.l => false",  "3.0 in input.l => true",
        "!('x' in ['a']) => true", "'a' in input.o => true", "'b' in input.o => false",
        "[1] in [[1]] => true",    "null in [null] => true", "'a' in input.none => false",
        "1 in 1 => error",         "'a' in 'abc' => error",  "1 in input.o => error",
        "1 + 2 in [3] => true"};
    assert_rows(ROWS);
}

static void functions_convert_and_measure(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "size(input.l) => 3",
        "size(input.s) => 3",
        "size(input.u) => 3",
        "size('\\ud83d\\ude00') => 1",
        "size(input.e) => 0",
        "size(input.o) => 2",
        "size([1, 2]) => 2",
        "size(null) => error",
        "size(5) => error",
        "string(42) => \"42\"",
        "string(true) => \"true\"",
        "string('a') => \"a\"",
        "string(2.50) => \"2.50\"",
        "string(1 / 4.0) => \"0.25\"",
        "string(null) => \"\"",
        "string(input.o) => \"{\\\"a\\\":{\\\"b\\\":7},\\\"k-1\\\":\\\"dash\\\"}\"",
        "string([1, 'a b']) => \"[1,\\\"a b\\\"]\"",
        "int('42') => 42",
        "int('-42') => -42",
        "int(2.9) => 2",
        "int(-2.9) => -2",
        "int(7) => 7",
        "int(input.s) => error",
        "int('') => error",
        "int('-') => error",
        "int('1 ') => error",
        "int('2.5') => error",
        "int(1e19) => error",
        "int(input.huge) => error",
        "int(true) => error",
        "int(null) => error",
        "int('9223372036854775808') => error",
        "int('-9223372036854775808') => -9223372036854775808",
        "double('2.5') => 2.5",
        "double('1e2') => 100",
        "double(3) / 2 => 1.5",
        "double('x') => error",
        "double('') => error",
        "double(' 1') => error",
        "double('1 ') => error",
        "double('[1]') => error",
        "double(null) => error",
        "double('1e400') => error"};
    assert_rows(ROWS);
}

static void has_tells_a_null_that_is_there_from_nothing(void **state)
{
    (void)state;
    static const char *const ROWS[] = {"has(input.s) => true",
                                       "has(input.none) => false",
                                       "has(input.o.a) => true",
                                       "has(input.z) => true",
                                       "has(input.none.x) => false",
                                       "has(input.l[0]) => true",
                                       "has(input.l[3]) => false",
                                       "has(input) => true",
                                       "has(steps.first.error) => false",
                                       "has(steps.first.output.got) => true",
                                       "has(1) => refused",
                                       "has(input.s + 'x') => refused",
                                       "input.items.all(i, has(i.sku)) => true"};
    assert_rows(ROWS);
}

static void methods_work_on_strings(void **state)
{
    (void)state;
    static const char *const ROWS[] = {"input.s.contains('b') => true",
                                       "input.s.contains('') => true",
                                       "''.contains('a') => false",
                                       "input.s.startsWith('ab') => true",
                                       "'a'.startsWith('ab') => false",
                                       "input.s.endsWith('x') => false",
                                       "input.s.endsWith('bc') => true",
                                       "input.s.upper() => \"ABC\"",
                                       "'ABC'.lower() => \"abc\"",
                                       "'\u00c4z[@`{'.upper() => \"\u00c4Z[@`{\"",
                                       "'AZ[@'.lower() => \"az[@\"",
                                       "['a', 'b'].join('-') => \"a-b\"",
                                       "[].join(',') => \"\"",
                                       "['', ''].join(',') => \",\"",
                                       "input.none.join(',') => \"\"",
                                       "[1].join(',') => error",
                                       "['a'].join(1) => error",
                                       "input.n.upper() => error",
                                       "input.none.contains('a') => error",
                                       "'a'.contains(1) => error",
                                       "'a'.upper().lower().startsWith('a') => true",
                                       "'a'.join(',') => error"};
    assert_rows(ROWS);
}

static void macros_visit_each_item(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "input.l.all(x, x > 0) => true",
        "input.l.all(x, x > 1) => false",
        "input.l.exists(x, x > 2) => true",
        "input.l.exists(x, x > 3) => false",
        "input.l.filter(x, x > 1) => [3,2]",
        "input.l.map(x, x * 10) => [30,10,20]",
        "input.items.filter(i, i.qty > 0).map(i, i.sku) => [\"x\"]",
        "input.e.all(x, false) => true",
        "input.e.exists(x, true) => false",
        "input.e.map(x, x) => []",
        "input.items.map(i, i.sku).join(',') => \"x,y\"",
        "size(input.items.filter(i, i.qty > 5)) == 0 => true",
        "input.l.exists(x, x == 3 || 1 / 0 == 1) => true",
        "input.l.map(x, input.l.map(y, x * y)) => [[9,3,6],[3,1,2],[6,2,4]]",
        "[[1, 2], [3]].map(x, x.map(x, x + 1)) => [[2,3],[4]]",
        "input.l.map(a, a).map(b, b + 1) => [4,2,3]",
        "input.none.map(x, x) => []",
        "input.none.all(x, false) => true",
        "input.s.map(x, x) => error",
        "input.l.map(item, item + 1) => [4,2,3]",
        "input.o.map(x, x) => error",
        "input.l.map(input, 1) => refused",
        "input.l.map(x, 1) + x => refused",
        "input.l.map(1, 1) => refused",
        "input.l.map(x) => refused",
        "input.l.map(x, x, x) => refused",
        "map(input.l, x, x) => refused"};
    assert_rows(ROWS);
}

static void roots_show_the_saga_and_its_steps(void **state)
{
    (void)state;
    static const char *const ROWS[] = {"saga.version => 1",
                                       "saga.id => \"018bcfe5-687b-7f01-8203-040506070809\"",
                                       "saga.name => \"order \\\"checkout\\\"\"",
                                       "saga.labels.team => \"x\"",
                                       "saga.labels => {\"team\":\"x\"}",
                                       "saga.started_at => \"2023-11-14T22:13:20.123Z\"",
                                       "steps.first.output.got => \"g\"",
                                       "steps.first.output => {\"got\":\"g\"}",
                                       "steps.first.state => \"succeeded\"",
                                       "steps.first.error => null",
                                       "steps['first'].output['got'] => \"g\"",
                                       "steps.first['state'] => \"succeeded\"",
                                       "steps.reserve-stock.output => \"plain\"",
                                       "steps['reserve-stock'].output => \"plain\"",
                                       "steps.reserve-stock.error.code => \"late\"",
                                       "steps.skipped.output => null",
                                       "steps.skipped.output.score > 0.8 => false",
                                       "steps.first.state-1 => error"};
    assert_rows(ROWS);
}

static void item_index_and_output_are_known_where_they_exist(void **state)
{
    (void)state;

    assert_string_equal(worth("part.sku", &FOREACH_NAMES, INPUT), "\"x\"");
    assert_string_equal(worth("index + 1", &FOREACH_NAMES, INPUT), "5");
    assert_string_equal(worth("output.id", &FOREACH_NAMES, INPUT), "\"r-1\"");
    assert_string_equal(worth("item.sku", &FOREACH_NAMES, INPUT), "refused");
    assert_string_equal(worth("steps.first.output", &FOREACH_NAMES, INPUT), "refused");
    assert_string_equal(worth("index", &NAMES, INPUT), "refused");
}

static void what_is_no_expression_is_refused(void **state)
{
    (void)state;
    static const char *const SOURCES[] = {"",
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
    for (size_t i = 0; i < sizeof(SOURCES) / sizeof(SOURCES[0]); i++) {
        const char *const found = worth(SOURCES[i], &NAMES, INPUT);
        if (strcmp(found, "refused") != 0) fail_msg("`%s` is %s", SOURCES[i], found);
    }
}

static const char *repeated(const char *part, size_t count, const char *middle, const char *close)
{
    struct buffer text = buffer_in(&arena);
    for (size_t i = 0; i < count; i++)
        buffer_add_text(&text, part);
    buffer_add_text(&text, middle);
    for (size_t i = 0; i < count; i++)
        buffer_add_text(&text, close);
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
    for (size_t i = 0; i < count; i++)
        buffer_add_format(&text, "%s%s", i == 0 ? "" : ",", item);
    buffer_add_text(&text, "],\"s\":\"");
    for (size_t i = 0; i < size; i++)
        buffer_add_char(&text, 'x');
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

static void the_text_of_a_scalar_is_bare(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *text;
    } ROWS[] = {
        {"\"a\\nb\"", "a\nb"},
        {"0.10",      "0.10"},
        {"true",      "true"},
        {"null",      NULL  },
        {"[]",        NULL  },
        {"{}",        NULL  },
        {"",          NULL  },
        {"\"",        NULL  },
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct bytes text = {0};
        assert_int_equal(json_scalar_text(bytes_of(ROWS[i].json), &arena, &text),
                         ROWS[i].text != NULL);
        assert_true(bytes_equal_text(text, ROWS[i].text));
    }
}

/* A small generator with a fixed seed: the same bytes in every run. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void no_text_makes_it_crash(void **state)
{
    (void)state;
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
    for (uint32_t round = 1; round <= 20000; round++) {
        uint32_t seed = round * 2654435761u;
        struct buffer text = buffer_in(&arena);
        const uint32_t length = next_random(&seed) % 16;
        for (uint32_t i = 0; i < length; i++)
            buffer_add_text(&text,
                            PIECES[next_random(&seed) % (sizeof(PIECES) / sizeof(PIECES[0]))]);
        const char *const found = worth(buffer_bytes(&text).data, &NAMES, INPUT);
        const struct json_view *view = NULL;
        struct json_error error;
        if (strcmp(found, "refused") != 0 && strcmp(found, "error") != 0 &&
            !json_view_parse(bytes_of(found), &arena, &view, &error))
            fail_msg("round %u: `%s` gives %s", round, text.data, found);
        arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(literals_are_themselves, reset),
        cmocka_unit_test_teardown(a_path_reads_what_is_there_and_null_where_nothing_is, reset),
        cmocka_unit_test_teardown(what_is_passed_through_keeps_its_bytes, reset),
        cmocka_unit_test_teardown(computed_numbers_are_printed_in_the_shortest_form, reset),
        cmocka_unit_test_teardown(the_default_replaces_null_only, reset),
        cmocka_unit_test_teardown(equality_works_on_everything, reset),
        cmocka_unit_test_teardown(order_needs_two_numbers_or_two_strings_and_is_false_with_null,
                                  reset),
        cmocka_unit_test_teardown(logic_ends_as_soon_as_it_is_decided, reset),
        cmocka_unit_test_teardown(null_is_false_as_a_condition_and_anything_else_no_condition,
                                  reset),
        cmocka_unit_test_teardown(arithmetic_keeps_ints_and_reports_what_does_not_fit, reset),
        cmocka_unit_test_teardown(plus_joins_strings_and_lists, reset),
        cmocka_unit_test_teardown(in_looks_into_lists_and_objects, reset),
        cmocka_unit_test_teardown(functions_convert_and_measure, reset),
        cmocka_unit_test_teardown(has_tells_a_null_that_is_there_from_nothing, reset),
        cmocka_unit_test_teardown(methods_work_on_strings, reset),
        cmocka_unit_test_teardown(macros_visit_each_item, reset),
        cmocka_unit_test_teardown(roots_show_the_saga_and_its_steps, reset),
        cmocka_unit_test_teardown(item_index_and_output_are_known_where_they_exist, reset),
        cmocka_unit_test_teardown(what_is_no_expression_is_refused, reset),
        cmocka_unit_test_teardown(size_and_nesting_are_bounded, reset),
        cmocka_unit_test_teardown(work_is_bounded, reset),
        cmocka_unit_test_teardown(memory_is_bounded, reset),
        cmocka_unit_test_teardown(a_result_is_never_nested_deeper_than_json_may_be, reset),
        cmocka_unit_test_teardown(a_condition_that_can_never_hold_is_recognised, reset),
        cmocka_unit_test_teardown(a_compiled_expression_borrows_nothing_from_its_source, reset),
        cmocka_unit_test_teardown(values_that_are_no_json_are_an_error, reset),
        cmocka_unit_test_teardown(the_text_of_a_scalar_is_bare, reset),
        cmocka_unit_test_teardown(no_text_makes_it_crash, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
