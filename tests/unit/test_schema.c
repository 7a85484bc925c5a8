/* JSON Schema 2020-12: what fits, what does not and where, what is refused. Texts have ' for ". */
#include "sagas/schema/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct bench {
    struct arena arena, scratch;
    struct buffer errors, warnings; /* pointers' last places and texts, one a line */
    const struct schema *schema;
};

static struct bytes quoted(struct arena *arena, const char *text)
{
    char *const copy = arena_copy(arena, text, strlen(text));
    for (char *c = copy; *c != '\0'; c++) {
        if (*c == '\'') *c = '"';
    }
    return bytes_of(copy);
}

static const struct json_view *parsed(struct arena *arena, struct bytes text)
{
    const struct json_view *view = NULL;
    struct json_error error;
    if (!json_view_parse(text, arena, &view, &error)) fail_msg("%s: %s", text.data, error.what);
    return view;
}

static void hear(void *context, enum schema_level level, const struct json_view *at,
                 const char *detail)
{
    struct bench *const bench = context;
    struct buffer *const list = level == SCHEMA_ERROR ? &bench->errors : &bench->warnings;
    assert_non_null(at);
    assert_true(strlen(detail) > 0);
    buffer_add_bytes(list, at->text);
    buffer_add_char(list, '|');
    buffer_add_text(list, detail);
    buffer_add_char(list, '\n');
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the compiler takes from it */
static void compile(struct bench *bench, struct bytes text, size_t *room)
{
    const struct schema_compiler compiler = {
        .arena = &bench->arena,
        .scratch = &bench->scratch,
        .room = room,
        .say = hear,
        .context = bench,
    };
    bench->errors = buffer_in(&bench->scratch);
    bench->warnings = buffer_in(&bench->scratch);
    buffer_add_text(&bench->errors, "");
    buffer_add_text(&bench->warnings, "");
    bench->schema = schema_compile(parsed(&bench->scratch, text), &compiler);
    assert_int_equal(bench->schema == NULL, bench->errors.size > 0);
}

static void given(struct bench *bench, const char *schema)
{
    size_t room = SCHEMA_ROOM;
    *bench = (struct bench){0};
    compile(bench, quoted(&bench->arena, schema), &room);
}

static void done(struct bench *bench)
{
    arena_done(&bench->arena);
    arena_done(&bench->scratch);
}

/* The pointers of the faults with a space behind each; "" when it fits. */
static const char *faults_of(struct bench *bench, const char *value, struct schema_report *report)
{
    struct buffer pointers = buffer_in(&bench->scratch);
    const struct bytes text = quoted(&bench->scratch, value);
    const bool fits =
        schema_check(bench->schema, parsed(&bench->scratch, text), &bench->scratch, report);
    assert_int_equal(fits, report->count == 0);
    buffer_add_text(&pointers, "");
    for (size_t i = 0; i < report->count; i++) {
        buffer_add_bytes(&pointers, report->fault[i].pointer);
        buffer_add_char(&pointers, ' ');
        assert_true(report->fault[i].detail.size > 0);
    }
    return pointers.data;
}

/* clang-format off */
static const struct {
    const char *schema, *value, *faults;
} CASES[] = {
    {"true", "1", ""},
    {"false", "1", " "},
    {"{}", "null", ""},

    {"{'type':'integer'}", "1", ""},
    {"{'type':'integer'}", "1.0", ""},
    {"{'type':'integer'}", "1e3", ""},
    {"{'type':'integer'}", "12.50e1", ""},
    {"{'type':'integer'}", "1.5", " "},
    {"{'type':'integer'}", "1.0000000000000000000001", " "},
    {"{'type':'integer'}", "123456789012345678901234567890", ""},
    {"{'type':'number'}", "1e400", ""},
    {"{'type':['string','null']}", "null", ""},
    {"{'type':['string','null']}", "1", " "},
    {"{'type':'boolean'}", "false", ""},

    {"{'enum':[1,'a',{'x':[1]}]}", "{'x':[1.0]}", ""},
    {"{'enum':[1,'a']}", "'1'", " "},
    {"{'const':{'a':1,'b':2}}", "{'b':2,'a':1.0}", ""},
    {"{'const':null}", "false", " "},
    {"{'const':'\\u0061'}", "'a'", ""},
    {"{'const':0}", "-0.0", ""},

    {"{'minimum':2}", "2", ""},
    {"{'minimum':2}", "1.9", " "},
    {"{'minimum':2}", "'1'", ""},
    {"{'maximum':9007199254740993}", "9007199254740994", " "},
    {"{'exclusiveMinimum':0}", "0", " "},
    {"{'exclusiveMaximum':1.5}", "1.4", ""},
    {"{'multipleOf':0.01}", "4.35", ""},
    {"{'multipleOf':0.01}", "4.355", " "},
    {"{'multipleOf':0.0001}", "0.0075", ""},
    {"{'multipleOf':0.5}", "1e308", ""},
    {"{'multipleOf':3}", "-9", ""},
    {"{'multipleOf':3}", "10000000000000000000000", " "},
    {"{'multipleOf':3}", "0.0", ""},

    {"{'minLength':2}", "'\\ud83d\\ude00'", " "},
    {"{'maxLength':2}", "'\xc3\xa4\xc3\xb6'", ""},
    {"{'maxLength':2}", "'abc'", " "},
    {"{'pattern':'b+'}", "'abbc'", ""},
    {"{'pattern':'^b+$'}", "'abbc'", " "},

    {"{'items':{'type':'string'}}", "['a',1,'b',2]", "/1 /3 "},
    {"{'prefixItems':[true,{'type':'null'}],'items':false}", "[1,2,3]", "/1 /2 "},
    {"{'prefixItems':[{'type':'null'}]}", "[]", ""},
    {"{'minItems':1,'maxItems':2}", "[]", " "},
    {"{'minItems':1,'maxItems':2}", "[1,2,3]", " "},
    {"{'uniqueItems':true}", "[1,2,1.0]", "/2 "},
    {"{'uniqueItems':true}", "[{'a':1,'b':2},{'b':2,'a':1}]", "/1 "},
    {"{'uniqueItems':true}", "[0,false,null,'',[],{},'0']", ""},
    {"{'uniqueItems':false}", "[1,1]", ""},
    {"{'contains':{'type':'null'}}", "[1,null]", ""},
    {"{'contains':{'type':'null'}}", "[1]", " "},
    {"{'contains':{'type':'null'},'minContains':0}", "[]", ""},
    {"{'contains':{'type':'null'},'minContains':2}", "[null,1]", " "},
    {"{'contains':{'type':'null'},'maxContains':1}", "[null,null]", " "},

    {"{'properties':{'a':{'type':'string'}}}", "{'a':1,'b':2}", "/a "},
    {"{'properties':{'a':true},'additionalProperties':false}", "{'a':1,'b':2,'c':3}", "/b /c "},
    {"{'properties':{'a/b':false}}", "{'a/b':1}", "/a~1b "},
    {"{'patternProperties':{'^x':{'type':'null'}},'additionalProperties':{'type':'string'}}", "{'x1':1,'y':2,'z':'z'}", "/x1 /y "},
    {"{'required':['a','b']}", "{'b':1}", "/a "},
    {"{'required':['a']}", "[]", ""},
    {"{'propertyNames':{'maxLength':1}}", "{'a':1,'bb':2}", "/bb "},
    {"{'minProperties':1,'maxProperties':1}", "{}", " "},
    {"{'maxProperties':1}", "{'a':1,'b':1}", " "},
    {"{'dependentRequired':{'a':['b','c']}}", "{'a':1,'b':1}", "/c "},
    {"{'dependentRequired':{'a':['b']}}", "{}", ""},
    {"{'dependentSchemas':{'a':{'required':['b']}}}", "{'a':1}", "/b "},

    {"{'allOf':[{'minimum':3},{'maximum':1}]}", "2", "  "},
    {"{'anyOf':[{'type':'string'},{'minimum':3}]}", "1", " "},
    {"{'anyOf':[{'type':'null'},{'type':'object','required':['a']}]}", "{}", "/a "},
    {"{'oneOf':[{'type':'number'},{'minimum':3}]}", "1", ""},
    {"{'oneOf':[{'multipleOf':2},{'multipleOf':3}]}", "3", ""},
    {"{'oneOf':[{'multipleOf':2},{'multipleOf':3}]}", "6", " "},
    {"{'not':{'type':'null'}}", "null", " "},
    {"{'if':{'properties':{'k':{'const':1}}},'then':{'required':['a']},'else':{'required':['b']}}", "{'k':1}", "/a "},
    {"{'if':{'properties':{'k':{'const':1}}},'then':{'required':['a']},'else':{'required':['b']}}", "{'k':2}", "/b "},
    {"{'if':false,'then':false}", "1", ""},

    {"{'$ref':'#/$defs/n','$defs':{'n':{'properties':{'next':{'$ref':'#/$defs/n'}},'required':['v']}}}", "{'v':1,'next':{'next':{'v':1},'v':0}}", ""},
    {"{'$ref':'#/$defs/n','$defs':{'n':{'properties':{'next':{'$ref':'#/$defs/n'}},'required':['v']}}}", "{'v':1,'next':{'next':{},'v':0}}", "/next/next/v "},
    {"{'items':{'$ref':'#'},'type':'array'}", "[[],[[1]]]", "/1/0/0 "},
    {"{'$ref':'#/properties/a','properties':{'a':{'type':'object'}}}", "1", " "},
    {"{'$ref':'#/$defs/a~1b%25','$defs':{'a/b%':{'const':1}}}", "2", " "},
    {"{'$ref':'#/allOf/0','allOf':[{'type':'null'}]}", "null", ""},
    {"{'$ref':'#/$defs/a','minimum':3,'$defs':{'a':{'maximum':5}}}", "2", " "},

    {"{'$schema':'https://json-schema.org/draft/2020-12/schema','$id':'https://a.example/b','title':'t','description':'d','$comment':'c','default':1,'examples':[1],'deprecated':false,'readOnly':true,'writeOnly':false,'x-tool':{}}", "1", ""},
    {"{'properties':{'a':{'type':'string'},'b':{'type':'string'}}}", "{'b':1,'a':1}", "/b /a "},
};

/* `at`: the texts of the places, each followed by a |. */
static const struct {
    const char *schema, *at;
} REFUSALS[] = {
    {"{'minLength':'x'}", "'x'|"},
    {"{'minLength':-1}", "-1|"},
    {"{'minItems':1.5}", "1.5|"},
    {"{'type':'int'}", "'int'|"},
    {"{'type':[]}", "[]|"},
    {"{'enum':[]}", "[]|"},
    {"{'enum':1}", "1|"},
    {"{'multipleOf':0}", "0|"},
    {"{'minimum':'1'}", "'1'|"},
    {"{'pattern':'('}", "'('|"},
    {"{'pattern':1}", "1|"},
    {"{'patternProperties':{'[':true}}", "true|"},
    {"{'properties':{'a':1,'b':'c'}}", "1|'c'|"},
    {"{'properties':[]}", "[]|"},
    {"{'items':[true]}", "[true]|"},
    {"{'allOf':[]}", "[]|"},
    {"{'anyOf':{}}", "{}|"},
    {"{'not':1}", "1|"},
    {"{'required':['a',1]}", "1|"},
    {"{'dependentRequired':{'a':1}}", "1|"},
    {"{'uniqueItems':1}", "1|"},
    {"{'title':1,'examples':2,'deprecated':3}", "1|2|3|"},
    {"{'minimun':1}", "1|"},
    {"{'properties':{'a':{'unevaluatedProperties':false}}}", "false|"},
    {"{'unevaluatedItems':false}", "false|"},
    {"{'definitions':{}}", "{}|"},
    {"{'dependencies':{}}", "{}|"},
    {"{'$anchor':'a'}", "'a'|"},
    {"{'$dynamicRef':'#a'}", "'#a'|"},
    {"{'$schema':'http://json-schema.org/draft-07/schema#'}", "'http://json-schema.org/draft-07/schema#'|"},
    {"{'$defs':{'a':{'$id':'b'}}}", "'b'|"},
    {"{'$ref':'https://a.example/b'}", "'https://a.example/b'|"},
    {"{'$ref':'#a'}", "'#a'|"},
    {"{'$ref':'#/$defs/a'}", "'#/$defs/a'|"},
    {"{'$ref':'#/enum/0','enum':[{}]}", "'#/enum/0'|"},
    {"{'$ref':1}", "1|"},
    {"{'$ref':'#'}", "'#'|"},
    {"{'$defs':{'a':{'anyOf':[{'$ref':'#/$defs/b'}]},'b':{'if':true,'then':{'not':{'$ref':'#/$defs/a'}}}}}", "'#/$defs/a'|"},
};
/* clang-format on */

static void values_fit_or_are_told_where_they_do_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
        struct bench bench;
        struct schema_report report;
        given(&bench, CASES[i].schema);
        if (bench.schema == NULL) fail_msg("%s: %s", CASES[i].schema, bench.errors.data);
        const char *const faults = faults_of(&bench, CASES[i].value, &report);
        if (strcmp(faults, CASES[i].faults) != 0) {
            fail_msg("%s of %s: \"%s\"", CASES[i].schema, CASES[i].value, faults);
        }
        done(&bench);
    }
}

