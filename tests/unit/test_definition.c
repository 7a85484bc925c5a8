/*
 * What a definition compiles to.
 */
#include "test_definition_support.h"

#include "sagas/definition/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define UNDO           "\"compensation\":{\"topic\":\"t\"}"
#define STEP(id, more) "{\"id\":\"" id "\",\"action\":{\"topic\":\"t\"}," UNDO more "}"
#define STEPS(...)     "{\"name\":\"n\",\"steps\":[" __VA_ARGS__ "]}"

static void assert_positions(const uint16_t *positions, size_t count, const char *wanted)
{
    char found[64] = "";
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(found + strlen(found), sizeof(found) - strlen(found), "%u ", positions[i]);
    }
    assert_string_equal(found, wanted);
}

static void assert_edges(const struct parsed *parsed, const char *id, const char *needs,
                         const char *feeds)
{
    const struct step *step = step_named(parsed, id);
    assert_positions(step->needs, step->need_count, needs);
    assert_positions(step->feeds, step->feed_count, feeds);
}

static void the_smallest_definition_compiles(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(
        "{\"name\":\"n\",\"steps\":[{\"id\":\"s\",\"action\":{"
        "\"topic\":\"a.b_c-D9\"}}]}");

    assert_valid(&parsed);
    const struct definition *definition = parsed.definition;
    assert_true(bytes_equal_text(definition->name, "n"));
    assert_true(bytes_equal_text(definition->labels, "{}"));
    assert_int_equal(definition->step_count, 1);
    assert_int_equal(definition->pivot, -1);
    assert_int_equal(definition->timeout_ms, 0);
    assert_int_equal(definition->on_timeout, ON_TIMEOUT_COMPENSATE);
    assert_int_equal(definition->stated_version, 0);
    assert_null(definition->output);
    const struct step *step = &definition->steps[0];
    assert_int_equal(step->kind, STEP_ACTION);
    assert_int_equal(step->undo, UNDO_UNDECLARED);
    assert_int_equal(step->on_failure, ON_FAILURE_COMPENSATE);
    assert_false(step->on_failure_stated);
    assert_true(bytes_equal_text(step->action.topic, "a.b_c-D9"));
    assert_true(bytes_equal_text(step->action.type, "s"));
    assert_null(step->action.key);
    assert_null(step->action.input);
    assert_null(step->when);
    assert_null(step->foreach);
    parsed_done(&parsed);
}

static void a_step_waits_for_the_one_before_it_unless_it_says_otherwise(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(
        STEPS(STEP("a", "") "," STEP("b", "") "," STEP("c", ",\"depends_on\":[]") "," STEP(
            "d", ",\"depends_on\":[\"c\",\"a\",\"b\"]") "," STEP("e", "")));

    assert_edges(&parsed, "a", "", "1 3 ");
    assert_edges(&parsed, "b", "0 ", "3 ");
    assert_edges(&parsed, "c", "", "3 ");
    assert_edges(&parsed, "d", "0 1 2 ", "4 ");
    assert_edges(&parsed, "e", "3 ", "");
    parsed_done(&parsed);
}

static void a_step_may_wait_for_a_later_one(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(
        STEPS(STEP("a", ",\"depends_on\":[\"b\"],\"when\":\"${steps.b.output.ok}\"") "," STEP(
            "b", ",\"depends_on\":[]")));

    assert_edges(&parsed, "a", "1 ", "");
    assert_edges(&parsed, "b", "", "0 ");
    parsed_done(&parsed);
}

static void steps_are_found_by_id_and_nothing_else_is(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(STEPS(STEP("zz", "") "," STEP("a", "") "," STEP("m", "")));

    assert_valid(&parsed);
    assert_int_equal(definition_find_step(parsed.definition, BYTES("zz")), 0);
    assert_int_equal(definition_find_step(parsed.definition, BYTES("a")), 1);
    assert_int_equal(definition_find_step(parsed.definition, BYTES("m")), 2);
    assert_int_equal(definition_find_step(parsed.definition, BYTES("z")), -1);
    assert_int_equal(definition_find_step(parsed.definition, BYTES("")), -1);
    parsed_done(&parsed);
}

