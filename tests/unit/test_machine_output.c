/* Outputs that break their schema: the effect happened, what was said of it is of no use. */
#include "test_machine_support.h"

#define TYPED        "'output_schema':{'type':'object','required':['id']}"
#define TYPED_ACTION "'action':{'topic':'a'," TYPED "}"
#define UNDO_BY_ID   "'compensation':{'topic':'u','input':'${output.no}'}"
#define FIRST        STEP("first") ","

static void the_step_is_unknown_and_undone_with_the_output_that_came(void **state)
{
    (void)state;
    given_started(SAGA(FIRST "{'id':'pay'," TYPED_ACTION "," UNDO_BY_ID "}"));
    success("first");

    assert_int_equal(success_with("pay", "{'no':7}"), VERDICT_APPLIED);

    assert_history("step.unknown pay, saga.compensating, step.dispatched undo pay");
    assert_recorded("bad_output");
    assert_error("bad_output", "pay");
    assert_string_equal(stage.decision.commands[0].value.data, "7");
    success("pay");
    assert_sent("undo first");
    success("first");
    assert_saga(SAGA_COMPENSATED);
    assert_error("bad_output", "pay");
    assert_step("pay", STEP_COMPENSATED);
}

static void an_output_that_fits_is_success(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'pay'," TYPED_ACTION ",'compensation':null}"));
    success_with("pay", "{'id':1}");
    assert_saga(SAGA_SUCCEEDED);
}

static void no_output_is_null(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'pay'," TYPED_ACTION ",'compensation':null}"));
    success("pay");
    assert_saga(SAGA_COMPENSATED);
    assert_error("bad_output", "pay");
}

static void it_is_not_tried_again(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'pay'," TYPED_ACTION "," UNDO_BY_ID "}"));
    success_with("pay", "[]");
    assert_sent("undo pay");
}

static void a_better_reply_comes_too_late(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'pay'," TYPED_ACTION "," UNDO_BY_ID "}"));
    success_with("pay", "[]");
    assert_int_equal(reply_of("pay", OP_ACTION, 1, OUTCOME_SUCCESS), VERDICT_LATE);
    assert_step("pay", STEP_COMPENSATING);
}

static void ignored_it_reads_as_null_and_is_undone_later(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'pay','on_failure':'ignore'," TYPED_ACTION "," UNDO_BY_ID "},"
                       "{'id':'next','action':{'topic':'a','input':['${steps.pay.output}',"
                       "'${steps.pay.error.code}']},'compensation':{'topic':'u'}}"));
    success_with("pay", "{'no':7}");
    assert_sent("next");
    assert_string_equal(stage.decision.commands[0].value.data, "[null,\"bad_output\"]");

    failure("next", "no");

    assert_sent("undo pay");
    assert_string_equal(stage.decision.commands[0].value.data, "7");
    success("pay");
    assert_saga(SAGA_COMPENSATED);
}

static void without_a_declared_undo_an_operator_decides(void **state)
{
    (void)state;
    given_started(SAGA(FIRST "{'id':'pay'," TYPED_ACTION "}"));
    success("first");
    success_with("pay", "{'no':7}");
    assert_saga(SAGA_STUCK);
    assert_error("bad_output", "pay");

    assert_int_equal(operator_says_of("complete", "pay"), VERDICT_APPLIED);

    assert_saga(SAGA_SUCCEEDED);
    assert_string_equal(run_of("pay")->output.data, "{\"by\":\"hand\"}");
}

static void a_pause_waits_for_an_operator(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'pay','on_failure':'pause'," TYPED_ACTION "," UNDO_BY_ID "}"));
    success_with("pay", "[]");
    assert_true(stage.saga->paused);
    assert_step("pay", STEP_UNKNOWN);
    operator_says("resume");
    assert_sent("pay");
    success_with("pay", "{'id':1}");
    assert_saga(SAGA_SUCCEEDED);
}

/* There is no way back from a pivot that said success. */
static void the_pivot_is_neither_undone_nor_passed_over(void **state)
{
    (void)state;
    given_started(SAGA(FIRST "{'id':'pay','pivot':true," TYPED_ACTION "}," BARE("last")));
    success("first");
    success_with("pay", "[]");
    assert_saga(SAGA_STUCK);
    assert_sent("");
    assert_error("bad_output", "pay");
    operator_says("retry");
    assert_sent("pay");
    success_with("pay", "{'id':1}");
    assert_sent("last");
}

static void past_the_pivot_it_is_tried_again_then_stuck(void **state)
{
    (void)state;
    given_started(SAGA(BARE_AND("pivot", "'pivot':true,") ",{'id':'pay'," TYPED_ACTION "}"));
    success("pivot");
    success_with("pay", "[]");
    assert_step("pay", STEP_RETRYING);
    assert_int_equal(reply_of("pay", OP_ACTION, 1, OUTCOME_SUCCESS), VERDICT_DUPLICATE);
    due_in(100);
    success_with("pay", "[]");
    due_in(200);
    success_with("pay", "[]");
    assert_saga(SAGA_STUCK);
    assert_step("pay", STEP_UNKNOWN);
    assert_error("bad_output", "pay");
}

