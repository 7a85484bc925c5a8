/* Attempts: rules 2 to 5, what `unknown` means, and the policy to the millisecond. */
#include "test_machine_support.h"

/* ---- by policy ---- */

static void waits_double_up_to_the_cap(void **state)
{
    (void)state;
    static const int64_t WAITS_MS[] = {100, 200, 400, 500, 500};
    given_started(
        SAGA("{'id':'a','action':{'topic':'t','retry':{'max_attempts':6,'max':'500ms'}}}"));

    for (size_t i = 0; i < sizeof(WAITS_MS) / sizeof(WAITS_MS[0]); i++) {
        retry("a", "busy");
        assert_history("step.retry_scheduled a");
        assert_step("a", STEP_RETRYING);
        due_in(WAITS_MS[i]);
        assert_sent("a");
        assert_int_equal(run_of("a")->attempt, i + 2);
    }
    retry("a", "busy");
    assert_step("a", STEP_FAILED);
}

static void attempts_that_all_said_retry_mean_failed(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP("b")));
    success("a");
    for (int i = 0; i < 2; i++) {
        retry("b", "gateway_down");
        later(1000);
    }

    retry("b", "gateway_down");

    assert_history("step.failed b, saga.compensating, step.dispatched undo a");
    assert_step("b", STEP_FAILED);
    assert_error("gateway_down", "b");
}

static void one_unanswered_attempt_means_unknown(void **state)
{
    (void)state;
    for (int silent = 0; silent < 3; silent++) {
        given_started(SAGA(STEP("a") "," STEP("b")));
        success("a");
        for (int i = 0; i < 3; i++) {
            if (i == silent) {
                due_in(10000);
            } else {
                retry("b", "busy");
            }
            if (i < 2) later(1000);
        }
        assert_int_equal(run_of("b")->op, OP_COMPENSATE);
        assert_step("b", STEP_COMPENSATING);
        assert_recorded("'type':'step.unknown'");
        assert_sent("undo b");
    }
}

static void a_timeout_is_the_code_of_a_step_that_never_answered(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP("b")));
    success("a");
    due_in(10000);
    assert_recorded("'code':'timeout'");
    due_in(100);
    due_in(10000);
    due_in(200);
    due_in(10000);

    assert_error("timeout", "b");
}

static void a_refusal_is_never_retried(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a")));
    failure("a", "declined");
    assert_history("step.failed a, saga.compensating, saga.compensated");
    assert_error("declined", "a");
}

static void a_refusal_speaks_for_the_attempts_that_nobody_answered(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP("b")));
    success("a");
    due_in(10000);
    due_in(100);

    failure("b", "declined");

    assert_step("b", STEP_FAILED);
    assert_sent("undo a");
}

static void a_code_of_never_on_ends_the_attempts(void **state)
{
    (void)state;
    given_started(
        SAGA("{'id':'a','action':{'topic':'t','retry':{'never_on':['card_declined']}},"
             "'compensation':{'topic':'u'}}," BARE("b")));
    retry("a", "busy");
    due_in(100);

    retry("a", "card_declined");

    assert_step("a", STEP_FAILED);
    assert_error("card_declined", "a");
}

static void a_code_of_never_on_after_an_unanswered_attempt_means_unknown(void **state)
{
    (void)state;
    given_started(
        SAGA("{'id':'a','action':{'topic':'t','retry':{'never_on':['card_declined']}},"
             "'compensation':{'topic':'u'}}," BARE("b")));
    due_in(10000);
    due_in(100);

    retry("a", "card_declined");

    assert_sent("undo a");
}

static void no_attempt_is_planned_beyond_max_elapsed(void **state)
{
    (void)state;
    given_started(
        SAGA("{'id':'a','action':{'topic':'t','retry':{'max_attempts':0,'initial':'400ms',"
             "'multiplier':1,'max_elapsed':'1s'}}}"));
    retry("a", "busy");
    due_in(400);
    retry("a", "busy");
    due_in(400);

    retry("a", "busy");

    assert_step("a", STEP_FAILED);
}

static void an_attempt_may_start_exactly_at_max_elapsed(void **state)
{
    (void)state;
    given_started(
        SAGA("{'id':'a','action':{'topic':'t','retry':{'initial':'500ms','multiplier':1,"
             "'max_elapsed':'500ms'}}}"));
    retry("a", "busy");
    assert_step("a", STEP_RETRYING);
}

static void no_limit_of_attempts_is_no_limit(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'a','action':{'topic':'t','retry':{'max_attempts':0}}}"));
    for (int i = 0; i < 300; i++) {
        retry("a", "busy");
        assert_int_equal(later(1000), VERDICT_APPLIED);
    }
    assert_int_equal(run_of("a")->attempt, 301);
}

/* ---- a stated delay ---- */