/* ---- defaults ---- */

static void assert_retry(const struct retry_policy *retry, const char *wanted)
{
    char found[128];
    (void)snprintf(found, sizeof(found), "%u %llu x%g %llu j%d %llu n%zu", retry->max_attempts,
                   (unsigned long long)retry->initial_ms, retry->multiplier,
                   (unsigned long long)retry->max_ms, (int)retry->jitter,
                   (unsigned long long)retry->max_elapsed_ms, retry->never_on_count);
    assert_string_equal(found, wanted);
}

static void what_is_left_out_has_the_defaults_of_the_contract(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(STEPS(STEP("a", "")));

    const struct step *step = step_named(&parsed, "a");
    assert_retry(&step->action.retry, "5 500 x2 30000 j0 0 n0");
    assert_retry(&step->compensation.retry, "0 1000 x2 300000 j0 86400000 n0");
    assert_int_equal(step->action.timeout_ms, 30000);
    assert_int_equal(step->compensation.timeout_ms, 30000);
    assert_int_equal(step->action.heartbeat_ms, 0);
    assert_int_equal(step->compensation.on_exhausted, ON_EXHAUSTED_STUCK);
    parsed_done(&parsed);
}

static void defaults_are_inherited_member_by_member_wherever_they_stand(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(
        "{\"name\":\"n\",\"steps\":["
        "{\"id\":\"a\",\"action\":{\"topic\":\"t\",\"retry\":{\"max_attempts\":9}},"
        "\"compensation\":{\"topic\":\"t\",\"timeout\":\"PT1M\",\"retry\":{\"max_elapsed\":\"1h\"}}"
        "},"
        "{\"id\":\"b\",\"action\":{\"topic\":\"t\",\"timeout\":\"2s\",\"heartbeat\":\"1s\","
        "\"retry\":"
        "{\"initial\":\"1s\",\"multiplier\":1.5,\"max\":\"4s\",\"jitter\":\"equal\",\"never_on\":[]"
        "}}}],"
        "\"defaults\":{\"timeout\":\"7s\",\"retry\":{\"initial\":\"100ms\",\"never_on\":[\"x\","
        "\"y\"]},"
        "\"compensation_retry\":{\"jitter\":\"none\"}}}");

    const struct step *a = step_named(&parsed, "a");
    const struct step *b = step_named(&parsed, "b");
    assert_retry(&a->action.retry, "9 100 x2 30000 j0 0 n2");
    assert_retry(&a->compensation.retry, "0 1000 x2 300000 j2 3600000 n0");
    assert_retry(&b->action.retry, "5 1000 x1.5 4000 j1 0 n0");
    assert_true(bytes_equal_text(a->action.retry.never_on[1], "y"));
    assert_int_equal(a->action.timeout_ms, 7000);
    assert_int_equal(a->compensation.timeout_ms, 60000);
    assert_int_equal(b->action.timeout_ms, 2000);
    assert_int_equal(b->action.heartbeat_ms, 1000);
    parsed_done(&parsed);
}

static void a_stated_wait_is_not_cut_by_an_inherited_cap(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(
        "{\"name\":\"n\",\"defaults\":{\"retry\":{\"max\":\"2s\"}},\"steps\":["
        "{\"id\":\"a\",\"action\":{\"topic\":\"t\",\"retry\":{\"initial\":\"1m\"}}," UNDO
        "},"
        "{\"id\":\"b\",\"action\":{\"topic\":\"t\",\"retry\":{\"initial\":\"1m\",\"max\":\"3s\"}}"
        "," UNDO "}]}");

    assert_retry(&step_named(&parsed, "a")->action.retry, "5 60000 x2 60000 j0 0 n0");
    assert_retry(&step_named(&parsed, "b")->action.retry, "5 60000 x2 3000 j0 0 n0");
    assert_warnings(&parsed, "/steps/1/action/retry/initial", NULL);
    parsed_done(&parsed);
}

