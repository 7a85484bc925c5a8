/* A saga that goes well, and one that is refused: the shape of every decision. */
#include "test_machine_support.h"

static void a_saga_that_goes_well_sends_its_steps_one_after_the_other(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));
    assert_saga(SAGA_RUNNING);
    assert_sent("a");
    assert_history("saga.created, saga.started, step.dispatched a");

    assert_int_equal(success_with("a", "{'n':0.10}"), VERDICT_APPLIED);
    assert_sent("b");
    assert_history("step.succeeded a, step.dispatched b");
    assert_true(bytes_equal_text(stage.decision.payload, "{\"n\":0.10}"));
    assert_int_equal(run_of("a")->output_seq, stage.decision.history_first_seq);

    assert_int_equal(success("b"), VERDICT_APPLIED);
    assert_sent("");
    assert_history("step.succeeded b, saga.succeeded");
    assert_saga(SAGA_SUCCEEDED);
    assert_int_equal(saga_next_due_ms(stage.saga), 0);
}

static void a_refusal_undoes_the_steps_before_it_in_reverse(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP("b") "," BARE("c")));
    success("a");
    success("b");

    failure("c", "card_declined");

    assert_saga(SAGA_COMPENSATING);
    assert_sent("undo b");
    assert_history("step.failed c, saga.compensating, step.dispatched undo b");
    assert_error("card_declined", "c");

    success("b");
    assert_sent("undo a");
    success("a");
    assert_history("step.succeeded undo a, saga.compensated");
    assert_saga(SAGA_COMPENSATED);
    assert_error("card_declined", "c");
}

static void branches_start_together_and_the_join_waits_for_both(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP_AND("b", "'depends_on':[],") "," BARE_AND(
        "c", "'depends_on':['a','b'],")));
    assert_sent("a, b");

    success("b");
    assert_sent("");
    success("a");
    assert_sent("c");
}

static void a_step_may_stand_before_what_it_depends_on(void **state)
{
    (void)state;
    given_started(SAGA(
        BARE_AND("late", "'depends_on':['early'],") "," STEP_AND("early", "'depends_on':[],")));
    assert_sent("early");

    success("early");
    assert_sent("late");
    failure("late", "no");
    assert_sent("undo early");
}

static void a_condition_that_does_not_hold_skips_the_step(void **state)
{
    (void)state;
    given_started_with(SAGA(STEP_AND("a", "'when':'${input.n > 2}',") "," BARE("b")), "{'n':2}");

    assert_history("saga.created, saga.started, step.skipped a, step.dispatched b");
    assert_step("a", STEP_SKIPPED);
}

static void a_skipped_step_satisfies_what_depends_on_it(void **state)
{
    (void)state;
    given_started(SAGA(STEP_AND("a", "'when':'${input.none}',") "," BARE_AND(
        "b", "'when':'${steps.a.output.score < 1}',")));

    assert_step("a", STEP_SKIPPED);
    assert_step("b", STEP_SKIPPED);
    assert_saga(SAGA_SUCCEEDED);
}

static void an_ignored_failure_passes_and_its_output_is_null(void **state)
{
    (void)state;
    given_started(
        SAGA(STEP_AND("a", "'on_failure':'ignore',") ",{'id':'b','action':{'topic':'t',"
                                                     "'input':['${steps.a.output}','${steps.a."
                                                     "state}','${steps.a.error.code}']}}"));

    failure("a", "mailbox_full");

    assert_step("a", STEP_FAILED);
    assert_sent("b");
    assert_true(
        bytes_equal_text(stage.decision.commands[0].value, "[null,\"failed\",\"mailbox_full\"]"));
    success("b");
    assert_saga(SAGA_SUCCEEDED);
    assert_error("", NULL);
}

static void an_ignored_step_may_stay_unknown(void **state)
{
    (void)state;
    given_started(SAGA(BARE_AND("a", "'on_failure':'ignore',")));
    for (int i = 0; i < 3; i++) {
        later(10000);
        if (i < 2) later(1000);
    }

    assert_step("a", STEP_UNKNOWN);
    assert_saga(SAGA_SUCCEEDED);
}

static void a_start_waits_for_its_time(void **state)
{
    (void)state;
    given(SAGA(BARE("a")));
    stage.saga->start_at_ms = START_MS + 500;

    when_started();
    assert_history("saga.created");
    assert_saga(SAGA_PENDING);
    due_in(500);
    assert_history("saga.started, step.dispatched a");
    assert_int_equal(stage.saga->started_at_ms, START_MS + 500);
}

static void a_second_start_is_refused(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));

    assert_int_equal(when_started(), VERDICT_ILLEGAL);
    assert_why_names("started already");
}