static void what_is_no_schema_or_not_understood_is_refused_at_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(REFUSALS) / sizeof(*REFUSALS); i++) {
        struct bench bench;
        given(&bench, REFUSALS[i].schema);
        struct buffer places = buffer_in(&bench.scratch);
        const char *line = bench.errors.data;
        for (; *line != '\0'; line = strchr(line, '\n') + 1) {
            buffer_add(&places, line, (size_t)(strchr(line, '|') + 1 - line));
        }
        const struct bytes wanted = quoted(&bench.scratch, REFUSALS[i].at);
        if (!bytes_equal(buffer_bytes(&places), wanted)) {
            fail_msg("%s: %s", REFUSALS[i].schema, bench.errors.data);
        }
        done(&bench);
    }
}

static void what_checks_nothing_is_warned_of(void **state)
{
    (void)state;
    struct bench bench;
    given(&bench, "{'format':'email','then':true,'maxContains':1}");
    assert_non_null(bench.schema);
    assert_non_null(strstr(bench.warnings.data, "\"email\"|"));
    assert_non_null(strstr(bench.warnings.data, "without `if`"));
    assert_non_null(strstr(bench.warnings.data, "without `contains`"));
    done(&bench);
}

static void faults_say_what_would_be_right(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *value, *detail;
    } WORDS[] = {
        {"{'type':['integer','null']}",    "1.5",     "must be null or a whole number, not a fraction"},
        {"{'type':'string'}",              "[]",      "must be a string, not a list"                  },
        {"{'enum':['a',2]}",               "3",       "must be one of \"a\", 2"                       },
        {"{'minimum':2.50}",               "1",       "must be at least 2.50"                         },
        {"{'required':['a']}",             "{}",      "is missing"                                    },
        {"{'maxItems':1}",                 "[1,2]",   "must have at most 1 items, not 2"              },
        {"{'pattern':'^a'}",               "'b'",     "must match the pattern ^a"                     },
        {"{'additionalProperties':false}", "{'a':1}", "is not allowed here"                           },
    };
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(*WORDS); i++) {
        struct bench bench;
        struct schema_report report;
        given(&bench, WORDS[i].schema);
        (void)faults_of(&bench, WORDS[i].value, &report);
        const struct bytes wanted = quoted(&bench.scratch, WORDS[i].detail);
        assert_string_equal(report.fault[0].detail.data, wanted.data);
        done(&bench);
    }
}