/* ---- members ---- */

static void every_member_that_runs_is_kept(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(
        "{\"$schema\":\"/schemas/saga-definition-1.json\",\"name\":\"full\",\"version\":3,"
        "\"description\":\"d\",\"labels\":{ \"team\": \"a\" "
        "},\"timeout\":\"2h\",\"on_timeout\":\"pause\","
        "\"attributes\":{\"order\":\"${input.id}\",\"who\":\"${saga.labels.team}\"},"
        "\"redact\":[\"/input/card\",\"/steps/a/output/p~1n\",\"\"],\"x-owner\":{\"a\":[1]},"
        "\"output\":{\"a\":\"${steps.a.output}\",\"b\":\"${steps.b.state}\"},"
        "\"steps\":[{\"id\":\"a\",\"name\":\"A\",\"description\":\"d\",\"x-ui\":1,"
        "\"foreach\":{\"in\":\"${input.items}\",\"as\":\"line\",\"concurrency\":3,\"max_items\":7},"
        "\"action\":{\"topic\":\"t\",\"type\":\"a.v1\",\"key\":\"${line.key}\","
        "\"input\":{\"n\":\"${index}\",\"l\":\"${line}\"},\"headers\":{\"x-a\":\"v ${line.a}\"}},"
        "\"compensation\":{\"topic\":\"u\",\"type\":\"a.undo\",\"key\":\"${input.id}\","
        "\"headers\":{\"x-b\":\"w\"},\"on_exhausted\":\"continue\","
        "\"input\":[\"${output.id}\",\"${line}\",\"${index}\"]}},"
        "{\"id\":\"b\",\"on_failure\":\"ignore\",\"on_unknown\":\"compensate\",\"pivot\":false,"
        "\"when\":\"${steps.a.output != null}\",\"action\":{\"topic\":\"t\"}}]}");

    assert_valid(&parsed);
    const struct definition *definition = parsed.definition;
    assert_int_equal(definition->stated_version, 3);
    assert_true(bytes_equal_text(definition->labels, "{\"team\":\"a\"}"));
    assert_int_equal(definition->timeout_ms, 2 * 3600 * 1000);
    assert_int_equal(definition->on_timeout, ON_TIMEOUT_PAUSE);
    assert_int_equal(definition->attribute_count, 2);
    assert_true(bytes_equal_text(definition->attributes[1].name, "who"));
    assert_non_null(definition->attributes[1].value);
    assert_int_equal(definition->redact_count, 3);
    assert_true(bytes_equal_text(definition->redact[1], "/steps/a/output/p~1n"));
    assert_non_null(definition->output);

    const struct step *a = step_named(&parsed, "a");
    assert_true(bytes_equal_text(a->foreach->as, "line"));
    assert_non_null(a->foreach->in);
    assert_int_equal(a->foreach->concurrency, 3);
    assert_int_equal(a->foreach->max_items, 7);
    assert_true(bytes_equal_text(a->action.type, "a.v1"));
    assert_non_null(a->action.key);
    assert_non_null(a->action.input);
    assert_int_equal(a->action.header_count, 1);
    assert_true(bytes_equal_text(a->action.headers[0].name, "x-a"));
    assert_non_null(a->action.headers[0].value);
    assert_int_equal(a->undo, UNDO_COMMAND);
    assert_true(bytes_equal_text(a->compensation.topic, "u"));
    assert_true(bytes_equal_text(a->compensation.type, "a.undo"));
    assert_non_null(a->compensation.key);
    assert_non_null(a->compensation.input);
    assert_int_equal(a->compensation.header_count, 1);
    assert_int_equal(a->compensation.on_exhausted, ON_EXHAUSTED_CONTINUE);

    const struct step *b = step_named(&parsed, "b");
    assert_non_null(b->when);
    assert_int_equal(b->on_failure, ON_FAILURE_IGNORE);
    assert_true(b->on_failure_stated);
    assert_int_equal(definition->pivot, -1);
    parsed_done(&parsed);
}

