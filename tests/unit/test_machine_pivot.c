/* No way back: rule 10, the unknown pivot, and a turn to undo that meets a pivot under way. */
#include "test_machine_support.h"

#define PIVOT(id) "{'id':'" id "','pivot':true,'action':{'topic':'p'}}"

static void past_the_pivot(void)
{
    given_started(SAGA_WITH("'timeout':'60s',", STEP("a") "," PIVOT("p") "," BARE("b")));
    success("a");
    success("p");
    assert_sent("b");
}

/* ---- past it ---- */

static void cancel_is_refused_past_the_pivot(void **state)
{
    (void)state;
    past_the_pivot();
    assert_int_equal(operator_says("cancel"), VERDICT_ILLEGAL);
    assert_why_names("past-pivot. Allowed now: pause, terminate.");
}

static void the_deadline_only_raises_attention(void **state)
{
    (void)state;
    past_the_pivot();
    progress("b");
    stage.now_ms += 55000;
    progress("b");
    due_in(5000);

    assert_history("saga.overdue");
    assert_saga(SAGA_RUNNING);
    assert_int_equal(stage.saga->attention, ATTENTION_OVERDUE);
    due_in(5000);
    assert_history("step.retry_scheduled b");
}

static void a_refusal_is_tried_again_by_policy_and_then_stuck(void **state)
{
    (void)state;
    past_the_pivot();
    failure("b", "no");
    assert_history("step.retry_scheduled b");
    due_in(100);
    failure("b", "no");
    due_in(200);

    failure("b", "no");

    assert_history("step.failed b, saga.stuck");
    assert_error("no", "b");
    assert_int_equal(stage.saga->error_op, OP_ACTION);
    assert_step("a", STEP_SUCCEEDED);
}

static void a_step_stuck_past_the_pivot_is_sent_again_and_ends_well(void **state)
{
    (void)state;
    a_refusal_is_tried_again_by_policy_and_then_stuck(state);
    operator_says("retry");
    assert_history("operator.command, step.dispatched b, saga.resumed");
    assert_saga(SAGA_RUNNING);
    assert_error("", NULL);
    assert_int_equal(run_of("b")->attempt, 4);
    failure("b", "no");
    due_in(100);
    success("b");
    assert_saga(SAGA_SUCCEEDED);
    assert_error("", NULL);
}

static void the_time_that_an_operator_took_is_not_the_sagas(void **state)
{
    (void)state;
    given_started(SAGA_WITH("'timeout':'60s',", STEP("a") "," BARE("b")));
    success("a");
    for (int i = 0; i < 3; i++) {
        later(10000);
        later(1000);
    }
    assert_saga(SAGA_STUCK);
    stage.now_ms += 3600000;

    operator_says("retry");

    assert_saga(SAGA_RUNNING);
    assert_int_equal(stage.saga->deadline_at_ms, stage.now_ms + 60000);
}

static void a_branch_that_is_refused_beside_a_done_pivot_is_stuck(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," PIVOT("p") "," STEP_AND("side", "'depends_on':['a'],")));
    success("a");
    assert_sent("p, side");
    success("p");
    for (int i = 0; i < 3; i++) {
        failure("side", "no");
        later(1000);
    }
    assert_saga(SAGA_STUCK);
    assert_step("a", STEP_SUCCEEDED);
}

static void an_ignored_step_past_the_pivot_is_refused_once(void **state)
{
    (void)state;
    given_started(SAGA(PIVOT("p") "," BARE_AND("mail", "'on_failure':'ignore',")));
    success("p");
    failure("mail", "no");
    assert_saga(SAGA_SUCCEEDED);
}

static void a_late_refusal_of_an_attempt_that_is_over_is_no_new_one(void **state)
{
    (void)state;
    past_the_pivot();
    failure("b", "no");
    assert_int_equal(failure("b", "no"), VERDICT_DUPLICATE);
    due_in(100);
    due_in(10000);
    assert_int_equal(failure("b", "no"), VERDICT_LATE);
}

static void a_pivot_that_is_skipped_is_not_passed(void **state)
{
    (void)state;
    given_started(SAGA(STEP(
        "a") ",{'id':'p','pivot':true,'when':'${input.x}','action':{'topic':'p'}}," BARE("b")));
    success("a");
    assert_sent("b");
    failure("b", "no");
    assert_sent("undo a");
}

/* ---- the pivot itself ---- */

static void a_refused_pivot_undoes_what_was_before(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," PIVOT("p") "," BARE("b")));
    success("a");
    failure("p", "no");
    assert_sent("undo a");
}

static void an_unknown_pivot_is_sent_again_by_policy_and_then_stuck(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," PIVOT("p")));
    success("a");
    due_in(10000);
    due_in(100);
    assert_sent("p");
    due_in(10000);
    due_in(200);

    due_in(10000);

    assert_history("step.unknown p, saga.stuck");
    assert_step("p", STEP_UNKNOWN);
    assert_step("a", STEP_SUCCEEDED);
    assert_error("timeout", "p");
    assert_int_equal(operator_says_of("skip", "p"), VERDICT_ILLEGAL);
    assert_why_names("unknown and stuck. Allowed now: retry, complete.");
}

static void a_pause_does_not_pass_over_an_unknown_pivot(void **state)
{
    (void)state;
    given_started(
        SAGA("{'id':'p','pivot':true,'on_failure':'pause','action':{'topic':'p','retry':"
             "{'max_attempts':1}}}"));
    due_in(10000);
    assert_saga(SAGA_STUCK);
    assert_false(stage.saga->paused);
}

