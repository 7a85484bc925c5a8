/*
 * Every refusal: a change of a good definition, and the place that must be named.
 */
#include "test_definition_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define UNDO   "\"compensation\":{\"topic\":\"t\"}"
#define ACTION "\"action\":{\"topic\":\"t\"}"

/* Members of a good definition with two steps; what a row leaves out stays as it is. */
struct change {
    const char *what;
    const char *pointer;      /* of the first error */
    const char *next_pointer; /* of the second; NULL: there is only one */
    const char *whole;        /* the definition itself */
    const char *name;
    const char *top; /* further members of the definition */
    const char *steps;
    const char *one_id, *one_undo, *one; /* `one`: further members of the first step */
    const char *two_id, *two_action, *two_undo, *two;
    const char *sends; /* further members of the action of the second step */
};

#define LONG_NAME                                                                                  \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaa"

/* clang-format off */
static const struct change CHANGES[] = {
    /* the text */
    {"no JSON", "", .whole = "{\"name\": \"x\", }"},
    {"nothing at all", "", .whole = ""},
    {"no object", "", .whole = "[]"},
    {"a member twice", "", .whole = "{\"name\":\"a\",\"name\":\"b\",\"steps\":[]}"},
    {"two values", "", .whole = "{} {}"},

    /* members of the definition */
    {"unknown member", "/stpes", .top = "\"stpes\":[]"},
    {"unknown member with a slash", "/a~1b~0", .top = "\"a/b~\":1"},
    {"almost a member for tools", "/x", .top = "\"x\":1"},
    {"no name", "", .name = "\"description\":\"d\""},
    {"no steps", "", .whole = "{\"name\":\"n\"}"},
    {"neither name nor steps", "", "", .whole = "{}"},
    {"bad name", "/name", .name = "\"name\":\"1 x\""},
    {"empty name", "/name", .name = "\"name\":\"\""},
    {"long name", "/name", .name = "\"name\":\"" LONG_NAME "\""},
    {"name that is no string", "/name", .name = "\"name\":1"},
    {"reserved name", "/name", .name = "\"name\":\"validate\""},
    {"version 0", "/version", .top = "\"version\":0"},
    {"version that is no integer", "/version", .top = "\"version\":1.5"},
    {"version beyond 32 bits", "/version", .top = "\"version\":4294967296"},
    {"description that is no string", "/description", .top = "\"description\":[]"},
    {"schema that is none", "/input_schema", .top = "\"input_schema\":\"object\""},
    {"keyword that is none", "/input_schema/properties/a/minimun", .top = "\"input_schema\":{\"properties\":{\"a\":{\"minimun\":1}}}"},
    {"schema with a bad limit", "/input_schema/minLength", .top = "\"input_schema\":{\"minLength\":\"x\"}"},
    {"schema that lies elsewhere", "/input_schema/$ref", .top = "\"input_schema\":{\"$ref\":\"other.json\"}"},
    {"number for duration", "/timeout", .top = "\"timeout\":5"},
    {"unknown on_timeout", "/on_timeout", .top = "\"on_timeout\":\"stop\""},
    {"label that is no string", "/labels/a", .top = "\"labels\":{\"a\":1}"},
    {"label with a NUL", "/labels/a", .top = "\"labels\":{\"a\":\"x\\u0000\"}"},
    {"labels that are a list", "/labels", .top = "\"labels\":[]"},
    {"defaults that are a list", "/defaults", .top = "\"defaults\":[]"},
    {"unknown default", "/defaults/retries", .top = "\"defaults\":{\"retries\":{}}"},
    {"bad default timeout", "/defaults/timeout", .top = "\"defaults\":{\"timeout\":\"5x\"}"},
    {"bad default retry", "/defaults/retry/initial", .top = "\"defaults\":{\"retry\":{\"initial\":\"soon\"}}"},
    {"attributes that are a list", "/attributes", .top = "\"attributes\":[]"},
    {"attribute that is no expression", "/attributes/a", .top = "\"attributes\":{\"a\":\"x\"}"},
    {"attribute that is a number", "/attributes/a", .top = "\"attributes\":{\"a\":1}"},
    {"attribute with a bad name", "/attributes/a b", .top = "\"attributes\":{\"a b\":\"${input.a}\"}"},
    {"attribute that reads a step", "/attributes/a", .top = "\"attributes\":{\"a\":\"${steps.one.output}\"}"},
    {"redact that is a string", "/redact", .top = "\"redact\":\"/input\""},
    {"pointer that is none", "/redact/0", .top = "\"redact\":[\"card\"]"},
    {"pointer with a bad escape", "/redact/1", .top = "\"redact\":[\"\",\"/input/a~2\"]"},
    {"pointer that is a number", "/redact/0", .top = "\"redact\":[1]"},
    {"concurrency for nobody", "/concurrency/limit", .top = "\"concurrency\":{\"limit\":0}"},
    {"concurrency by a constant", "/concurrency/key", .top = "\"concurrency\":{\"limit\":1,\"key\":\"ann\"}"},
    {"concurrency by a step", "/concurrency/key", .top = "\"concurrency\":{\"limit\":1,\"key\":\"${steps.one.output}\"}"},
    {"concurrency with a scope", "/concurrency/scope", .top = "\"concurrency\":{\"limit\":1,\"scope\":\"all\"}"},
    {"concurrency without limit", "/concurrency", .top = "\"concurrency\":{}"},
    {"wrong expression in the output", "/output/a/0", .top = "\"output\":{\"a\":[\"${foo}\"]}"},
    {"unknown step in the output", "/output", .top = "\"output\":\"${steps.three.output}\""},

    /* the list of steps, ids, kinds */
    {"steps that are an object", "/steps", .steps = "{}"},
    {"empty list of steps", "/steps", .steps = "[]"},
    {"step that is a string", "/steps/0", .steps = "[\"one\"]"},
    {"step without id", "/steps/1", .two_id = "\"description\":\"d\""},
    {"bad id", "/steps/1/id", .two_id = "\"id\":\"a/b\""},
    {"id that is a number", "/steps/1/id", .two_id = "\"id\":2"},
    {"id twice", "/steps/1/id", .two_id = "\"id\":\"one\""},
    {"two kinds", "/steps/1", .two = "\"delay\":{\"for\":\"1s\"}"},
    {"no kind", "/steps/1", .two_action = "\"description\":\"d\""},
    {"unknown member of a step", "/steps/1/wehn", .two = "\"wehn\":\"${true}\""},
    {"pivot that is a string", "/steps/1/pivot", .two = "\"pivot\":\"yes\""},
    {"unknown on_failure", "/steps/1/on_failure", .two = "\"on_failure\":\"retry\""},
    {"on_failure that is null", "/steps/1/on_failure", .two = "\"on_failure\":null"},
    {"unknown on_unknown", "/steps/1/on_unknown", .two = "\"on_unknown\":\"guess\""},

    /* edges */
    {"depends_on that is a string", "/steps/1/depends_on", .two = "\"depends_on\":\"one\""},
    {"edge that is a number", "/steps/1/depends_on/0", .two = "\"depends_on\":[1]"},
    {"unknown step", "/steps/1/depends_on/0", .two = "\"depends_on\":[\"none\"]"},
    {"itself", "/steps/1/depends_on/0", .two = "\"depends_on\":[\"two\"]"},
    {"same edge twice", "/steps/1/depends_on/1", .two = "\"depends_on\":[\"one\",\"one\"]"},
    {"cycle of two", "/steps/0/depends_on", .one = "\"depends_on\":[\"two\"]"},

    /* expressions and what they may read */
    {"wrong condition", "/steps/1/when", .two = "\"when\":\"${1 +}\""},
    {"condition that is no string", "/steps/1/when", .two = "\"when\":true"},
    {"condition that is no expression", "/steps/1/when", .two = "\"when\":\"true\""},
    {"condition with text around", "/steps/1/when", .two = "\"when\":\"not ${true}\""},
    {"never runs", "/steps/1/when", .two = "\"when\":\"${false}\""},
    {"condition on a later step", "/steps/0/when", .one = "\"when\":\"${steps.two.output.ok}\""},
    {"condition on the own item", "/steps/1/when", .two = "\"foreach\":{\"in\":\"${input}\"},\"when\":\"${item > 1}\""},
    {"output of the own step", "/steps/1/action/input", .sends = "\"input\":\"${steps.two.output}\""},
    {"own output in an action", "/steps/1/action/input/a", .sends = "\"input\":{\"a\":\"${output.id}\"}"},
    {"item without foreach", "/steps/1/action/input/a~1b", .sends = "\"input\":{\"a/b\":\"${item}\"}"},
    {"item by its common name", "/steps/1/action/input", .two = "\"foreach\":{\"in\":\"${input}\",\"as\":\"x\"}", .sends = "\"input\":\"${item}\""},
    {"parallel step", "/steps/1/action/input", .two = "\"depends_on\":[]", .sends = "\"input\":\"${steps.one.output}\""},
    {"wrong expression in a key", "/steps/1/action/key", .sends = "\"key\":\"${foo}\""},
    {"key that is no expression", "/steps/1/action/key", .sends = "\"key\":\"k\""},
    {"wrong expression in a header", "/steps/1/action/headers/x-a", .sends = "\"headers\":{\"x-a\":\"<${foo}>\"}"},
    {"wrong expression in an undo", "/steps/1/compensation/input", .two_undo = "\"compensation\":{\"topic\":\"t\",\"input\":\"${foo}\"}"},

    /* commands */
    {"action that is a string", "/steps/1/action", .two_action = "\"action\":\"t\""},
    {"action without topic", "/steps/1/action", .two_action = "\"action\":{}"},
    {"unknown member of an action", "/steps/1/action/topics", .sends = "\"topics\":\"x\""},
    {"bad topic", "/steps/1/action/topic", .two_action = "\"action\":{\"topic\":\"a b\"}"},
    {"empty topic", "/steps/1/action/topic", .two_action = "\"action\":{\"topic\":\"\"}"},
    {"topic that is a dot", "/steps/1/action/topic", .two_action = "\"action\":{\"topic\":\"..\"}"},
    {"topic of the system", "/steps/1/action/topic", .two_action = "\"action\":{\"topic\":\"saga.replies\"}"},
    {"topic of Kafka", "/steps/1/action/topic", .two_action = "\"action\":{\"topic\":\"__consumer_offsets\"}"},
    {"empty type", "/steps/1/action/type", .sends = "\"type\":\"\""},
    {"type with a line feed", "/steps/1/action/type", .sends = "\"type\":\"a\\nb\""},
    {"headers that are a list", "/steps/1/action/headers", .sends = "\"headers\":[]"},
    {"header that is a number", "/steps/1/action/headers/a", .sends = "\"headers\":{\"a\":1}"},
    {"header without name", "/steps/1/action/headers/", .sends = "\"headers\":{\"\":\"v\"}"},
    {"header of the system", "/steps/1/action/headers/ce_id", .sends = "\"headers\":{\"ce_id\":\"v\"}"},
    {"header of the system in capitals", "/steps/1/action/headers/CE_x", .sends = "\"headers\":{\"CE_x\":\"v\"}"},
    {"content type", "/steps/1/action/headers/Content-Type", .sends = "\"headers\":{\"Content-Type\":\"v\"}"},
    {"trace", "/steps/1/action/headers/traceparent", "/steps/1/action/headers/tracestate", .sends = "\"headers\":{\"traceparent\":\"v\",\"tracestate\":\"v\"}"},
    {"bad duration", "/steps/1/action/timeout", .sends = "\"timeout\":\"5 minutes\""},
    {"empty duration", "/steps/1/action/timeout", .sends = "\"timeout\":\"PT\""},
    {"no duration at all", "/steps/1/action/timeout", .sends = "\"timeout\":\"0s\""},
    {"bad heartbeat", "/steps/1/action/heartbeat", .sends = "\"heartbeat\":20"},
    {"schema of the output that is none", "/steps/1/action/output_schema", .sends = "\"output_schema\":1"},

    {"output with an older schema", "/steps/1/action/output_schema/definitions", .sends = "\"output_schema\":{\"definitions\":{}}"},

    /* retries */
    {"retry that is a number", "/steps/1/action/retry", .sends = "\"retry\":3"},
    {"unknown member of a retry", "/steps/1/action/retry/attempts", .sends = "\"retry\":{\"attempts\":3}"},
    {"shrinking multiplier", "/steps/1/action/retry/multiplier", .sends = "\"retry\":{\"multiplier\":0.5}"},
    {"infinite multiplier", "/steps/1/action/retry/multiplier", .sends = "\"retry\":{\"multiplier\":1e999}"},
    {"unknown jitter", "/steps/1/action/retry/jitter", .sends = "\"retry\":{\"jitter\":\"some\"}"},
    {"negative attempts", "/steps/1/action/retry/max_attempts", .sends = "\"retry\":{\"max_attempts\":-1}"},
    {"too many attempts", "/steps/1/action/retry/max_attempts", .sends = "\"retry\":{\"max_attempts\":4294967296}"},
    {"no wait", "/steps/1/action/retry/initial", .sends = "\"retry\":{\"initial\":\"0ms\"}"},
    {"codes that are a string", "/steps/1/action/retry/never_on", .sends = "\"retry\":{\"never_on\":\"declined\"}"},
    {"code that is a number", "/steps/1/action/retry/never_on/1", .sends = "\"retry\":{\"never_on\":[\"a\",2]}"},
    {"attempts beyond the deadline", "/steps/1/action", .top = "\"timeout\":\"3m\"", .sends = "\"timeout\":\"1m\""},
    {"waits beyond the deadline", "/steps/1/action", .top = "\"timeout\":\"3m\"", .sends = "\"timeout\":\"1s\",\"retry\":{\"initial\":\"1m\",\"max\":\"1m\"}"},
    {"max_elapsed beyond the deadline", "/steps/1/action", .top = "\"timeout\":\"3m\"", .sends = "\"retry\":{\"max_elapsed\":\"4m\"}"},

    /* foreach */
    {"foreach of nothing", "/steps/1/foreach", .two = "\"foreach\":{\"as\":\"x\"}"},
    {"foreach that is a string", "/steps/1/foreach", .two = "\"foreach\":\"${input}\""},
    {"foreach over a later step", "/steps/0/foreach/in", .one = "\"foreach\":{\"in\":\"${steps.two.output}\"}"},
    {"foreach too wide", "/steps/1/foreach/max_items", .two = "\"foreach\":{\"in\":\"${input}\",\"max_items\":1001}"},
    {"foreach too broad", "/steps/1/foreach/concurrency", .two = "\"foreach\":{\"in\":\"${input}\",\"concurrency\":0}"},
    {"item with a bad name", "/steps/1/foreach/as", .two = "\"foreach\":{\"in\":\"${input}\",\"as\":\"a b\"}"},
    {"item with a taken name", "/steps/1/foreach/as", .two = "\"foreach\":{\"in\":\"${input}\",\"as\":\"input\"}"},

    /* undo and the pivot */
    {"compensation that is false", "/steps/1/compensation", .two_undo = "\"compensation\":false"},
    {"compensation without topic", "/steps/1/compensation", .two_undo = "\"compensation\":{\"type\":\"x\"}"},
    {"compensation with a heartbeat", "/steps/1/compensation/heartbeat", .two_undo = "\"compensation\":{\"topic\":\"t\",\"heartbeat\":\"1s\"}"},
    {"unknown on_exhausted", "/steps/1/compensation/on_exhausted", .two_undo = "\"compensation\":{\"topic\":\"t\",\"on_exhausted\":\"panic\"}"},
    {"undo to a topic of the system", "/steps/1/compensation/topic", .two_undo = "\"compensation\":{\"topic\":\"saga.events\"}"},
    {"no undo before a step that can fail", "/steps/0", .one_undo = "\"description\":\"d\""},
    {"no undo before the pivot", "/steps/0", .one_undo = "\"description\":\"d\"", .two_undo = "\"pivot\":true"},
    {"no undo beside a step that can fail", "/steps/1", .two_undo = "\"depends_on\":[]"},
    {"no undo of an ignored step", "/steps/0", .one_undo = "\"on_failure\":\"ignore\""},
    {"undo after the pivot", "/steps/1/compensation", .one_undo = "\"pivot\":true"},
    {"undo on failure after the pivot", "/steps/1/on_failure", .one_undo = "\"pivot\":true", .two_undo = "\"on_failure\":\"compensate\""},
    {"pivot that is ignored", "/steps/1/on_failure", .two_undo = "\"pivot\":true,\"on_failure\":\"ignore\""},
    {"two pivots", "/steps/1/pivot", .one_undo = "\"pivot\":true", .two_undo = "\"pivot\":true"},

    /* not run yet, but checked */
    {"wrong signal", "/steps/1/signal/timeout", .two_action = "\"signal\":{\"name\":\"s\",\"timeout\":1}"},
    {"signal without name", "/steps/1/signal", .two_action = "\"signal\":{\"timeout\":\"1s\"}"},
    {"signal with retry", "/steps/1/signal/retry", .two_action = "\"signal\":{\"name\":\"s\",\"retry\":{}}"},
    {"signal beyond the saga", "/steps/1/signal", .top = "\"timeout\":\"10m\"", .two_action = "\"signal\":{\"name\":\"s\",\"timeout\":\"1h\"}"},
    {"delay beyond the saga", "/steps/1/delay", .top = "\"timeout\":\"10m\"", .two_action = "\"delay\":{\"for\":\"11m\"}"},
    {"delay of a signal that hangs", "/steps/1/delay", .two_action = "\"delay\":{}"},
    {"delay that is no duration", "/steps/1/delay/for", .two_action = "\"delay\":{\"for\":\"soon\"}"},
    {"delay until a constant", "/steps/1/delay/until", .two_action = "\"delay\":{\"until\":\"2030-01-01T00:00:00Z\"}"},
    {"delay until a later step", "/steps/1/delay/until", .two_action = "\"delay\":{\"until\":\"${steps.three.output}\"}"},
    {"delay on_unknown", "/steps/1/on_unknown", .two_action = "\"delay\":{\"for\":\"1s\"},\"on_unknown\":\"hold\""},
    {"signal with probe", "/steps/1/probe", .two_action = "\"signal\":{\"name\":\"s\"},\"on_unknown\":\"probe\",\"probe\":{\"topic\":\"t\"}"},
    {"probe without topic", "/steps/1/probe", .two = "\"on_unknown\":\"probe\",\"probe\":{}"},
    {"probe that is not sent", "/steps/1/probe", .two = "\"on_unknown\":\"hold\",\"probe\":{\"topic\":\"t\"}"},
    {"nothing to probe with", "/steps/1/on_unknown", .two = "\"on_unknown\":\"probe\""},
    {"delay for and until", "/steps/1/delay", .two_action = "\"delay\":{\"for\":\"1s\",\"until\":\"${input.at}\"}"},
    {"child saga", "/steps/1/saga", .two_action = "\"saga\":{\"name\":\"c\",\"input\":\"${input}\",\"on_parent_compensate\":\"leave\"}"},
    {"wrong expression in a child saga", "/steps/1/saga", "/steps/1/saga/input/a", .two_action = "\"saga\":{\"name\":\"c\",\"input\":{\"a\":\"${foo}\"}}"},
    {"probe", "/steps/1/probe", .two = "\"probe\":{\"topic\":\"t\"}"},
    {"wrong effect", "/steps/1/effect", .two = "\"effect\":{\"amount\":\"${input.a}\"}"},
    {"an effect whose kind has control characters", "/steps/1/effect/kind", .two = "\"effect\":{\"kind\":\"a\\u0000\"}"},
    {"an effect in a currency that is no text", "/steps/1/effect/currency", .two = "\"effect\":{\"kind\":\"money\",\"currency\":978}"},
    {"wrong expression in a currency", "/steps/1/effect/currency", .two = "\"effect\":{\"kind\":\"money\",\"currency\":\"${foo}\"}"},
    {"wrong expression in an effect", "/steps/1/effect/amount", .two = "\"effect\":{\"kind\":\"money\",\"amount\":\"${foo}\"}"},
};
/* clang-format on */