static void foreach_takes_all_at_once_and_names_its_item_item(void **state)
{
    (void)state;
    struct parsed parsed =
        parsed_format(STEPS("{\"id\":\"a\",\"foreach\":{\"in\":\"${input}\"},\"compensation\":null,"
                            "\"action\":{\"topic\":\"t\",\"input\":\"${item}\"}}"));

    const struct foreach *foreach = step_named(&parsed, "a")->foreach;
    assert_true(bytes_equal_text(foreach->as, "item"));
    assert_int_equal(foreach->concurrency, FOREACH_ITEMS_MAX);
    assert_int_equal(foreach->max_items, FOREACH_ITEMS_MAX);
    parsed_done(&parsed);
}

static void an_empty_list_of_edges_is_not_the_same_as_none(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(
        STEPS(STEP("a", "") ","
                            "{\"id\":\"b\",\"depends_on\":[],\"action\":{\"topic\":\"t\","
                            "\"input\":\"${input}\"}," UNDO "}"));

    assert_edges(&parsed, "a", "", "");
    assert_edges(&parsed, "b", "", "");
    parsed_done(&parsed);
}

static void expressions_see_all_that_ended_before_even_at_a_distance(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(STEPS(STEP("a", "") "," STEP("b", "") "," STEP(
        "c", "") ","
                 "{\"id\":\"d\",\"when\":\"${steps.a.output.ok && steps.b.state == 'succeeded'}\","
                 "\"foreach\":{\"in\":\"${steps.a.output}\"},"
                 "\"action\":{\"topic\":\"t\",\"input\":\"${steps.b.error}\"},"
                 "\"compensation\":{\"topic\":\"t\",\"input\":\"${steps.c.output}\"}}"));

    assert_valid(&parsed);
    parsed_done(&parsed);
}

/* ---- undo and the pivot ---- */

static void after_the_pivot_comes_what_depends_on_it(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(STEPS(
        STEP("before",
             "") ","
                 "{\"id\":\"pivot\",\"pivot\":true,\"action\":{\"topic\":\"t\"}},"
                 "{\"id\":\"after\",\"action\":{\"topic\":\"t\"}}," STEP(
                     "beside",
                     ",\"depends_on\":[\"before\"]") ","
                                                     "{\"id\":\"last\",\"depends_on\":[\"after\","
                                                     "\"beside\"],\"on_failure\":\"pause\","
                                                     "\"compensation\":null,\"action\":{\"topic\":"
                                                     "\"t\"}}"));

    assert_valid(&parsed);
    assert_int_equal(parsed.definition->pivot, 1);
    assert_true(step_named(&parsed, "pivot")->pivot);
    assert_false(step_named(&parsed, "before")->after_pivot);
    assert_false(step_named(&parsed, "pivot")->after_pivot);
    assert_true(step_named(&parsed, "after")->after_pivot);
    assert_false(step_named(&parsed, "beside")->after_pivot);
    assert_true(step_named(&parsed, "last")->after_pivot);
    assert_int_equal(step_named(&parsed, "last")->undo, UNDO_NOTHING);
    assert_int_equal(step_named(&parsed, "after")->undo, UNDO_UNDECLARED);
    parsed_done(&parsed);
}

