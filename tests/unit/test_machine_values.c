/* Expressions at run time: rule 14, keys, headers, attributes, outputs, and the bytes themselves.
 */
#include "test_machine_support.h"

#define WRONG "'${1 / input.zero}'"

/* ---- what goes wrong (rule 14) ---- */

static void a_wrong_input_key_or_header_fails_the_step_without_sending(void **state)
{
    (void)state;
    static const char *const SENDS[] = {"'input':" WRONG, "'key':" WRONG, "'key':'${input.list}'",
                                        "'headers':{'x-a':" WRONG "}",
                                        "'headers':{'x-a':'${input.list}'}"};
    for (size_t i = 0; i < sizeof(SENDS) / sizeof(SENDS[0]); i++) {
        struct arena arena = {0};
        struct buffer text = buffer_in(&arena);
        buffer_add_format(&text, "%s%s%s",
                          "{'name':'o','steps':[{'id':'a','action':{'topic':'t'},'compensation':"
                          "{'topic':'u'}},{'id':'b','action':{'topic':'t',",
                          SENDS[i], "}}]}");
        given_started_with(text.data, "{'zero':0,'list':[]}");

        success("a");

        assert_history(
            "step.succeeded a, step.failed b, saga.compensating, "
            "step.dispatched undo a");
        assert_error("expression_error", "b");
        assert_int_equal(run_of("b")->attempt, 0);
        assert_true(stage.saga->error.detail.size > 0);
        arena_done(&arena);
    }
}

static void a_wrong_condition_fails_the_step_without_sending(void **state)
{
    (void)state;
    static const char *const STEPS[] = {SAGA(BARE_AND("a", "'when':'${1 / input.zero > 1}',")),
                                        SAGA(BARE_AND("a", "'when':'${input.zero}',"))};
    for (size_t i = 0; i < sizeof(STEPS) / sizeof(STEPS[0]); i++) {
        given_started_with(STEPS[i], "{'zero':0}");
        assert_saga(SAGA_COMPENSATED);
        assert_error("expression_error", "a");
    }
}

static void a_wrong_undo_makes_the_saga_stuck(void **state)
{
    (void)state;
    given_started_with(
        SAGA("{'id':'a','action':{'topic':'t'},'compensation':{'topic':'u','input':" WRONG
             "}}," BARE("b")),
        "{'zero':0}");
    success("a");
    failure("b", "no");

    assert_history("step.failed b, saga.compensating, step.failed undo a, saga.stuck");
    assert_step("a", STEP_COMPENSATION_FAILED);
    assert_error("expression_error", "a");
    operator_says("retry");
    assert_history("operator.command, step.failed undo a");
    operator_says_of("skip", "a");
    assert_saga(SAGA_COMPENSATED);
    assert_error("no", "b");
}

static void a_wrong_output_ends_well_with_null_and_the_error(void **state)
{
    (void)state;
    given_started_with(SAGA_WITH("'output':" WRONG ",", BARE("a")), "{'zero':0}");
    success("a");
    assert_saga(SAGA_SUCCEEDED);
    assert_null(stage.saga->output.data);
    assert_error("expression_error", NULL);
}

static void an_ignored_step_may_go_wrong(void **state)
{
    (void)state;
    given_started_with(
        SAGA(STEP_AND("a", "'on_failure':'ignore','when':'${input.zero}',") "," BARE("b")),
        "{'zero':0}");
    assert_step("a", STEP_FAILED);
    assert_sent("b");
}

static void a_step_that_paused_before_it_was_sent_is_reached_again(void **state)
{
    (void)state;
    given_started_with(SAGA(BARE_AND("a", "'on_failure':'pause','when':'${input.zero}',")),
                       "{'zero':0}");
    assert_true(stage.saga->paused);
    operator_says("resume");
    assert_history("operator.command, saga.resumed, step.ready a, step.failed a, saga.paused");
    operator_says_of("retry", "a");
    assert_history("operator.command a, step.ready a, saga.resumed, step.failed a, saga.paused");
    operator_says_of("skip", "a");
    assert_saga(SAGA_SUCCEEDED);
}

static void an_operators_retry_that_cannot_be_made_leaves_an_unknown_step_unknown(void **state)
{
    (void)state;
    given_started_with(SAGA("{'id':'a','action':{'topic':'t','input':" WRONG ",'retry':"
                            "{'max_attempts':1}}}"),
                       "{'zero':1}");
    due_in(10000);
    assert_saga(SAGA_STUCK);
    stage.saga->input = BYTES("{\"zero\":0}");

    operator_says("retry");

    assert_history("operator.command, step.unknown a");
    assert_step("a", STEP_UNKNOWN);
    assert_saga(SAGA_STUCK);
}

/* ---- key, headers ---- */

static void a_key_is_the_text_of_its_value(void **state)
{
    (void)state;
    static const struct {
        const char *input, *key;
    } CASES[] = {
        {"{'k':'c-7'}", "c-7"                                 },
        {"{'k':12.50}", "12.50"                               },
        {"{'k':true}",  "true"                                },
        {"{'k':null}",  "018bcfe5-6800-7000-8000-000000000001"},
        {"{}",          "018bcfe5-6800-7000-8000-000000000001"}
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        given_started_with(SAGA("{'id':'a','action':{'topic':'t','key':'${input.k}'}}"),
                           CASES[i].input);
        assert_true(bytes_equal_text(stage.decision.commands[0].key, CASES[i].key));
    }
}

