/* What functions, methods and macros are worth. */
#include "tests/unit/test_expression_support.h"

#include <string.h>

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
        "double('1e400') => error",
    };
    assert_rows(ROWS);
}

static void has_tells_a_null_that_is_there_from_nothing(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "has(input.s) => true",
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
        "input.items.all(i, has(i.sku)) => true",
    };
    assert_rows(ROWS);
}

static void methods_work_on_strings(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
        "input.s.contains('b') => true",
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
        "'a'.join(',') => error",
    };
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
        "map(input.l, x, x) => refused",
    };
    assert_rows(ROWS);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(functions_convert_and_measure, reset_arena),
        cmocka_unit_test_teardown(has_tells_a_null_that_is_there_from_nothing, reset_arena),
        cmocka_unit_test_teardown(methods_work_on_strings, reset_arena),
        cmocka_unit_test_teardown(macros_visit_each_item, reset_arena),
        cmocka_unit_test_teardown(the_text_of_a_scalar_is_bare, reset_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
