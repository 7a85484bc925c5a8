/* What names, paths and operators are worth. */
#include "tests/unit/test_expression_support.h"

#include <string.h>

static void literals_are_themselves(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "1 => 1",
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
        "\"'\" => \"'\"",
    };
    assert_rows(ROWS);
}

static void a_path_reads_what_is_there_and_null_where_nothing_is(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "input.n => 21",
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
        "input.l[[0]] => error",
    };
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
        "input.items.map(i, i) => [{\"sku\": \"x\", \"qty\": 2},{\"sku\": \"y\", \"qty\": 0}]",
    };
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
        "1e300 * 10 => 1e301",    "input.long + 0 => 1.2345678901234568e22",
        "-input.f => -2.5",       "1 / 3.0 => 0.3333333333333333",
        "double(5) => 5",
    };
    assert_rows(ROWS);
}

static void the_default_replaces_null_only(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "input.none ?? 'EUR' => \"EUR\"",
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
        "input.none ?? 'a' == 'a' && true => true",
    };
    assert_rows(ROWS);
}

static void equality_works_on_everything(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "input.n == 21 => true",
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
        "input.u == 'Zo\\u00eb' => true",
    };
    assert_rows(ROWS);
}

static void order_needs_two_numbers_or_two_strings_and_is_false_with_null(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "input.n > 20 => true",    "input.n >= 21.0 => true",
        "input.f < 2 => false",    "input.f <= 2.5 => true",
        "'a' < 'b' => true",       "'a' < 'aa' => true",
        "'b' >= 'a' => true",      "input.none > 3 => false",
        "input.none < 3 => false", "input.z >= input.z => false",
        "null < 'a' => false",     "null <= [1] => false",
        "1 < '2' => error",        "true < false => error",
        "[1] < [2] => error",      "1 < 2 == true => true",
        "input.o > 1 => error",
    };
    assert_rows(ROWS);
}

static void logic_ends_as_soon_as_it_is_decided(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "true && false => false",
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
        "false ? 1 : false ? 2 : 3 => 3",
    };
    assert_rows(ROWS);
}

static void null_is_false_as_a_condition_and_anything_else_no_condition(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "!null => true",
        "null && true => false",
        "input.none || true => true",
        "true && null => false",
        "input.none ? 1 : 2 => 2",
        "1 && true => error",
        "!'x' => error",
        "'' ? 1 : 2 => error",
        "true && 1 => error",
        "input.l.filter(x, null) => []",
        "input.l.all(x, x) => error",
    };
    assert_rows(ROWS);
}

static void arithmetic_keeps_ints_and_reports_what_does_not_fit(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "input.n + 1 => 22",
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
        "9223372036854775807 + 1.0 => 9.223372036854776e18",
    };
    assert_rows(ROWS);
}

static void plus_joins_strings_and_lists(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "'a' + 'b' => \"ab\"",
        "'' + '' => \"\"",
        "[1] + [2, 3] => [1,2,3]",
        "input.e + input.l => [3,1,2]",
        "[] + [] => []",
        "'a' + 1 => error",
        "[1] + 2 => error",
        "'n' + string(1) => \"n1\"",
        "input.u + '!' => \"Zo\u00eb!\"",
    };
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
        "1 + 2 in [3] => true",
    };
    assert_rows(ROWS);
}

static void roots_show_the_saga_and_its_steps(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "saga.version => 1",
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
        "steps.first.state-1 => error",
    };
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(literals_are_themselves, reset_arena),
        cmocka_unit_test_teardown(a_path_reads_what_is_there_and_null_where_nothing_is,
                                  reset_arena),
        cmocka_unit_test_teardown(what_is_passed_through_keeps_its_bytes, reset_arena),
        cmocka_unit_test_teardown(computed_numbers_are_printed_in_the_shortest_form, reset_arena),
        cmocka_unit_test_teardown(the_default_replaces_null_only, reset_arena),
        cmocka_unit_test_teardown(equality_works_on_everything, reset_arena),
        cmocka_unit_test_teardown(order_needs_two_numbers_or_two_strings_and_is_false_with_null,
                                  reset_arena),
        cmocka_unit_test_teardown(logic_ends_as_soon_as_it_is_decided, reset_arena),
        cmocka_unit_test_teardown(null_is_false_as_a_condition_and_anything_else_no_condition,
                                  reset_arena),
        cmocka_unit_test_teardown(arithmetic_keeps_ints_and_reports_what_does_not_fit, reset_arena),
        cmocka_unit_test_teardown(plus_joins_strings_and_lists, reset_arena),
        cmocka_unit_test_teardown(in_looks_into_lists_and_objects, reset_arena),
        cmocka_unit_test_teardown(roots_show_the_saga_and_its_steps, reset_arena),
        cmocka_unit_test_teardown(item_index_and_output_are_known_where_they_exist, reset_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