static void headers_are_texts_in_their_order(void **state)
{
    (void)state;
    given_started_with(SAGA("{'id':'a','action':{'topic':'t','headers':{'x-shop':'north','x-n':"
                            "'${input.n}','x-mix':'n=${input.n}','x-none':'${input.none}'}}}"),
                       "{'n':7}");
    const struct command *const command = &stage.decision.commands[0];
    assert_int_equal(command->send->header_count, 4);
    static const char *const WANTED[] = {"north", "7", "n=7", ""};
    for (size_t i = 0; i < 4; i++) {
        assert_true(bytes_equal_text(command->headers[i], WANTED[i]));
    }
}

/* ---- bytes ---- */

static void bytes_pass_untouched_from_reply_to_command_and_output(void **state)
{
    (void)state;
    given_started(
        SAGA_WITH("'output':'${steps.a.output}',",
                  STEP("a") ",{'id':'b','action':{'topic':'t','input':'${steps.a.output}'}}"));
    success_with("a", "{ 'b' : 0.10, 'a' : 1e2 }");
    assert_true(
        bytes_equal_text(stage.decision.commands[0].value, "{ \"b\" : 0.10, \"a\" : 1e2 }"));
    success("b");
    assert_true(bytes_equal_text(stage.decision.saga_output, "{ \"b\" : 0.10, \"a\" : 1e2 }"));
    assert_int_equal(stage.saga->output_seq, stage.decision.history_first_seq);
}

static void an_undo_reads_what_its_action_read_and_its_output(void **state)
{
    (void)state;
    given_started_with(
        SAGA(STEP("a") ",{'id':'b','action':{'topic':'t'},'compensation':{'topic':'u',"
                       "'input':['${steps.a.output}','${output.id}','${input}']}}," BARE("c")),
        "{'i':1}");
    success_with("a", "'A'");
    success_with("b", "{'id':9}");
    failure("c", "no");
    assert_true(bytes_equal_text(stage.decision.commands[0].value, "[\"A\",9,{\"i\":1}]"));
}

static void a_problem_gives_its_detail_or_title_and_is_kept(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *detail;
    } CASES[] = {
        {"{\"title\":\"T\",\"detail\":\"D\"}", "D"                      },
        {"{\"title\":\"T\"}",                  "T"                      },
        {"{\"detail\":7}",                     "the participant refused"},
        {"[]",                                 "the participant refused"}
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        given_started(SAGA(BARE("a")));
        when((struct event){.kind = EVENT_REPLY,
                            .index = INDEX_NONE,
                            .attempt = 1,
                            .outcome = OUTCOME_FAILURE,
                            .code = BYTES("no"),
                            .payload = bytes_of(CASES[i].payload)});
        assert_true(bytes_equal_text(stage.saga->error.detail, CASES[i].detail));
        assert_true(bytes_equal_text(stage.decision.payload, CASES[i].payload));
    }
}

static void a_failure_without_a_code_has_the_code_failed(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));
    failure("a", NULL);
    assert_error("failed", "a");
}

static void a_long_detail_is_cut_at_a_character(void **state)
{
    (void)state;
    struct arena memory = {0};
    struct buffer payload = buffer_in(&memory);
    buffer_add_text(&payload, "{\"detail\":\"x");
    for (int i = 0; i < 200; i++) {
        buffer_add_text(&payload, "\xc3\xa4");
    }
    buffer_add_text(&payload, "\"}");
    given_started(SAGA(BARE("a")));
    when((struct event){.kind = EVENT_REPLY,
                        .index = INDEX_NONE,
                        .attempt = 1,
                        .outcome = OUTCOME_FAILURE,
                        .payload = buffer_bytes(&payload)});
    assert_int_equal(stage.saga->error.detail.size, ERROR_DETAIL_SIZE_MAX - 1);
    arena_done(&memory);
}

/* ---- attributes ---- */

static void attributes_are_texts_and_null_leaves_none(void **state)
{
    (void)state;
    given(SAGA_WITH("'attributes':{'order':'${input.o}','total':'${input.t}','none':'${input.n}'},",
                    BARE("a")));
    stage.saga->input = BYTES("{\"o\":\"o-1\",\"t\":12.50}");
    struct bytes json = {0};
    struct expression_error error;
    assert_true(saga_attributes(stage.saga, &stage.memory, &json, &error));
    assert_true(bytes_equal_text(json, "{\"order\":\"o-1\",\"total\":\"12.50\"}"));
}

static void attributes_that_cannot_be_computed_say_why(void **state)
{
    (void)state;
    given(SAGA_WITH("'attributes':{'order':'${input.o}'},", BARE("a")));
    stage.saga->input = BYTES("{\"o\":[1]}");
    struct bytes json = {0};
    struct expression_error error;
    assert_false(saga_attributes(stage.saga, &stage.memory, &json, &error));
    assert_string_equal(error.detail,
                        "attribute `order` must be a text, a number, a boolean or null");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_wrong_input_key_or_header_fails_the_step_without_sending),
        TEST(a_wrong_condition_fails_the_step_without_sending),
        TEST(a_wrong_undo_makes_the_saga_stuck),
        TEST(a_wrong_output_ends_well_with_null_and_the_error),
        TEST(an_ignored_step_may_go_wrong),
        TEST(a_step_that_paused_before_it_was_sent_is_reached_again),
        TEST(an_operators_retry_that_cannot_be_made_leaves_an_unknown_step_unknown),
        TEST(a_key_is_the_text_of_its_value),
        TEST(headers_are_texts_in_their_order),
        TEST(bytes_pass_untouched_from_reply_to_command_and_output),
        TEST(an_undo_reads_what_its_action_read_and_its_output),
        TEST(a_problem_gives_its_detail_or_title_and_is_kept),
        TEST(a_failure_without_a_code_has_the_code_failed),
        TEST(a_long_detail_is_cut_at_a_character),
        TEST(attributes_are_texts_and_null_leaves_none),
        TEST(attributes_that_cannot_be_computed_say_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
