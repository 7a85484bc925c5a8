/* Going back: rules 6 to 9. */
#include "test_machine_support.h"

/* ---- turning (rule 6) ---- */

static void after_a_refusal_nothing_new_is_sent_and_nothing_is_retried(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP_AND("b", "'depends_on':[],") "," STEP_AND(
        "c", "'depends_on':[],") "," STEP_AND("d", "'depends_on':['a'],")));
    retry("a", "busy");
    due_in(100);
    retry("a", "busy");
    due_in(200);

    failure("b", "no");
    assert_history("step.failed b, saga.compensating");

    retry("a", "busy");
    assert_history("step.failed a");
    assert_int_equal(later(9000), VERDICT_NOTHING);
    success("c");
    assert_sent("undo c");
    success("c");
    assert_saga(SAGA_COMPENSATED);
    assert_step("d", STEP_SKIPPED);
}

static void what_waits_for_a_retry_is_failed_if_every_attempt_was_answered(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP_AND("b", "'depends_on':[],")));
    retry("a", "busy");

    failure("b", "no");

    assert_history("step.failed b, saga.compensating, step.failed a, saga.compensated");
    assert_error("no", "b");
}

static void what_waits_for_a_retry_is_unknown_and_undone_if_one_was_not(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP_AND("b", "'depends_on':[],")));
    later(10000);
    due_in(100);
    success("b");
    retry("a", "busy");

    operator_says("cancel");

    assert_history(
        "operator.command, saga.cancel_requested, saga.compensating, step.unknown a, "
        "step.dispatched undo b, step.dispatched undo a");
}

static void what_is_out_is_awaited_and_progress_gives_it_no_more_time(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP_AND("b", "'depends_on':[],")));
    stage.now_ms += 4000;
    failure("b", "no");
    assert_saga(SAGA_COMPENSATING);
    assert_step("a", STEP_DISPATCHED);

    assert_int_equal(progress("a"), VERDICT_APPLIED);
    assert_int_equal(pending("a"), VERDICT_APPLIED);
    due_in(6000);

    assert_history("step.unknown a, step.dispatched undo a");
}

static void an_awaited_success_is_taken_and_undone(void **state)
{
    (void)state;
    given_started(
        SAGA("{'id':'a','action':{'topic':'t'},'compensation':{'topic':'u','input':"
             "'${output.id}'}}," STEP_AND("b", "'depends_on':[],")));
    failure("b", "no");

    success_with("a", "{'id':7}");

    assert_history("step.succeeded a, step.dispatched undo a");
    assert_true(bytes_equal_text(stage.decision.commands[0].value, "7"));
}

static void an_awaited_refusal_leaves_nothing_to_undo(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP_AND("b", "'depends_on':[],")));
    failure("b", "no");
    failure("a", "me_neither");
    assert_history("step.failed a, saga.compensated");
    assert_error("no", "b");
}

static void a_stated_delay_is_not_kept_while_the_saga_is_undone(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP_AND("b", "'depends_on':[],")));
    failure("b", "no");
    retry_after("a", 500);
    assert_saga(SAGA_COMPENSATED);
}

/* ---- order (rule 6) ---- */

static void a_branch_does_not_wait_for_another(void **state)
{
    (void)state;
    given_started(SAGA(STEP("root") "," STEP_AND("left", "'depends_on':['root'],") "," STEP_AND(
        "right", "'depends_on':['root'],") "," STEP_AND("end", "'depends_on':['left'],")));
    success("root");
    success("left");
    success("right");

    failure("end", "no");
    assert_sent("undo right, undo left");
    success("right");
    assert_sent("");
    success("left");
    assert_sent("undo root");
}

static void a_skipped_step_between_hides_nobody(void **state)
{
    (void)state;
    given_started(SAGA(
        STEP("a") "," STEP_AND("b", "'when':'${false || input.no}',") "," STEP("c") "," BARE("d")));
    success("a");
    assert_step("b", STEP_SKIPPED);
    success("c");

    failure("d", "no");
    assert_sent("undo c");
    success("c");
    assert_sent("undo a");
}

static void the_last_one_started_is_undone_first(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP_AND("b", "'depends_on':[],") "," STEP_AND(
        "c", "'depends_on':['a'],") "," STEP_AND("d", "'depends_on':['b','c'],")));
    success("b");
    stage.now_ms += 10;
    success("a");
    success("c");
    failure("d", "no");
    assert_sent("undo c, undo b");
}

/* ---- how a step is undone ---- */

static void nothing_to_undo_counts_as_undone_in_its_turn(void **state)
{
    (void)state;
    given_started(
        SAGA(STEP("a") ",{'id':'b','action':{'topic':'t'},'compensation':null}," BARE("c")));
    success("a");
    success("b");

    failure("c", "no");

    assert_history(
        "step.failed c, saga.compensating, step.succeeded undo b, "
        "step.dispatched undo a");
    assert_step("b", STEP_COMPENSATED);
}

