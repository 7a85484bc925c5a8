/* JSON with expressions in its strings: what is rendered, and where errors are reported. */
#include "sagas/expression/expression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct bytes STEP_IDS[] = {
    {"first", 5}
};
static const bool VISIBLE[] = {true};
static const struct expression_step STEPS[] = {
    {.output = {"{\"got\": [1, 2]}", 15}, .state = "succeeded"},
};
static const struct expression_names NAMES = {
    .step_ids = STEP_IDS,
    .step_count = 1,
    .step_visible = VISIBLE,
};

static struct arena arena;
static struct buffer reports; /* "pointer: detail\n" for each */

static int begin(void **state)
{
    (void)state;
    reports = buffer_in(&arena);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void note(void *context, struct bytes pointer, const char *detail)
{
    (void)context;
    buffer_add_format(&reports, "%.*s: %s\n", (int)pointer.size, pointer.data, detail);
}

static size_t report_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < reports.size; i++) {
        count += reports.data[i] == '\n';
    }
    return count;
}

static const struct template *compiled(const char *json)
{
    const struct json_view *view = NULL;
    struct json_error error = {0};
    if (!json_view_parse(bytes_of(json), &arena, &view, &error)) {
        fail_msg("%s: %s at %zu", json, error.what, error.offset);
    }
    const struct template *tmpl = NULL;
    return template_compile(view, &NAMES, &arena, note, NULL, &tmpl) ? tmpl : NULL;
}

/* The JSON of a template, "error" when it fails at run time, "refused" when it does not compile. */
static const char *rendered(const char *json, const char *input)
{
    const struct template *const tmpl = compiled(json);
    if (tmpl == NULL) return "refused";
    const struct expression_values values = {
        .input = bytes_of(input),
        .steps = STEPS,
        .saga_id = BYTES("s-1"),
    };
    struct bytes text = {0};
    struct expression_error error = {""};
    if (!template_render(tmpl, &values, &arena, &text, &error)) {
        assert_true(error.detail[0] != '\0');
        return "error";
    }
    return arena_copy(&arena, text.data, text.size);
}

static const char INPUT[] =
    "{\"n\": 21, \"price\": 0.10, \"s\": \"a\\\"b\", \"t\": true, \"z\": null,"
    " \"o\": {\"k\": [1, 2]}, \"u\": \"Zo\\u00eb\"}";

static void fixed_json_keeps_its_bytes_without_white_space(void **state)
{
    (void)state;

    assert_string_equal(
        rendered(" { \"a\" : [ 1.0 , 1E400, \"x \\u00e9 } {\" ], \"$\": \"$\" } ", INPUT),
        "{\"a\":[1.0,1E400,\"x \\u00e9 } {\"],\"$\":\"$\"}");
    assert_string_equal(rendered("\"\"", INPUT), "\"\"");
    assert_string_equal(rendered("null", INPUT), "null");
    assert_string_equal(rendered("{}", INPUT), "{}");
}

static void a_string_that_is_one_expression_becomes_its_value(void **state)
{
    (void)state;

    assert_string_equal(rendered("\"${input.n}\"", INPUT), "21");
    assert_string_equal(rendered("\"${ input.price }\"", INPUT), "0.10");
    assert_string_equal(rendered("\"${input.o}\"", INPUT), "{\"k\": [1, 2]}");
    assert_string_equal(rendered("\"${input.none}\"", INPUT), "null");
    assert_string_equal(rendered("\"${input.u}\"", INPUT), "\"Zo\\u00eb\"");
    assert_string_equal(
        rendered("{\"a\": [\"${input.t}\", {\"b\": \"${steps.first.output.got}\"}], \"c\" : 1.0}",
                 INPUT),
        "{\"a\":[true,{\"b\":[1, 2]}],\"c\":1.0}");
}

