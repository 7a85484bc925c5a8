/* Waiting for a person: pause, resume, on_failure and on_timeout, and held starts (rule 11). */
#include "test_machine_support.h"

#define PAUSING(id) STEP_AND(id, "'on_failure':'pause',")

/* ---- an operator's pause ---- */

static void a_pause_holds_back_new_commands_and_takes_replies(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));

    operator_says("pause");
    assert_history("operator.command, saga.paused");
    assert_int_equal(stage.saga->attention, ATTENTION_PAUSED);
    assert_true(bytes_equal_text(stage.saga->paused_by, "key:ops"));
    success("a");
    assert_step("a", STEP_SUCCEEDED);
    assert_step("b", STEP_READY);
    assert_sent("");

    operator_says("resume");
    assert_history("operator.command, saga.resumed, step.dispatched b");
    assert_int_equal(stage.saga->attention, 0);
}

static void timers_of_what_is_out_run_on(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));
    operator_says("pause");
    due_in(10000);
    assert_step("a", STEP_RETRYING);
    assert_int_equal(saga_next_due_ms(stage.saga), 0);
    assert_int_equal(later(5000), VERDICT_NOTHING);

    operator_says("resume");
    assert_sent("a");
    assert_int_equal(run_of("a")->attempt, 2);
}

static void a_pause_holds_back_undos_too(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));
    success("a");
    operator_says("pause");
    failure("b", "no");
    assert_saga(SAGA_COMPENSATING);
    assert_sent("");
    operator_says("resume");
    assert_sent("undo a");
    operator_says("pause");
    retry("a", "busy");
    assert_int_equal(saga_next_due_ms(stage.saga), 0);
    operator_says("resume");
    assert_int_equal(later(200), VERDICT_APPLIED);
    assert_sent("undo a");
}

static void a_paused_saga_may_end(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));
    operator_says("pause");
    success("a");
    assert_saga(SAGA_SUCCEEDED);
    assert_false(stage.saga->paused);
}

static void a_cancel_answers_a_pause(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP("b")));
    success("a");
    operator_says("pause");

    operator_says("cancel");

    assert_history("operator.command, saga.cancel_requested, saga.resumed, saga.compensating");
    success("b");
    assert_sent("undo b");
}

/* ---- the deadline ---- */

static void the_deadline_does_not_fire_while_paused_and_fires_on_resume(void **state)
{
    (void)state;
    given_started(SAGA_WITH("'timeout':'60s',", STEP("a") "," STEP("b")));
    success("a");
    operator_says("pause");
    due_in(10000);
    assert_int_equal(later(100000), VERDICT_NOTHING);

    operator_says("resume");

    assert_history(
        "operator.command, saga.resumed, saga.compensating, step.unknown b, "
        "step.dispatched undo b");
    assert_error("saga_timeout", NULL);
}

static void on_timeout_pause_waits_and_resume_gives_the_time_again(void **state)
{
    (void)state;
    given_started(SAGA_WITH("'timeout':'60s','on_timeout':'pause',", BARE("a")));
    retry_after("a", 70000);
    due_in(60000);

    assert_history("saga.paused");
    assert_recorded("'reason':'on_timeout'");
    assert_true(stage.saga->paused_by_timeout);
    assert_null(stage.saga->paused_by.data);
    assert_int_equal(later(20000), VERDICT_NOTHING);

    operator_says("resume");
    assert_sent("a");
    assert_int_equal(stage.saga->deadline_at_ms, stage.now_ms + 60000);
    assert_false(stage.saga->paused_by_timeout);
}

static void a_deadline_that_passed_in_an_operators_pause_pauses_again(void **state)
{
    (void)state;
    given_started(SAGA_WITH("'timeout':'60s','on_timeout':'pause',", BARE("a")));
    operator_says("pause");
    stage.now_ms += 70000;
    operator_says("resume");
    assert_true(stage.saga->paused && stage.saga->paused_by_timeout);
    operator_says("resume");
    assert_false(stage.saga->paused);
}

static void a_verb_answers_the_pause_of_a_timeout(void **state)
{
    (void)state;
    given_started(SAGA_WITH("'timeout':'60s','on_timeout':'pause',", STEP("a") "," BARE("b")));
    retry_after("a", 70000);
    due_in(60000);

    operator_says_of("complete", "a");

    assert_history("operator.command a, step.succeeded a, saga.resumed, step.dispatched b");
    assert_int_equal(stage.saga->deadline_at_ms, stage.now_ms + 60000);
}

/* ---- on_failure: pause ---- */

static void a_failed_step_pauses_and_resume_sends_it_with_fresh_attempts(void **state)
{
    (void)state;
    given_started(SAGA(PAUSING("a") "," BARE("b")));
    retry("a", "busy");
    due_in(100);
    failure("a", "no");

    assert_history("step.failed a, saga.paused");
    assert_saga(SAGA_RUNNING);
    assert_step("a", STEP_FAILED);
    assert_error("", NULL);

    operator_says("resume");
    assert_history("operator.command, saga.resumed, step.ready a, step.dispatched a");
    assert_int_equal(run_of("a")->attempt, 3);
    retry("a", "busy");
    due_in(100);
    retry("a", "busy");
    due_in(200);
    retry("a", "busy");
    assert_true(stage.saga->paused);
}