static void nothing_to_undo_covers_an_unknown_outcome(void **state)
{
    (void)state;
    given_started(
        SAGA("{'id':'a','action':{'topic':'t','retry':{'max_attempts':1}},"
             "'compensation':null}," BARE("b")));
    due_in(10000);
    assert_saga(SAGA_COMPENSATED);
    assert_step("a", STEP_COMPENSATED);
}

static void an_undeclared_undo_of_an_unknown_step_needs_an_operator(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));
    success("a");
    for (int i = 0; i < 3; i++) {
        later(10000);
        later(1000);
    }

    assert_saga(SAGA_STUCK);
    assert_step("b", STEP_UNKNOWN);
    assert_step("a", STEP_SUCCEEDED);
    assert_error("timeout", "b");
    assert_int_equal(stage.saga->attention, ATTENTION_STUCK);
}

static void a_cancelled_saga_with_an_undeclared_unknown_step_needs_an_operator(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));
    success("a");
    operator_says("cancel");
    assert_saga(SAGA_COMPENSATING);
    due_in(10000);

    assert_history("step.unknown b, saga.stuck");
    operator_says_of("retry", "b");
    assert_sent("b");
    assert_saga(SAGA_COMPENSATING);
    failure("b", "never_ran");
    assert_sent("undo a");
    success("a");
    assert_saga(SAGA_COMPENSATED);
    assert_error("cancelled", NULL);
}

static void an_undeclared_undo_of_a_done_step_is_waived_by_an_operator_only(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));
    success("a");
    operator_says("cancel");
    success("b");
    assert_saga(SAGA_STUCK);
    assert_step("b", STEP_COMPENSATION_FAILED);
    assert_error("failed", "b");

    assert_int_equal(operator_says("retry"), VERDICT_ILLEGAL);
    assert_int_equal(operator_says_of("retry", "b"), VERDICT_ILLEGAL);
    assert_why_names("no compensation is declared. Allowed now: skip.");
    operator_says_of("skip", "b");

    assert_step("b", STEP_COMPENSATION_SKIPPED);
    assert_history(
        "operator.command undo b, step.skipped undo b, saga.resumed, "
        "step.dispatched undo a");
}

static void an_undeclared_step_that_was_refused_needs_nobody(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));
    success("a");
    operator_says("cancel");
    failure("b", "no");
    assert_sent("undo a");
}

/* ---- an undo that fails (rule 7), is over, or waived (rule 9) ---- */

static void an_undo_that_is_refused_makes_the_saga_stuck_at_once(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP("b") "," BARE("c")));
    success("a");
    success("b");
    failure("c", "no");

    failure("b", "already_shipped");

    assert_history("step.failed undo b, saga.stuck");
    assert_step("b", STEP_COMPENSATION_FAILED);
    assert_error("already_shipped", "b");
    assert_int_equal(stage.saga->error_op, OP_COMPENSATE);
}

static void the_first_cause_comes_back_when_it_goes_on(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));
    success("a");
    failure("b", "no");
    failure("a", "already_shipped");
    assert_saga(SAGA_STUCK);

    operator_says("retry");

    assert_saga(SAGA_COMPENSATING);
    assert_sent("undo a");
    assert_int_equal(run_of("a")->attempt, 2);
    assert_error("no", "b");
    success("a");
    assert_saga(SAGA_COMPENSATED);
    assert_error("no", "b");
}

static void an_undo_whose_attempts_are_over_makes_the_saga_stuck(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));
    success("a");
    failure("b", "no");
    for (int i = 0; i < 5; i++) {
        retry("a", "down");
        later(1000);
    }
    assert_saga(SAGA_STUCK);
    assert_error("down", "a");
}

static void fresh_attempts_follow_the_policy_again(void **state)
{
    (void)state;
    an_undo_whose_attempts_are_over_makes_the_saga_stuck(state);
    operator_says_of("retry", "a");
    assert_int_equal(run_of("a")->attempt, 6);
    retry("a", "down");
    due_in(200);
    retry("a", "down");
    due_in(400);
    assert_saga(SAGA_COMPENSATING);
}

static void continue_waives_an_undo_whose_attempts_are_over(void **state)
{
    (void)state;
    given_started(
        SAGA("{'id':'a','action':{'topic':'t'},'compensation':{'topic':'u','retry':"
             "{'max_attempts':1},'on_exhausted':'continue'}}," BARE("b")));
    success("a");
    failure("b", "no");

    retry("a", "down");

    assert_history("step.skipped undo a, saga.compensated");
    assert_step("a", STEP_COMPENSATION_SKIPPED);
}

static void continue_does_not_cover_a_refusal(void **state)
{
    (void)state;
    given_started(
        SAGA("{'id':'a','action':{'topic':'t'},'compensation':{'topic':'u',"
             "'on_exhausted':'continue'}}," BARE("b")));
    success("a");
    failure("b", "no");
    failure("a", "never");
    assert_saga(SAGA_STUCK);
}