static const char *or_else(const char *text, const char *otherwise)
{
    return text != NULL ? text : otherwise;
}

static struct parsed parsed_change(const struct change *change)
{
    if (change->whole != NULL) return parsed_text(bytes_of(change->whole));
    const char *name = or_else(change->name, "\"name\":\"good\"");
    const char *top = or_else(change->top, "\"x-none\":0");
    if (change->steps != NULL) {
        return parsed_format("{%s,%s,\"steps\":%s}", name, top, change->steps);
    }
    char action[512];
    (void)snprintf(action, sizeof(action), "\"action\":{\"topic\":\"t\"%s%s}",
                   change->sends != NULL ? "," : "", or_else(change->sends, ""));
    return parsed_format("{%s,%s,\"steps\":[{%s,%s,%s,%s},{%s,%s,%s,%s}]}", name, top,
                         or_else(change->one_id, "\"id\":\"one\""), ACTION,
                         or_else(change->one_undo, UNDO), or_else(change->one, "\"x-none\":0"),
                         or_else(change->two_id, "\"id\":\"two\""),
                         or_else(change->two_action, action), or_else(change->two_undo, UNDO),
                         or_else(change->two, "\"x-none\":0"));
}

static void the_unchanged_definition_is_accepted(void **state)
{
    (void)state;
    struct parsed parsed = parsed_change(&(struct change){.what = "nothing"});

    assert_valid(&parsed);
    assert_int_equal(parsed.report.warning_count, 0);
    parsed_done(&parsed);
}