static void awaited_while_the_saga_is_undone_it_is_undone_as_well(void **state)
{
    (void)state;
    given_started(
        SAGA("{'id':'pay'," TYPED_ACTION "," UNDO_BY_ID "}," STEP_AND("b", "'depends_on':[],")));
    failure("b", "no");
    success_with("pay", "{'no':8}");
    assert_sent("undo pay");
    assert_string_equal(stage.decision.commands[0].value.data, "8");
    assert_error("no", "b");
}

static void each_item_of_a_foreach_is_looked_at(void **state)
{
    (void)state;
    given_started_with(SAGA("{'id':'pay'," EACH TYPED_ACTION "," UNDO_BY_ID "}"), "[1,2]");
    success_with("pay[0]", "{'id':1,'no':1}");
    success_with("pay[1]", "{'no':2}");
    assert_saga(SAGA_COMPENSATING);
    assert_sent("undo pay[1], undo pay[0]");
}

static void the_text_names_the_place(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'pay'," TYPED_ACTION "," UNDO_BY_ID "}"));
    success_with("pay", "{}");
    assert_recorded("the output at /id is missing");
}

/* ---- probes and signals ---- */

static void what_a_probe_tells_is_an_output_of_the_action(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'pay','on_unknown':'probe','probe':{'topic':'p'}," TYPED_ACTION
                       "," UNDO_BY_ID "}"));
    due_in(10000);
    due_in(100);
    due_in(10000);
    due_in(200);
    due_in(10000);
    assert_true(stage.decision.commands[0].op == OP_PROBE);
    reply_of("pay", OP_PROBE, 1, OUTCOME_SUCCESS);
    assert_history("step.unknown pay, saga.compensating, step.dispatched undo pay");
    assert_error("bad_output", "pay");
}

static void nobody_is_probed_about_a_bad_output(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'pay','on_unknown':'probe','probe':{'topic':'p'}," TYPED_ACTION
                       "," UNDO_BY_ID "}"));
    success_with("pay", "[]");
    assert_sent("undo pay");
}

static enum verdict signal_with(const char *payload)
{
    return when((struct event){.kind = EVENT_SIGNAL,
                               .step = -1,
                               .index = INDEX_NONE,
                               .name = BYTES("go"),
                               .payload = bytes_of(payload)});
}

static void a_signal_that_breaks_a_schema_is_not_taken(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'wait','signal':{'name':'go','schema':{'required':['by']}}}"));
    assert_int_equal(signal_with("{}"), VERDICT_ILLEGAL);
    assert_why_names("its payload at /by is missing");
    assert_step("wait", STEP_DISPATCHED);
    assert_int_equal(signal_with("{\"by\":1}"), VERDICT_APPLIED);
    assert_saga(SAGA_SUCCEEDED);
}

static void a_kept_signal_fits_every_step_that_may_take_it(void **state)
{
    (void)state;
    given_started(
        SAGA(STEP_AND("a", "") ",{'id':'wait','signal':{'name':'go'}},"
                               "{'id':'more','signal':{'name':'go','schema':{'type':'array'}}}"));
    assert_int_equal(signal_with("1"), VERDICT_ILLEGAL);
    assert_int_equal(signal_with("[]"), VERDICT_APPLIED);
}

static void an_input_is_held_against_its_schema(void **state)
{
    (void)state;
    struct schema_report report;
    given(SAGA_WITH("'input_schema':{'required':['a']},", STEP("only")));
    const struct definition *const definition = stage.definition;
    assert_true(saga_input_fits(definition, BYTES("{\"a\":1}"), NULL, &stage.scratch, &report));
    assert_false(saga_input_fits(definition, BYTES("{}"), NULL, &stage.scratch, &report));
    assert_string_equal(report.fault[0].pointer.data, "/a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_step_is_unknown_and_undone_with_the_output_that_came),
        TEST(an_output_that_fits_is_success),
        TEST(no_output_is_null),
        TEST(it_is_not_tried_again),
        TEST(a_better_reply_comes_too_late),
        TEST(ignored_it_reads_as_null_and_is_undone_later),
        TEST(without_a_declared_undo_an_operator_decides),
        TEST(a_pause_waits_for_an_operator),
        TEST(the_pivot_is_neither_undone_nor_passed_over),
        TEST(past_the_pivot_it_is_tried_again_then_stuck),
        TEST(awaited_while_the_saga_is_undone_it_is_undone_as_well),
        TEST(each_item_of_a_foreach_is_looked_at),
        TEST(the_text_names_the_place),
        TEST(what_a_probe_tells_is_an_output_of_the_action),
        TEST(nobody_is_probed_about_a_bad_output),
        TEST(a_signal_that_breaks_a_schema_is_not_taken),
        TEST(a_kept_signal_fits_every_step_that_may_take_it),
        TEST(an_input_is_held_against_its_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