static void a_stuck_pivot_that_an_operator_completes_goes_forward(void **state)
{
    (void)state;
    given_started(
        SAGA("{'id':'p','pivot':true,'action':{'topic':'p','retry':{'max_attempts':1}}},"
             "{'id':'b','action':{'topic':'t','input':'${steps.p.output}'}}"));
    due_in(10000);
    operator_says_of("complete", "p");
    assert_history("operator.command p, step.succeeded p, saga.resumed, step.dispatched b");
    assert_true(bytes_equal_text(stage.decision.commands[0].value, "{\"by\":\"hand\"}"));
    success("b");
    assert_saga(SAGA_SUCCEEDED);
}

/* ---- a turn to undo while the pivot is under way ---- */

static void under_way(void)
{
    given_started(
        SAGA_WITH("'timeout':'60s',",
                  STEP("a") "," STEP_AND(
                      "side", "'depends_on':['a'],") ",{'id':'p','depends_on':['a'],'pivot':true,'"
                                                     "action':{'topic':'p'}}," BARE("b")));
    success("a");
    assert_sent("side, p");
}

static void a_cancel_waits_until_the_pivot_is_known(void **state)
{
    (void)state;
    under_way();
    success("side");

    assert_int_equal(operator_says("cancel"), VERDICT_APPLIED);

    assert_saga(SAGA_RUNNING);
    assert_sent("");
    assert_true(stage.saga->cancel_requested);
    failure("p", "no");
    assert_saga(SAGA_COMPENSATING);
    assert_sent("undo side");
    success("side");
    success("a");
    assert_saga(SAGA_COMPENSATED);
    assert_error("cancelled", NULL);
}

static void the_pivots_success_wins_over_the_cancel(void **state)
{
    (void)state;
    under_way();
    operator_says("cancel");
    retry("side", "busy");
    assert_int_equal(saga_next_due_ms(stage.saga), stage.now_ms + 10000);

    success("p");

    assert_history("step.succeeded p, saga.resumed, step.dispatched b");
    assert_recorded("the pivot succeeded: there is no way back");
    assert_error("", NULL);
    due_in(100);
    assert_sent("side");
    success("side");
    success("b");
    assert_saga(SAGA_SUCCEEDED);
}

static void a_refused_branch_waits_for_the_pivot_too(void **state)
{
    (void)state;
    under_way();
    failure("side", "no");
    assert_saga(SAGA_RUNNING);
    success("p");
    assert_saga(SAGA_STUCK);
    assert_error("no", "side");
    operator_says("retry");
    success("side");
    success("b");
    assert_saga(SAGA_SUCCEEDED);
}

static void an_unanswered_pivot_is_asked_again_though_a_turn_waits(void **state)
{
    (void)state;
    under_way();
    success("side");
    operator_says("cancel");
    due_in(10000);
    assert_history("step.retry_scheduled p");
    due_in(100);
    assert_sent("p");
    retry("p", "busy");
    due_in(200);
    failure("p", "no");
    assert_sent("undo side");
}

static void a_pivot_whose_attempts_all_had_no_effect_holds_up_no_turn(void **state)
{
    (void)state;
    under_way();
    success("side");
    retry("p", "busy");
    operator_says("cancel");
    assert_saga(SAGA_COMPENSATING);
    assert_step("p", STEP_FAILED);
    assert_sent("undo side");
}

static void the_deadline_waits_for_the_pivot_but_not_for_its_attempts(void **state)
{
    (void)state;
    under_way();
    success("side");
    stage.now_ms += 9000;
    progress("p");
    for (int i = 0; i < 5; i++) {
        stage.now_ms += 9000;
        progress("p");
    }
    due_in(6000);
    assert_history("saga.overdue");
    assert_saga(SAGA_RUNNING);
    assert_error("saga_timeout", NULL);

    due_in(4000);

    assert_history("step.unknown p, saga.stuck");
    operator_says_of("complete", "p");
    assert_saga(SAGA_RUNNING);
    assert_error("", NULL);
    assert_sent("b");
}

static void after_the_deadline_a_refused_pivot_is_undone_by_it(void **state)
{
    (void)state;
    under_way();
    success("side");
    for (int i = 0; i < 7; i++) {
        stage.now_ms += 8000;
        progress("p");
    }
    due_in(4000);
    failure("p", "no");
    assert_saga(SAGA_COMPENSATING);
    assert_error("saga_timeout", NULL);
    assert_int_equal(stage.saga->attention, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cancel_is_refused_past_the_pivot),
        TEST(the_deadline_only_raises_attention),
        TEST(a_refusal_is_tried_again_by_policy_and_then_stuck),
        TEST(a_step_stuck_past_the_pivot_is_sent_again_and_ends_well),
        TEST(the_time_that_an_operator_took_is_not_the_sagas),
        TEST(a_branch_that_is_refused_beside_a_done_pivot_is_stuck),
        TEST(an_ignored_step_past_the_pivot_is_refused_once),
        TEST(a_late_refusal_of_an_attempt_that_is_over_is_no_new_one),
        TEST(a_pivot_that_is_skipped_is_not_passed),
        TEST(a_refused_pivot_undoes_what_was_before),
        TEST(an_unknown_pivot_is_sent_again_by_policy_and_then_stuck),
        TEST(a_pause_does_not_pass_over_an_unknown_pivot),
        TEST(a_stuck_pivot_that_an_operator_completes_goes_forward),
        TEST(a_cancel_waits_until_the_pivot_is_known),
        TEST(the_pivots_success_wins_over_the_cancel),
        TEST(a_refused_branch_waits_for_the_pivot_too),
        TEST(an_unanswered_pivot_is_asked_again_though_a_turn_waits),
        TEST(a_pivot_whose_attempts_all_had_no_effect_holds_up_no_turn),
        TEST(the_deadline_waits_for_the_pivot_but_not_for_its_attempts),
        TEST(after_the_deadline_a_refused_pivot_is_undone_by_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