static void the_saga_times_out_and_is_undone(void **state)
{
    (void)state;
    given_started(SAGA_WITH("'timeout':'60s',", STEP("a") "," STEP("b")));
    success("a");
    due_in(10000);
    due_in(100);
    retry_after("b", 86400000);
    due_in(49900);

    assert_history("saga.compensating, step.unknown b, step.dispatched undo b");
    assert_error("saga_timeout", NULL);
}

static void a_saga_without_a_timeout_has_no_deadline(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));
    assert_int_equal(stage.saga->deadline_at_ms, 0);
}

static void a_timer_with_nothing_due_changes_nothing(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));

    assert_int_equal(later(9999), VERDICT_NOTHING);
    assert_history("");
}

static void a_recovery_sends_everything_that_is_out_again(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP_AND("b", "'depends_on':[],")));
    retry("b", "busy");

    const enum verdict verdict =
        when((struct event){.kind = EVENT_RESEND, .step = -1, .index = INDEX_NONE});

    assert_int_equal(verdict, VERDICT_NOTHING);
    assert_sent("a");
    assert_true(stage.decision.commands[0].again);
    assert_int_equal(stage.decision.commands[0].attempt, 1);
    assert_int_equal(stage.decision.commands[0].expires_at_ms, START_MS + 10000);
}

static void a_recovery_gives_new_time_to_what_is_over(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));
    success("a");
    failure("b", "no");
    stage.now_ms += 11000;

    const enum verdict verdict =
        when((struct event){.kind = EVENT_RESEND, .step = -1, .index = INDEX_NONE});

    assert_int_equal(verdict, VERDICT_APPLIED);
    assert_sent("undo a");
    assert_int_equal(stage.decision.commands[0].attempt, 1);
    assert_recorded("'again':true");
    due_in(10000);
}

static void a_recovery_with_nothing_out_sends_nothing(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));
    success("a");

    assert_int_equal(when((struct event){.kind = EVENT_RESEND, .step = -1, .index = INDEX_NONE}),
                     VERDICT_NOTHING);
    assert_sent("");
}

static void commands_say_what_they_are_of(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));
    const struct command *const command = &stage.decision.commands[0];

    assert_true(uuid_equal(&command->saga_id, &stage.saga->id));
    assert_true(bytes_equal_text(command->key, "018bcfe5-6800-7000-8000-000000000001"));
    assert_true(bytes_equal_text(command->value, "{}"));
    assert_true(bytes_equal_text(command->send->topic, "a"));
    assert_int_equal(command->index, INDEX_NONE);
    assert_int_equal(command->attempt, 1);
    assert_int_equal(command->expires_at_ms, START_MS + 10000);
    assert_false(command->again);
}

static void attention_says_that_a_step_is_tried_again(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));
    assert_int_equal(stage.saga->attention, 0);
    retry("a", "busy");
    assert_int_equal(stage.saga->attention, ATTENTION_RETRYING);
    due_in(100);
    assert_int_equal(stage.saga->attention, ATTENTION_RETRYING);
}

static void a_finished_saga_needs_no_attention(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));
    stage.saga->attention |= ATTENTION_NO_HANDLER;
    retry("a", "busy");
    assert_int_equal(stage.saga->attention, ATTENTION_RETRYING | ATTENTION_NO_HANDLER);
    success("a");
    assert_int_equal(stage.saga->attention, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_saga_that_goes_well_sends_its_steps_one_after_the_other),
        TEST(a_refusal_undoes_the_steps_before_it_in_reverse),
        TEST(branches_start_together_and_the_join_waits_for_both),
        TEST(a_step_may_stand_before_what_it_depends_on),
        TEST(a_condition_that_does_not_hold_skips_the_step),
        TEST(a_skipped_step_satisfies_what_depends_on_it),
        TEST(an_ignored_failure_passes_and_its_output_is_null),
        TEST(an_ignored_step_may_stay_unknown),
        TEST(a_start_waits_for_its_time),
        TEST(a_second_start_is_refused),
        TEST(the_saga_times_out_and_is_undone),
        TEST(a_saga_without_a_timeout_has_no_deadline),
        TEST(a_timer_with_nothing_due_changes_nothing),
        TEST(a_recovery_sends_everything_that_is_out_again),
        TEST(a_recovery_gives_new_time_to_what_is_over),
        TEST(a_recovery_with_nothing_out_sends_nothing),
        TEST(commands_say_what_they_are_of),
        TEST(attention_says_that_a_step_is_tried_again),
        TEST(a_finished_saga_needs_no_attention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