static void undo_may_be_left_out_where_nothing_else_can_turn_the_saga(void **state)
{
    (void)state;
    static const char BARE[] = "\"action\":{\"topic\":\"t\"}";
    /* Only ignored steps follow; the warning says what an unknown outcome would mean. */
    struct parsed parsed =
        parsed_format(STEPS(STEP("a", "") ",{\"id\":\"b\",%s},"
                                          "{\"id\":\"c\",\"on_failure\":\"ignore\",%s},"
                                          "{\"id\":\"d\",\"depends_on\":[],\"on_failure\":"
                                          "\"ignore\",%s,\"compensation\":null}"),
                      BARE, BARE, BARE);
    assert_valid(&parsed);
    assert_warnings(&parsed, "/steps/1", NULL);
    parsed_done(&parsed);

    /* Two ends that run side by side: each can fail after the other succeeded. */
    parsed = parsed_format(STEPS(STEP("a", "") ",{\"id\":\"b\",%s},"
                                               "{\"id\":\"c\",\"depends_on\":[\"a\"],%s}"),
                           BARE, BARE);
    assert_errors(&parsed, "/steps/1", "/steps/2", NULL);
    parsed_done(&parsed);

    /* An ignored step has an effect too, and what follows it can fail. */
    parsed =
        parsed_format(STEPS("{\"id\":\"b\",\"on_failure\":\"ignore\",%s}," STEP("c", "")), BARE);
    assert_errors(&parsed, "/steps/0", NULL);
    parsed_done(&parsed);

    /* Beside the pivot: the pivot can fail. */
    parsed = parsed_format(STEPS(STEP("a", "") ",{\"id\":\"b\",\"pivot\":true,%s},"
                                               "{\"id\":\"c\",\"depends_on\":[\"a\"],%s}"),
                           BARE, BARE);
    assert_errors(&parsed, "/steps/2", NULL);
    parsed_done(&parsed);
}

static void a_foreach_without_undo_is_warned_of_its_own_items(void **state)
{
    (void)state;
    struct parsed parsed =
        parsed_format(STEPS("{\"id\":\"a\",\"pivot\":true,\"action\":{\"topic\":"
                            "\"t\"},\"foreach\":{\"in\":\"${input}\"}}"));

    assert_valid(&parsed);
    assert_warnings(&parsed, "/steps/0", NULL);
    parsed_done(&parsed);
}

static void the_horizon_counts_attempts_and_waits_to_the_millisecond(void **state)
{
    (void)state;
    /* 3 x 1s + 100ms + 200ms = 3.3s */
    static const char TEXT[] =
        "{\"name\":\"n\",\"timeout\":\"%s\",\"steps\":[{\"id\":\"a\",\"action\":{\"topic\":\"t\","
        "\"timeout\":\"1s\",\"retry\":{\"max_attempts\":%u,\"initial\":\"100ms\"}}," UNDO "}]}";
    struct parsed parsed = parsed_format(TEXT, "3300ms", 3U);
    assert_valid(&parsed);
    parsed_done(&parsed);

    parsed = parsed_format(TEXT, "3299ms", 3U);
    assert_errors(&parsed, "/steps/0/action", NULL);
    assert_non_null(strstr(parsed.report.errors[0].detail.data, "3s300ms"));
    parsed_done(&parsed);

    /* Without a limit of attempts the saga's deadline ends them. */
    parsed = parsed_format(TEXT, "1ms", 0U);
    assert_valid(&parsed);
    parsed_done(&parsed);

    parsed = parsed_format(TEXT, "1d", 4294967295U);
    assert_errors(&parsed, "/steps/0/action", NULL);
    parsed_done(&parsed);
}

/* ---- not run yet ---- */

static void an_undo_of_the_pivot_is_warned_of(void **state)
{
    (void)state;
    struct parsed parsed =
        parsed_format(STEPS("{\"id\":\"a\",\"pivot\":true,\"action\":{\"topic\":\"t\"}," UNDO "}"));

    assert_valid(&parsed);
    assert_warnings(&parsed, "/steps/0/compensation", NULL);
    parsed_done(&parsed);
}

static void members_that_are_kept_but_not_enforced_are_warned_of(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(
        "{\"name\":\"n\",\"input_schema\":{\"format\":\"email\"},\"redact\":[\"/inputs/card\"],"
        "\"steps\":[{\"id\":\"a\",\"effect\":{\"kind\":\"money\",\"amount\":\"${input.a}\","
        "\"currency\":\"EUR\"},\"action\":{\"topic\":\"t\",\"output_schema\":true,"
        "\"retry\":{\"never_on\":[\"Declined\"]}}," UNDO "}]}");

    assert_valid(&parsed);
    assert_warnings(&parsed, "/input_schema/format", "/redact/0",
                    "/steps/0/action/retry/never_on/0", NULL);
    assert_non_null(parsed.definition->input_schema);
    assert_non_null(step_named(&parsed, "a")->action.output_schema);
    parsed_done(&parsed);
}