static void a_mixed_string_interpolates(void **state)
{
    (void)state;

    assert_string_equal(rendered("\"order ${input.n}!\"", INPUT), "\"order 21!\"");
    assert_string_equal(rendered("\"${input.n}${input.price}\"", INPUT), "\"210.10\"");
    assert_string_equal(rendered("\"<${input.none}${input.z}>\"", INPUT), "\"<>\"");
    assert_string_equal(rendered("\"o: ${input.o}\"", INPUT), "\"o: {\\\"k\\\":[1,2]}\"");
    assert_string_equal(rendered("\"l: ${[1, 'a']}\"", INPUT), "\"l: [1,\\\"a\\\"]\"");
    assert_string_equal(rendered("\"'${input.s}' ${input.t}\"", INPUT), "\"'a\\\"b' true\"");
    assert_string_equal(rendered("\" ${input.n}\"", INPUT), "\" 21\"");
    assert_string_equal(rendered("\"a\\n\\u00e9 ${input.u}\"", INPUT), "\"a\\n\u00e9 Zo\u00eb\"");
    assert_string_equal(rendered("\"it's ${saga.id}, isn't it\"", INPUT), "\"it's s-1, isn't it\"");
}

static void a_brace_inside_a_string_does_not_end_an_expression(void **state)
{
    (void)state;

    assert_string_equal(rendered("\"${'}'}\"", INPUT), "\"}\"");
    assert_string_equal(rendered("\"<${'}' + \\\"}'\\\"}>\"", INPUT), "\"<}}'>\"");
    assert_string_equal(rendered("\"${'\\\\'}'}\"", INPUT), "\"'}\"");
    assert_string_equal(rendered("\"${input.n} }\"", INPUT), "\"21 }\"");
    assert_string_equal(rendered("\"${'${'}\"", INPUT), "\"${\"");
}

static void an_escaped_opening_is_text(void **state)
{
    (void)state;

    assert_string_equal(rendered("\"$${input.n}\"", INPUT), "\"${input.n}\"");
    assert_string_equal(rendered("\"a $${ b\"", INPUT), "\"a ${ b\"");
    assert_string_equal(rendered("\"$${${input.n}}\"", INPUT), "\"${21}\"");
    assert_string_equal(rendered("\"$$${x}\"", INPUT), "\"$${x}\"");
    assert_string_equal(rendered("\"$ { $$ $x {}\"", INPUT), "\"$ { $$ $x {}\"");
    assert_string_equal(rendered("\"\\u0024{input.n}\"", INPUT), "21");
}

static void names_of_members_are_no_expressions(void **state)
{
    (void)state;

    assert_string_equal(rendered("{\"${nope}\": \"${input.n}\"}", INPUT), "{\"${nope}\":21}");
}

static void every_wrong_expression_is_reported_where_it_stands(void **state)
{
    (void)state;

    assert_null(
        compiled("{\"a\": [1, {\"b/c~\": \"${foo}\"}], \"d\": \"${input.n}\", \"e\": \"${1 +}\"}"));

    assert_non_null(strstr(reports.data, "/a/1/b~1c~0: `foo` is unknown"));
    assert_non_null(strstr(reports.data, "\n/e: "));
    assert_null(strstr(reports.data, "/d"));
}

static void an_error_of_the_whole_value_has_an_empty_pointer(void **state)
{
    (void)state;

    assert_null(compiled("\"${nope}\""));

    assert_int_equal(strncmp(reports.data, ": `nope` is unknown", 19), 0);
}

static void each_wrong_expression_of_one_string_is_reported_once(void **state)
{
    (void)state;

    assert_null(compiled("[\"x\", \"${one} ${input.n} ${two} ${}\"]"));

    const char *const one = strstr(reports.data, "/1: `one` is unknown");
    const char *const two = strstr(reports.data, "/1: `two` is unknown");
    assert_true(one != NULL && two != NULL && one < two);
    assert_non_null(strstr(two, "/1: the expression is empty"));
    assert_int_equal(report_count(), 3);
}

static void an_expression_that_is_not_closed_is_reported_once(void **state)
{
    (void)state;
    static const char *const JSONS[] = {"\"${\"", "\"${input['a}\"", "\"${'open}\"",
                                        "\"a ${1 ${input.n\""};

    for (size_t i = 0; i < sizeof(JSONS) / sizeof(JSONS[0]); i++) {
        reports = buffer_in(&arena);
        assert_null(compiled(JSONS[i]));
        assert_non_null(strstr(reports.data, ": `${` is not closed"));
        assert_int_equal(report_count(), 1);
    }
}