/* ---- bounds ---- */

static void twenty_faults_are_told_and_that_there_are_more(void **state)
{
    (void)state;
    struct bench bench;
    struct schema_report report;
    given(&bench, "{'items':{'type':'null'}}");
    (void)faults_of(&bench, "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", &report);
    assert_int_equal(report.count, SCHEMA_FAULTS_MAX);
    assert_false(report.more);
    (void)faults_of(&bench, "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", &report);
    assert_int_equal(report.count, SCHEMA_FAULTS_MAX);
    assert_true(report.more);
    done(&bench);
}

/* Two ways at each of 20 turns: a million. */
static void a_schema_that_multiplies_ends_with_its_budget(void **state)
{
    (void)state;
    struct bench bench;
    struct schema_report report;
    struct arena arena = {0};
    struct buffer text = buffer_in(&arena);
    buffer_add_text(&text, "{'not':{'$ref':'#/$defs/d20'},'$defs':{'d0':{'minimum':0}");
    for (int i = 1; i <= 20; i++) {
        buffer_add_format(&text, ",'d%d':{'allOf':[{'$ref':'#/$defs/d%d'},{'$ref':'#/$defs/d%d'}]}",
                          i, i - 1, i - 1);
    }
    buffer_add_text(&text, "}}");
    given(&bench, text.data);
    assert_non_null(bench.schema);
    assert_string_equal(faults_of(&bench, "1", &report), " ");
    assert_non_null(strstr(report.fault[0].detail.data, "operations"));
    arena_done(&arena);
    done(&bench);
}