static void an_effect_has_a_kind_an_amount_and_a_currency(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(
        "{\"name\":\"n\",\"steps\":[{\"id\":\"a\",\"effect\":{\"kind\":\"money\",\"amount\":"
        "\"${input.a}\",\"currency\":\"${input.c ?? 'EUR'}\"},\"action\":{\"topic\":\"t\"}," UNDO
        "},{\"id\":\"b\",\"action\":{\"topic\":\"t\"}," UNDO "}]}");

    assert_valid(&parsed);
    assert_int_equal(parsed.report.warning_count, 0);
    assert_int_equal(parsed.definition->effect_count, 1);
    const struct step_effect *const effect = step_named(&parsed, "a")->effect;
    assert_string_equal(effect->kind.data, "money");
    assert_non_null(effect->amount);
    assert_non_null(effect->currency);
    assert_null(step_named(&parsed, "b")->effect);
    parsed_done(&parsed);
}

static void a_step_that_only_waits_has_no_effect(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(
        "{\"name\":\"n\",\"steps\":[{\"id\":\"a\",\"effect\":{\"kind\":\"money\"},"
        "\"delay\":{\"for\":\"1s\"}}]}");

    assert_valid(&parsed);
    assert_warnings(&parsed, "/steps/0/effect", NULL);
    assert_int_equal(parsed.definition->effect_count, 0);
    assert_null(step_named(&parsed, "a")->effect);
    parsed_done(&parsed);
}

static void an_effect_that_was_kept_before_it_was_read_is_passed_over(void **state)
{
    (void)state;
    struct parsed parsed = parsed_stored(
        BYTES("{\"name\":\"n\",\"steps\":[{\"id\":\"a\",\"effect\":{\"kind\":\"a\\u0000\"},"
              "\"action\":{\"topic\":\"t\"}," UNDO "}]}"));

    assert_valid(&parsed);
    assert_null(step_named(&parsed, "a")->effect);
    parsed_done(&parsed);
}

static void a_schema_that_was_kept_before_it_was_read_is_passed_over(void **state)
{
    (void)state;
    struct parsed parsed = parsed_stored(
        BYTES("{\"name\":\"n\",\"input_schema\":{\"minLength\":\"x\"},\"steps\":[{\"id\":\"a\","
              "\"action\":{\"topic\":\"t\",\"output_schema\":{\"type\":\"null\"}}," UNDO "}]}"));

    assert_valid(&parsed);
    assert_null(parsed.definition->input_schema);
    assert_non_null(step_named(&parsed, "a")->action.output_schema);
    parsed_done(&parsed);
}

static void a_flow_of_every_kind_is_right_but_for_the_kinds_that_do_not_run_yet(void **state)
{
    (void)state;
    struct parsed parsed = parsed_format(
        "{\"name\":\"order\",\"timeout\":\"2h\",\"steps\":["
        "{\"id\":\"check\",\"depends_on\":[],\"when\":\"${input.total > "
        "500}\",\"compensation\":null,"
        "\"action\":{\"topic\":\"t\"}},"
        "{\"id\":\"approval\",\"when\":\"${steps.check.output.score > 0.8}\","
        "\"signal\":{\"name\":\"approved\",\"timeout\":\"1h\",\"on_timeout\":\"fail\"}},"
        "{\"id\":\"cool_off\",\"delay\":{\"for\":\"30s\"}},"
        "{\"id\":\"ship\",\"pivot\":true,\"saga\":{\"name\":\"shipping\",\"input\":{\"o\":\"${"
        "input.o}\"}}},"
        "{\"id\":\"mail\",\"on_failure\":\"ignore\",\"action\":{\"topic\":\"t\"}}],"
        "\"output\":\"${steps.ship.output.no}\"}");

    assert_errors(&parsed, "/steps/3/saga", NULL);
    parsed_done(&parsed);
}