static bool is_refused_there(const struct change *change, const struct parsed *parsed)
{
    const size_t wanted = change->next_pointer == NULL ? 1 : 2;
    if (parsed->report.error_count != wanted) return false;
    if (!bytes_equal_text(parsed->report.errors[0].pointer, change->pointer)) return false;
    return wanted == 1 || bytes_equal_text(parsed->report.errors[1].pointer, change->next_pointer);
}

static void each_wrong_definition_is_refused_with_its_place_and_nothing_else(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof(CHANGES) / sizeof(*CHANGES); i++) {
        struct parsed parsed = parsed_change(&CHANGES[i]);
        if (!is_refused_there(&CHANGES[i], &parsed)) {
            print_error("%s: expected \"%s\"\n", CHANGES[i].what, CHANGES[i].pointer);
            print_report(&parsed);
            wrong++;
        }
        parsed_done(&parsed);
    }
    assert_int_equal(wrong, 0);
}

static void all_errors_are_told_at_once_in_the_order_of_the_text(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(
        "{\"nmae\":1,\"name\":\"n\",\"steps\":["
        "{\"id\":\"a\",\"action\":{\"topic\":\"t\",\"input\":[\"${nope}\",\"${1 +}\"]}," UNDO
        "},"
        "{\"id\":\"b\",\"depends_on\":[\"zz\"],\"action\":{\"topic\":\"a b\"}," UNDO
        "},"
        "{\"id\":\"c\",\"when\":\"${1 +}\",\"action\":{\"topic\":\"t\",\"timeout\":1}}],"
        "\"output\":\"${steps.d.output}\"}");

    assert_errors(&parsed, "/nmae", "/steps/0/action/input/0", "/steps/0/action/input/1",
                  "/steps/1/depends_on/0", "/steps/1/action/topic", "/steps/2/when",
                  "/steps/2/action/timeout", "/output", NULL);
    parsed_done(&parsed);
}