static void a_long_way_by_references_is_refused(void **state)
{
    (void)state;
    struct bench bench;
    struct arena arena = {0};
    struct buffer text = buffer_in(&arena);
    buffer_add_text(&text, "{'$defs':{'d0':true");
    for (int i = 1; i <= 200; i++) {
        buffer_add_format(&text, ",'d%d':{'$ref':'#/$defs/d%d'}", i, i - 1);
    }
    buffer_add_text(&text, "}}");
    given(&bench, text.data);
    assert_null(bench.schema);
    assert_non_null(strstr(bench.errors.data, "more than 64"));
    arena_done(&arena);
    done(&bench);
}

static void large_lists_are_compared_in_time(void **state)
{
    (void)state;
    struct bench bench;
    struct schema_report report;
    struct buffer list;
    given(&bench, "{'uniqueItems':true}");
    list = buffer_in(&bench.arena);
    for (int i = 0; i < 30000; i++) {
        buffer_add_format(&list, "%c%d", i == 0 ? '[' : ',', i);
    }
    buffer_add_char(&list, ']');
    assert_string_equal(faults_of(&bench, list.data, &report), "");
    done(&bench);
}

static void schemas_share_the_room_of_their_definition(void **state)
{
    (void)state;
    struct bench bench = {0};
    size_t room = 10000;
    struct buffer text = buffer_in(&bench.arena);
    buffer_add_text(&text, "{\"pattern\":\"a{100}\"}");
    for (int i = 0; i < 20 && room > 0; i++) {
        compile(&bench, buffer_bytes(&text), &room);
    }
    compile(&bench, buffer_bytes(&text), &room);
    assert_null(bench.schema);
    assert_non_null(strstr(bench.errors.data, "MiB"));
    done(&bench);
}