static void an_unknown_step_stays_unknown_until_it_is_known(void **state)
{
    (void)state;
    given_started(
        SAGA("{'id':'a','on_failure':'pause','action':{'topic':'t','retry':{'max_attempts':1}},"
             "'compensation':{'topic':'u'}}," BARE("b")));
    due_in(10000);
    assert_step("a", STEP_UNKNOWN);
    assert_true(stage.saga->paused);
    operator_says("resume");
    retry("a", "busy");
    assert_step("a", STEP_UNKNOWN);

    operator_says("cancel");
    assert_sent("undo a");
}

static void a_failure_found_at_the_resume_pauses_again(void **state)
{
    (void)state;
    given_started(
        SAGA("{'id':'a','on_failure':'pause','action':{'topic':'t','retry':{'max_attempts':1}},"
             "'compensation':{'topic':'u'}}," BARE("b")));
    operator_says("pause");
    stage.now_ms += 20000;
    operator_says("resume");
    assert_history("operator.command, saga.resumed, step.unknown a, saga.paused");
    assert_sent("");
}

static void each_verb_on_the_failed_step_answers_the_pause(void **state)
{
    (void)state;
    static const struct {
        const char *verb, *sent;
    } CASES[] = {
        {"retry",    "a"},
        {"skip",     "b"},
        {"complete", "b"}
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        given_started(SAGA(PAUSING("a") "," BARE("b")));
        failure("a", "no");
        assert_int_equal(operator_says_of(CASES[i].verb, "a"), VERDICT_APPLIED);
        assert_sent(CASES[i].sent);
        assert_false(stage.saga->paused);
    }
}

static void a_pause_ends_with_the_last_failed_step_that_is_decided(void **state)
{
    (void)state;
    given_started(SAGA(
        PAUSING("a") "," STEP_AND("b", "'depends_on':[],'on_failure':'pause',") "," STEP("c")));
    failure("a", "no");
    failure("b", "no");

    operator_says_of("complete", "b");
    assert_true(stage.saga->paused);
    assert_sent("");
    operator_says_of("retry", "a");
    assert_false(stage.saga->paused);
    assert_sent("a, c");
}

static void an_operators_pause_outlives_the_verb(void **state)
{
    (void)state;
    given_started(SAGA(PAUSING("a") "," BARE("b")));
    operator_says("pause");
    failure("a", "no");
    assert_history("step.failed a");

    operator_says_of("complete", "a");
    assert_true(stage.saga->paused);
    assert_step("b", STEP_READY);
    operator_says("resume");
    assert_sent("b");
}

static void an_item_reopened_but_not_sent_again_is_unknown_when_the_saga_turns(void **state)
{
    (void)state;
    given_started_with(
        SAGA("{'id':'a','foreach':{'in':'${input}','concurrency':1},'on_failure':'pause','action':"
             "{'topic':'t','retry':{'max_attempts':1}},'compensation':{'topic':'u'}}," BARE("b")),
        "[1,2]");
    due_in(10000);
    operator_says("resume");
    operator_says("pause");
    due_in(10000);
    stage.saga->steps[0].run[1].state = STEP_DISPATCHED;
    stage.saga->steps[0].run[1].attempt = 1;
    stage.saga->steps[0].run[1].deadline_at_ms = stage.now_ms + 1;
    due_in(1);
    assert_step("a[1]", STEP_UNKNOWN);

    operator_says("resume");
    assert_step("a[0]", STEP_DISPATCHED);
    assert_step("a[1]", STEP_READY);
    operator_says("cancel");

    assert_step("a[1]", STEP_COMPENSATING);
    assert_recorded("{'type':'step.unknown','step':'a','index':1");
}

/* ---- a definition that is paused ---- */

static void a_held_start_waits_for_resume(void **state)
{
    (void)state;
    given(SAGA(BARE("a")));

    when((struct event){.kind = EVENT_START, .step = -1, .index = INDEX_NONE, .held = true});

    assert_history("saga.created, saga.paused");
    assert_saga(SAGA_PENDING);
    assert_int_equal(saga_next_due_ms(stage.saga), 0);
    operator_says("resume");
    assert_history("operator.command, saga.resumed, saga.started, step.dispatched a");
}

static void a_held_start_still_waits_for_its_time(void **state)
{
    (void)state;
    given(SAGA(BARE("a")));
    stage.saga->start_at_ms = START_MS + 700;
    when((struct event){.kind = EVENT_START, .step = -1, .index = INDEX_NONE, .held = true});
    operator_says("resume");
    assert_saga(SAGA_PENDING);
    due_in(700);
    assert_sent("a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pause_holds_back_new_commands_and_takes_replies),
        TEST(timers_of_what_is_out_run_on),
        TEST(a_pause_holds_back_undos_too),
        TEST(a_paused_saga_may_end),
        TEST(a_cancel_answers_a_pause),
        TEST(the_deadline_does_not_fire_while_paused_and_fires_on_resume),
        TEST(on_timeout_pause_waits_and_resume_gives_the_time_again),
        TEST(a_deadline_that_passed_in_an_operators_pause_pauses_again),
        TEST(a_verb_answers_the_pause_of_a_timeout),
        TEST(a_failed_step_pauses_and_resume_sends_it_with_fresh_attempts),
        TEST(an_unknown_step_stays_unknown_until_it_is_known),
        TEST(a_failure_found_at_the_resume_pauses_again),
        TEST(each_verb_on_the_failed_step_answers_the_pause),
        TEST(a_pause_ends_with_the_last_failed_step_that_is_decided),
        TEST(an_operators_pause_outlives_the_verb),
        TEST(an_item_reopened_but_not_sent_again_is_unknown_when_the_saga_turns),
        TEST(a_held_start_waits_for_resume),
        TEST(a_held_start_still_waits_for_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