static void an_error_while_rendering_is_an_error_of_the_whole(void **state)
{
    (void)state;

    assert_string_equal(rendered("{\"a\": 1, \"b\": \"${1 / 0}\"}", INPUT), "error");
    assert_string_equal(rendered("\"x ${input.s - 1}\"", INPUT), "error");
}

static void work_is_bounded_over_the_whole_template(void **state)
{
    (void)state;
    static const char LOOP[] = "\"${input.map(a, input.all(b, b > 0))}\"";
    struct buffer input = buffer_in(&arena);
    struct buffer twice = buffer_in(&arena);
    for (int i = 0; i < 60; i++) {
        buffer_add_text(&input, i == 0 ? "[1" : ",1");
    }
    buffer_add_char(&input, ']');
    buffer_add_format(&twice, "[%s,%s]", LOOP, LOOP);

    assert_string_not_equal(rendered(LOOP, input.data), "error");
    assert_string_equal(rendered(twice.data, input.data), "error");
}

static void the_size_is_bounded_over_the_whole_template(void **state)
{
    (void)state;
    struct buffer input = buffer_in(&arena);
    buffer_add_char(&input, '"');
    for (int i = 0; i < 100000; i++) {
        buffer_add_char(&input, 'x');
    }
    buffer_add_char(&input, '"');
    struct buffer fixed = buffer_in(&arena);
    buffer_add_format(&fixed, "[%s,%s,%s]", input.data, input.data, input.data);

    assert_int_equal(strlen(rendered("[\"${input}\", \"${input}\"]", input.data)), 200007);
    assert_string_equal(rendered("[\"${input}\", \"${input}\", \"${input}\"]", input.data),
                        "error");
    assert_string_equal(rendered("\"${input}${input}${input}\"", input.data), "error");
    assert_string_equal(rendered(fixed.data, input.data), "refused");
    assert_non_null(strstr(reports.data, ": is larger than 256 KiB"));
}

static void what_is_rendered_is_never_nested_too_deep(void **state)
{
    (void)state;
    struct buffer input = buffer_in(&arena);
    for (int i = 0; i < 128; i++) {
        buffer_add_char(&input, '[');
    }
    for (int i = 0; i < 128; i++) {
        buffer_add_char(&input, ']');
    }

    assert_string_equal(rendered("\"${input}\"", input.data), input.data);
    assert_string_equal(rendered("{\"a\": \"${input}\"}", input.data), "error");
    assert_string_not_equal(rendered("{\"a\": \"text ${input}\"}", input.data), "error");
}

static void a_rendered_template_lives_in_the_arena(void **state)
{
    (void)state;
    char input[] = "{\"a\": 1}";
    struct bytes text = {0};
    struct expression_error error;
    const struct expression_values values = {.input = bytes_of(input)};

    assert_true(template_render(compiled("\"${input}\""), &values, &arena, &text, &error));
    memset(input, '?', sizeof(input) - 1);

    assert_true(bytes_equal_text(text, "{\"a\": 1}"));
}

int main(void)
{
#define UNIT(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        UNIT(fixed_json_keeps_its_bytes_without_white_space),
        UNIT(a_string_that_is_one_expression_becomes_its_value),
        UNIT(a_mixed_string_interpolates),
        UNIT(a_brace_inside_a_string_does_not_end_an_expression),
        UNIT(an_escaped_opening_is_text),
        UNIT(names_of_members_are_no_expressions),
        UNIT(every_wrong_expression_is_reported_where_it_stands),
        UNIT(an_error_of_the_whole_value_has_an_empty_pointer),
        UNIT(each_wrong_expression_of_one_string_is_reported_once),
        UNIT(an_expression_that_is_not_closed_is_reported_once),
        UNIT(an_error_while_rendering_is_an_error_of_the_whole),
        UNIT(work_is_bounded_over_the_whole_template),
        UNIT(the_size_is_bounded_over_the_whole_template),
        UNIT(what_is_rendered_is_never_nested_too_deep),
        UNIT(a_rendered_template_lives_in_the_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