/* ---- topics ---- */

static void topics_follow_the_list_of_globs(void **state)
{
    (void)state;
    static const struct {
        const char *globs;
        const char *topic;
        bool allowed;
    } CASES[] = {
        {NULL,                       "orders.commands",    true },
        {NULL,                       "saga.replies",       false},
        {NULL,                       "saga.",              false},
        {NULL,                       "saga",               true },
        {NULL,                       "sagas.commands",     true },
        {NULL,                       "__consumer_offsets", false},
        {NULL,                       "_x",                 true },
        {"orders.*,mail.commands",   "orders.commands",    true },
        {"orders.*, mail.commands ", "mail.commands",      true },
        {"orders.*,mail.commands",   "mail.commands2",     false},
        {"orders.*",                 "order.x",            false},
        {"*.commands",               "a.b.commands",       true },
        {"*.commands",               "commands",           false},
        {"a*b*c",                    "aXbYbZc",            true },
        {"a*b*c",                    "aXbYbZ",             false},
        {"?.x",                      "a.x",                true },
        {"?.x",                      ".x",                 false},
        {"*",                        "saga.replies",       true },
        {"",                         "a",                  false},
        {",",                        "a",                  false},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
        const bool allowed = definition_topic_allowed(CASES[i].globs, bytes_of(CASES[i].topic));
        if (allowed != CASES[i].allowed) fail_msg("%s under %s", CASES[i].topic, CASES[i].globs);
    }
}

static void a_definition_names_only_topics_of_the_list(void **state)
{
    (void)state;
    static const char TEXT[] = STEPS(
        "{\"id\":\"a\",\"action\":{\"topic\":\"mine.x\"},"
        "\"compensation\":{\"topic\":\"yours.x\"}}");
    struct parsed parsed = parsed_under(BYTES(TEXT), "mine.*");

    assert_errors(&parsed, "/steps/0/compensation/topic", NULL);
    parsed_done(&parsed);
}

/* ---- the examples and the schema ---- */

static struct bytes file_beside(struct arena *arena, const char *path)
{
    struct buffer name = buffer_in(arena);
    buffer_add(&name, __FILE__, strlen(__FILE__) - strlen("tests/unit/test_definition.c"));
    buffer_add_text(&name, path);
    FILE *file = fopen(name.data, "rb");
    assert_non_null(file);
    char text[8192];
    const size_t size = fread(text, 1, sizeof(text), file);
    assert_in_range(size, 1, sizeof(text) - 1);
    assert_int_equal(fclose(file), 0);
    return (struct bytes){arena_copy(arena, text, size), size};
}

static void the_example_is_right(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct parsed parsed =
        parsed_text(file_beside(&arena, "sagas/definition/examples/minimal.saga.json"));

    assert_int_equal(step_named(&parsed, "debit")->undo, UNDO_COMMAND);
    assert_int_equal(step_named(&parsed, "credit")->undo, UNDO_UNDECLARED);
    parsed_done(&parsed);
    arena_done(&arena);
}

static void member_is_known(const char *text, const char *pointer)
{
    struct parsed parsed = parsed_text(bytes_of(text));
    for (size_t i = 0; i < parsed.report.error_count; i++) {
        if (!bytes_equal_text(parsed.report.errors[i].pointer, pointer)) continue;
        if (strncmp(parsed.report.errors[i].detail.data, "unknown member", 14) == 0) {
            fail_msg("the schema knows %s, the parser does not", pointer);
        }
    }
    parsed_done(&parsed);
}

static const struct json_view *properties_of(const struct json_view *schema, const char *name)
{
    const struct json_view *at =
        name == NULL ? schema : json_view_member(json_view_member(schema, "$defs"), name);
    const struct json_view *properties = json_view_member(at, "properties");
    assert_non_null(properties);
    return properties;
}