static bool says(const struct parsed *parsed, const char *words)
{
    assert_true(parsed->report.error_count > 0);
    return strstr(parsed->report.errors[0].detail.data, words) != NULL;
}

static void an_unknown_name_is_answered_with_the_nearest_known_one(void **state)
{
    (void)state;
    static const struct {
        struct change change;
        const char *meant;
    } MISTAKES[] = {
        {{.two = "\"wehn\":1"},                     "did you mean `when`?"                      },
        {{.two = "\"di\":1"},                       "did you mean `id`?"                        },
        {{.two = "\"dependsOn\":[]"},               "did you mean `depends_on`?"                },
        {{.top = "\"attribute\":{}"},               "did you mean `attributes`?"                },
        {{.sends = "\"retries\":{}"},               "did you mean `retry`?"                     },
        {{.sends = "\"colour\":1"},                 "an action may have topic, type, key, input"},
        {{.two = "\"depends_on\":[\"onne\"]"},      "did you mean `one`?"                       },
        {{.two = "\"depends_on\":[\"elsewhere\"]"}, "there is no step `elsewhere`"              },
        {{.two = "\"on_failure\":\"fail\""},        "\"compensate\", \"ignore\" or \"pause\""   },
    };
    for (size_t i = 0; i < sizeof(MISTAKES) / sizeof(*MISTAKES); i++) {
        struct parsed parsed = parsed_change(&MISTAKES[i].change);
        if (!says(&parsed, MISTAKES[i].meant)) print_report(&parsed);
        assert_true(says(&parsed, MISTAKES[i].meant));
        parsed_done(&parsed);
    }
}