static void a_stated_delay_is_kept_and_uses_no_attempt(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'a','action':{'topic':'t','retry':{'max_attempts':1}}}"));
    for (int i = 0; i < 5; i++) {
        retry_after("a", 600);
        assert_recorded("'stated':true");
        due_in(600);
    }
    assert_int_equal(run_of("a")->attempt, 6);

    retry("a", "busy");
    assert_step("a", STEP_FAILED);
}

static void a_stated_delay_does_not_shift_the_backoff(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));
    retry_after("a", 5);
    due_in(5);
    retry("a", "busy");
    due_in(100);
    retry_after("a", 7);
    due_in(7);
    retry("a", "busy");
    due_in(200);
}

static void a_stated_delay_is_at_least_a_millisecond_and_at_most_a_day(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'a','action':{'topic':'t','retry':{'max_attempts':0}}}"));
    retry_after("a", 0);
    due_in(1);
    retry_after("a", UINT64_MAX);
    due_in(86400000);
}

static void a_stated_delay_ends_with_max_elapsed(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'a','action':{'topic':'t','retry':{'max_elapsed':'10s'}}}"));
    retry_after("a", 10001);
    assert_step("a", STEP_FAILED);
}

/* ---- time ---- */

static void an_attempt_that_timed_out_is_sent_again_after_the_wait(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));
    due_in(10000);
    assert_step("a", STEP_RETRYING);
    assert_sent("");
    due_in(100);
    assert_sent("a");
}

static void progress_and_pending_give_the_timeout_anew(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));
    stage.now_ms += 9000;
    assert_int_equal(progress("a"), VERDICT_APPLIED);
    assert_history("step.progress a");
    assert_recorded("'progress':0.40,'message':'packing'");
    due_in(10000);

    given_started(SAGA(BARE("a")));
    stage.now_ms += 9000;
    assert_int_equal(pending("a"), VERDICT_APPLIED);
    assert_history("step.pending a");
    assert_true(run_of("a")->promised);
    due_in(10000);
    assert_false(run_of("a")->promised);
}

static void with_a_heartbeat_they_give_that(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'a','action':{'topic':'t','heartbeat':'2s'}}"));
    progress("a");
    due_in(2000);

    given_started(SAGA("{'id':'a','action':{'topic':'t','heartbeat':'2s'}}"));
    pending("a");
    progress("a");
    due_in(2000);
}

static void a_clock_that_jumps_back_only_costs_time(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));
    stage.now_ms -= 3600000;
    retry("a", "busy");
    due_in(100);
    success("a");
    assert_saga(SAGA_SUCCEEDED);
}

/* ---- the undo ---- */

static void the_undo_has_its_own_policy_and_starts_at_attempt_1(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));
    retry("a", "busy");
    due_in(100);
    success("a");
    failure("b", "no");
    assert_int_equal(run_of("a")->attempt, 1);
    assert_int_equal(run_of("a")->op, OP_COMPENSATE);

    retry("a", "busy");
    assert_history("step.retry_scheduled undo a");
    assert_step("a", STEP_COMPENSATING);
    due_in(200);
    assert_sent("undo a");
    due_in(10000);
    due_in(400);
    retry_after("a", 5);
    due_in(5);
    pending("a");
    progress("a");
    success("a");
    assert_saga(SAGA_COMPENSATED);
}

static void the_first_ce_id_of_each_direction_and_attempt_is_unique(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));
    retry("a", "busy");
    due_in(100);
    assert_int_equal(stage.decision.commands[0].attempt, 2);
    retry_after("a", 3);
    due_in(3);
    assert_int_equal(stage.decision.commands[0].attempt, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(waits_double_up_to_the_cap),
        TEST(attempts_that_all_said_retry_mean_failed),
        TEST(one_unanswered_attempt_means_unknown),
        TEST(a_timeout_is_the_code_of_a_step_that_never_answered),
        TEST(a_refusal_is_never_retried),
        TEST(a_refusal_speaks_for_the_attempts_that_nobody_answered),
        TEST(a_code_of_never_on_ends_the_attempts),
        TEST(a_code_of_never_on_after_an_unanswered_attempt_means_unknown),
        TEST(no_attempt_is_planned_beyond_max_elapsed),
        TEST(an_attempt_may_start_exactly_at_max_elapsed),
        TEST(no_limit_of_attempts_is_no_limit),
        TEST(a_stated_delay_is_kept_and_uses_no_attempt),
        TEST(a_stated_delay_does_not_shift_the_backoff),
        TEST(a_stated_delay_is_at_least_a_millisecond_and_at_most_a_day),
        TEST(a_stated_delay_ends_with_max_elapsed),
        TEST(an_attempt_that_timed_out_is_sent_again_after_the_wait),
        TEST(progress_and_pending_give_the_timeout_anew),
        TEST(with_a_heartbeat_they_give_that),
        TEST(a_clock_that_jumps_back_only_costs_time),
        TEST(the_undo_has_its_own_policy_and_starts_at_attempt_1),
        TEST(the_first_ce_id_of_each_direction_and_attempt_is_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