static void schema_and_parser_know_the_same_members(void **state)
{
    (void)state;
    static const struct {
        const char *in_schema;
        const char *format, *pointer; /* with the name of the member */
        size_t count;                 /* of members, as the parser lists them */
    } OBJECTS[] = {
        {NULL,    "{\"%s\":0}",                                  "/%s",                      14},
        {"step",  "{\"steps\":[{\"%s\":0}]}",                    "/steps/0/%s",              16},
        {"send",  "{\"steps\":[{\"action\":{\"%s\":0}}]}",       "/steps/0/action/%s",       9 },
        {"undo",  "{\"steps\":[{\"compensation\":{\"%s\":0}}]}", "/steps/0/compensation/%s", 8 },
        {"retry", "{\"defaults\":{\"retry\":{\"%s\":0}}}",       "/defaults/retry/%s",       7 },
    };
    struct arena arena = {0};
    const struct json_view *schema = NULL;
    struct json_error error;
    assert_true(json_view_parse(definition_schema(), &arena, &schema, &error));
    for (size_t i = 0; i < sizeof(OBJECTS) / sizeof(*OBJECTS); i++) {
        const struct json_view *properties = properties_of(schema, OBJECTS[i].in_schema);
        assert_int_equal(properties->count, OBJECTS[i].count);
        for (const struct json_view *p = properties->child; p != NULL; p = p->next) {
            char text[256];
            char pointer[256];
            const char *name = bytes_copy(&arena, p->key).data;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            (void)snprintf(text, sizeof(text), OBJECTS[i].format, name);
            (void)snprintf(pointer, sizeof(pointer), OBJECTS[i].pointer, name);
#pragma GCC diagnostic pop
            member_is_known(text, pointer);
        }
    }
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_definition_compiles),
        cmocka_unit_test(a_step_waits_for_the_one_before_it_unless_it_says_otherwise),
        cmocka_unit_test(a_step_may_wait_for_a_later_one),
        cmocka_unit_test(steps_are_found_by_id_and_nothing_else_is),
        cmocka_unit_test(what_is_left_out_has_the_defaults_of_the_contract),
        cmocka_unit_test(defaults_are_inherited_member_by_member_wherever_they_stand),
        cmocka_unit_test(a_stated_wait_is_not_cut_by_an_inherited_cap),
        cmocka_unit_test(every_member_that_runs_is_kept),
        cmocka_unit_test(foreach_takes_all_at_once_and_names_its_item_item),
        cmocka_unit_test(an_empty_list_of_edges_is_not_the_same_as_none),
        cmocka_unit_test(expressions_see_all_that_ended_before_even_at_a_distance),
        cmocka_unit_test(after_the_pivot_comes_what_depends_on_it),
        cmocka_unit_test(undo_may_be_left_out_where_nothing_else_can_turn_the_saga),
        cmocka_unit_test(a_foreach_without_undo_is_warned_of_its_own_items),
        cmocka_unit_test(the_horizon_counts_attempts_and_waits_to_the_millisecond),
        cmocka_unit_test(an_undo_of_the_pivot_is_warned_of),
        cmocka_unit_test(members_that_are_kept_but_not_enforced_are_warned_of),
        cmocka_unit_test(an_effect_has_a_kind_an_amount_and_a_currency),
        cmocka_unit_test(a_step_that_only_waits_has_no_effect),
        cmocka_unit_test(an_effect_that_was_kept_before_it_was_read_is_passed_over),
        cmocka_unit_test(a_schema_that_was_kept_before_it_was_read_is_passed_over),
        cmocka_unit_test(a_flow_of_every_kind_is_right_but_for_the_kinds_that_do_not_run_yet),
        cmocka_unit_test(topics_follow_the_list_of_globs),
        cmocka_unit_test(a_definition_names_only_topics_of_the_list),
        cmocka_unit_test(the_example_is_right),
        cmocka_unit_test(schema_and_parser_know_the_same_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