static void a_cycle_is_told_once_with_its_way(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(
        "{\"name\":\"n\",\"steps\":["
        "{\"id\":\"a\",\"depends_on\":[\"c\"]," ACTION
        "},"
        "{\"id\":\"b\"," ACTION "},{\"id\":\"c\"," ACTION
        "},"
        "{\"id\":\"d\",\"depends_on\":[\"e\"]," ACTION
        "},"
        "{\"id\":\"e\",\"depends_on\":[\"d\"]," ACTION
        "},"
        "{\"id\":\"f\"," ACTION "}]}");

    assert_errors(&parsed, "/steps/0/depends_on", "/steps/3/depends_on", NULL);
    assert_true(says(&parsed, "a -> c -> b -> a"));
    parsed_done(&parsed);
}

static void what_an_error_leaves_unknown_is_not_blamed_again(void **state)
{
    (void)state;
    /* Who comes before `b` and `c` is not known, so reading `a` is not wrong. */
    struct parsed parsed = parsed_format(
        "{\"name\":\"n\",\"steps\":[{\"id\":\"a\"," ACTION
        "},"
        "{\"id\":\"b\",\"depends_on\":[\"aa\"],\"action\":{\"topic\":\"t\",\"input\":\"${steps.a."
        "output}\"}},"
        "{\"id\":\"c\",\"action\":{\"topic\":\"t\",\"input\":\"${steps.a.output}\"}}]}");

    assert_errors(&parsed, "/steps/1/depends_on/0", NULL);
    parsed_done(&parsed);

    /* An id that is no name is still the id that others mean. */
    parsed = parsed_format("{\"name\":\"n\",\"steps\":[{\"id\":\"a.b\"," ACTION "," UNDO
                           "},"
                           "{\"id\":\"b\",\"depends_on\":[\"a.b\"]," ACTION "}]}");
    assert_errors(&parsed, "/steps/0/id", NULL);
    parsed_done(&parsed);
}

static void details_are_printable_and_short_whatever_was_written(void **state)
{
    (void)state;
    char name[5000];
    memset(name, 'z', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct parsed parsed = parsed_format("{\"name\":\"a\\u0007\\u0000\xC3\xA4\",\"%s\":1}", name);

    assert_int_equal(parsed.report.error_count, 3);
    for (size_t i = 0; i < parsed.report.error_count; i++) {
        const struct bytes detail = parsed.report.errors[i].detail;
        assert_in_range(detail.size, 1, 400);
        for (size_t c = 0; c < detail.size; c++) {
            assert_true((unsigned char)detail.data[c] >= ' ');
        }
    }
    parsed_done(&parsed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_unchanged_definition_is_accepted),
        cmocka_unit_test(each_wrong_definition_is_refused_with_its_place_and_nothing_else),
        cmocka_unit_test(all_errors_are_told_at_once_in_the_order_of_the_text),
        cmocka_unit_test(an_unknown_name_is_answered_with_the_nearest_known_one),
        cmocka_unit_test(a_cycle_is_told_once_with_its_way),
        cmocka_unit_test(what_an_error_leaves_unknown_is_not_blamed_again),
        cmocka_unit_test(details_are_printable_and_short_whatever_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