/* ---- patterns ---- */

static void patterns_are_the_regular_part_of_ecma_262(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool found;
    } PATTERNS[] = {
        {"",                        "",                                          true },
        {"^$",                      "a",                                         false},
        {"a|bc|d",                  "xbcx",                                      true },
        {"^(a|bc)+$",               "abcabc",                                    true },
        {"^(a|bc)+$",               "abcab",                                     false},
        {"^a{2}$",                  "aaa",                                       false},
        {"^a{2,}$",                 "aaaa",                                      true },
        {"^a{1,3}$",                "aaaa",                                      false},
        {"^(ab?){0,2}$",            "aba",                                       true },
        {"^a{0}b$",                 "b",                                         true },
        {"^(a*)*$",                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false},
        {"^(a|aa)+$",               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false},
        {"^.$",                     "\xc3\xa4",                                  true },
        {"^.$",                     "\n",                                        false},
        {"^[^]$",                   "\n",                                        true },
        {"[]",                      "a",                                         false},
        {"^[a-c\\d_-]+$",           "b-7_",                                      true },
        {"^[^\\W\\d]+$",            "ab1",                                       false},
        {"\\bcat\\b",               "a cat.",                                    true },
        {"\\bcat\\b",               "concat",                                    false},
        {"\\Bcat",                  "concat",                                    true },
        {"^\\x41\\u0042\\u{43}$",   "ABC",                                       true },
        {"^\\ud83d\\ude00$",        "\xf0\x9f\x98\x80",                          true },
        {"^\\.\\/\\-\\\\$",         "./-\\",                                     true },
        {"^(?:a)(?<name>b)$",       "ab",                                        true },
        {"a+?b",                    "aab",                                       true },
        {"^\\S+@\\S+\\.[a-z]{2,}$", "a@b.example",                               true },
        {"a$",                      "a\n",                                       false},
        {"\\cJ",                    "\n",                                        true },
        {"]}",                      "]}",                                        true },
    };
    static const char *const BAD[] = {
        "(",
        ")",
        "[",
        "[b-a]",
        "a**",
        "*",
        "^*",
        "a{2,1}",
        "a{",
        "a{,2}",
        "a{1001}",
        "\\",
        "\\q",
        "\\1",
        "(a)\\1",
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "(?<!a)",
        "(?i)a",
        "\\p{L}",
        "\\u12",
        "\\ud800",
        "\\xg0",
        "[\\d-z]x[a-\\d]",
        "(((a{100}){100}){100})",
        "(?<a",
    };
    for (size_t i = 0; i < sizeof(PATTERNS) / sizeof(*PATTERNS); i++) {
        struct bench bench = {0};
        struct schema_report report;
        size_t room = SCHEMA_ROOM;
        struct buffer schema = buffer_in(&bench.arena);
        struct buffer value = buffer_in(&bench.arena);
        buffer_add_text(&schema, "{\"pattern\":");
        json_write_text(&schema, PATTERNS[i].pattern);
        buffer_add_char(&schema, '}');
        json_write_text(&value, PATTERNS[i].text);
        compile(&bench, buffer_bytes(&schema), &room);
        if (bench.schema == NULL) fail_msg("%s", bench.errors.data);
        const bool found =
            schema_check_text(bench.schema, buffer_bytes(&value), &bench.scratch, &report);
        if (found != PATTERNS[i].found) fail_msg("%s in %s", PATTERNS[i].pattern, PATTERNS[i].text);
        done(&bench);
    }
    for (size_t i = 0; i < sizeof(BAD) / sizeof(*BAD); i++) {
        struct bench bench = {0};
        size_t room = SCHEMA_ROOM;
        struct buffer schema = buffer_in(&bench.arena);
        buffer_add_text(&schema, "{\"pattern\":");
        json_write_text(&schema, BAD[i]);
        buffer_add_char(&schema, '}');
        compile(&bench, buffer_bytes(&schema), &room);
        if (bench.schema != NULL) fail_msg("%s is accepted", BAD[i]);
        done(&bench);
    }
}

static void absent_text_is_null(void **state)
{
    (void)state;
    struct bench bench;
    struct schema_report report;
    given(&bench, "{'type':'null'}");
    assert_true(schema_check_text(bench.schema, (struct bytes){0}, &bench.scratch, &report));
    assert_true(schema_check_text(bench.schema, BYTES(""), &bench.scratch, &report));
    assert_false(schema_check_text(bench.schema, BYTES("{"), &bench.scratch, &report));
    done(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_fit_or_are_told_where_they_do_not),
        cmocka_unit_test(what_is_no_schema_or_not_understood_is_refused_at_its_place),
        cmocka_unit_test(what_checks_nothing_is_warned_of),
        cmocka_unit_test(faults_say_what_would_be_right),
        cmocka_unit_test(twenty_faults_are_told_and_that_there_are_more),
        cmocka_unit_test(a_schema_that_multiplies_ends_with_its_budget),
        cmocka_unit_test(a_long_way_by_references_is_refused),
        cmocka_unit_test(large_lists_are_compared_in_time),
        cmocka_unit_test(schemas_share_the_room_of_their_definition),
        cmocka_unit_test(patterns_are_the_regular_part_of_ecma_262),
        cmocka_unit_test(absent_text_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