static void what_is_stuck_does_not_hold_up_the_other_branches(void **state)
{
    (void)state;
    given_started(SAGA(STEP("root") "," STEP_AND("left", "'depends_on':['root'],") "," STEP_AND(
        "right", "'depends_on':['root'],") "," BARE_AND("end", "'depends_on':['left','right'],")));
    success("root");
    success("left");
    success("right");
    failure("end", "no");
    failure("right", "cannot");
    assert_saga(SAGA_STUCK);

    success("left");

    assert_step("left", STEP_COMPENSATED);
    assert_saga(SAGA_STUCK);
    operator_says_of("skip", "right");
    assert_sent("undo root");
    assert_saga(SAGA_COMPENSATING);
}

static void a_saga_is_stuck_until_the_last_stuck_step_is_decided(void **state)
{
    (void)state;
    given_started(SAGA(STEP("left") "," STEP_AND("right", "'depends_on':[],") "," STEP_AND(
        "end", "'depends_on':['left','right'],")));
    success("left");
    success("right");
    failure("end", "no");
    failure("left", "l");
    failure("right", "r");
    assert_error("l", "left");

    operator_says_of("skip", "left");
    assert_saga(SAGA_STUCK);
    assert_error("r", "right");
    operator_says("retry");
    assert_sent("undo right");
    assert_saga(SAGA_COMPENSATING);
}

/* ---- ignored steps (rule 8) ---- */

static void ignored_steps_that_may_have_happened_are_undone_too(void **state)
{
    (void)state;
    given_started(SAGA(STEP_AND("done", "'on_failure':'ignore',") "," STEP_AND(
        "unknown",
        "'depends_on':[],'on_failure':'ignore',") "," STEP_AND("refused",
                                                               "'depends_on':[],'on_failure':'"
                                                               "ignore',") "," BARE_AND("last",
                                                                                        "'depends_"
                                                                                        "on':['"
                                                                                        "done','"
                                                                                        "unknown','"
                                                                                        "refused']"
                                                                                        ",")));
    success("done");
    failure("refused", "no");
    for (int i = 0; i < 3; i++) {
        later(10000);
        if (i < 2) later(1000);
    }
    assert_step("unknown", STEP_UNKNOWN);
    assert_sent("last");

    failure("last", "no");

    assert_sent("undo unknown, undo done");
    assert_step("refused", STEP_FAILED);
}

/* ---- the end (rules 9, 13) ---- */

static void steps_that_never_ran_are_skipped_at_the_end(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP("b") "," BARE("c")));
    failure("a", "no");
    assert_saga(SAGA_COMPENSATED);
    assert_step("b", STEP_SKIPPED);
    assert_step("c", STEP_SKIPPED);
}

static void a_saga_that_never_started_is_cancelled_without_a_command(void **state)
{
    (void)state;
    given(SAGA(STEP("a")));
    stage.saga->start_at_ms = START_MS + 1000;
    when_started();

    operator_says("cancel");

    assert_history("operator.command, saga.cancel_requested, saga.compensating, saga.compensated");
    assert_error("cancelled", NULL);
    assert_true(stage.saga->cancel_requested);
    assert_int_equal(saga_next_due_ms(stage.saga), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(after_a_refusal_nothing_new_is_sent_and_nothing_is_retried),
        TEST(what_waits_for_a_retry_is_failed_if_every_attempt_was_answered),
        TEST(what_waits_for_a_retry_is_unknown_and_undone_if_one_was_not),
        TEST(what_is_out_is_awaited_and_progress_gives_it_no_more_time),
        TEST(an_awaited_success_is_taken_and_undone),
        TEST(an_awaited_refusal_leaves_nothing_to_undo),
        TEST(a_stated_delay_is_not_kept_while_the_saga_is_undone),
        TEST(a_branch_does_not_wait_for_another),
        TEST(a_skipped_step_between_hides_nobody),
        TEST(the_last_one_started_is_undone_first),
        TEST(nothing_to_undo_counts_as_undone_in_its_turn),
        TEST(nothing_to_undo_covers_an_unknown_outcome),
        TEST(an_undeclared_undo_of_an_unknown_step_needs_an_operator),
        TEST(a_cancelled_saga_with_an_undeclared_unknown_step_needs_an_operator),
        TEST(an_undeclared_undo_of_a_done_step_is_waived_by_an_operator_only),
        TEST(an_undeclared_step_that_was_refused_needs_nobody),
        TEST(an_undo_that_is_refused_makes_the_saga_stuck_at_once),
        TEST(the_first_cause_comes_back_when_it_goes_on),
        TEST(an_undo_whose_attempts_are_over_makes_the_saga_stuck),
        TEST(fresh_attempts_follow_the_policy_again),
        TEST(continue_waives_an_undo_whose_attempts_are_over),
        TEST(continue_does_not_cover_a_refusal),
        TEST(what_is_stuck_does_not_hold_up_the_other_branches),
        TEST(a_saga_is_stuck_until_the_last_stuck_step_is_decided),
        TEST(ignored_steps_that_may_have_happened_are_undone_too),
        TEST(steps_that_never_ran_are_skipped_at_the_end),
        TEST(a_saga_that_never_started_is_cancelled_without_a_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
