/* What becomes of a step whose outcome is unknown: it is probed, or held for an operator. */
#include "test_machine_support.h"

#include "sagas/machine/codec.h"

#define ASKS                                                                                       \
    "'on_unknown':'probe','probe':{'topic':'a','type':'asked',"                                    \
    "'retry':{'max_attempts':2,'initial':'50ms','jitter':'none'}},"
#define HOLDS "'on_unknown':'hold',"

/* All attempts of `run` go by and nobody answers. */
static void nobody_answers(const char *run)
{
    for (int i = 0; i < 3; i++) {
        later(10000);
        if (run_of(run)->state == STEP_RETRYING && run_of(run)->op == OP_ACTION) later(1000);
    }
}

static void given_asked(void)
{
    given_started(SAGA(STEP("a") "," STEP_AND("b", ASKS)));
    success("a");
    nobody_answers("b");
}

/* ---- probes ---- */

static void a_probe_is_sent_before_a_step_is_unknown(void **state)
{
    (void)state;
    given_asked();
    assert_sent("b");
    const struct command *const command = &stage.decision.commands[0];
    assert_int_equal(command->op, OP_PROBE);
    assert_int_equal(command->attempt, 1);
    assert_true(bytes_equal_text(command->send->type, "asked"));
    assert_history("step.retry_scheduled b, step.dispatched b");
    assert_recorded("'op':'probe','attempt':1");
    assert_step("b", STEP_DISPATCHED);
    assert_int_equal(stage.saga->attention, ATTENTION_RETRYING);
}

static void a_probe_that_says_done_brings_the_output(void **state)
{
    (void)state;
    given_asked();
    success_with("b", "{'id':7}");
    assert_saga(SAGA_SUCCEEDED);
    assert_true(bytes_equal_text(run_of("b")->output, "{\"id\":7}"));
    assert_int_equal(run_of("b")->op, OP_ACTION);
    assert_int_equal(run_of("b")->attempt, 3);
    assert_int_equal(reply_of("b", OP_PROBE, 1, OUTCOME_SUCCESS), VERDICT_LATE);
}

static void a_probe_that_says_never_ran_fails_the_step_as_its_attempts_did(void **state)
{
    (void)state;
    given_asked();
    failure("b", "unheard_of");
    assert_step("b", STEP_FAILED);
    assert_error("timeout", "b");
    assert_sent("undo a");
}

static void a_probe_follows_its_own_policy_and_then_nobody_knows(void **state)
{
    (void)state;
    given_asked();
    retry("b", "busy");
    assert_recorded("'code':'busy'");
    assert_string_equal(run_of("b")->error.code, "timeout");
    due_in(50);
    assert_int_equal(run_of("b")->attempt, 2);
    due_in(10000);
    assert_history("step.unknown b, saga.compensating, step.dispatched undo b");
    assert_error("timeout", "b");
}

static void the_action_still_counts_while_it_is_asked_for(void **state)
{
    (void)state;
    given_asked();
    assert_int_equal(reply_of("b", OP_ACTION, 2, OUTCOME_FAILURE), VERDICT_LATE);
    assert_int_equal(reply_of("b", OP_ACTION, 3, OUTCOME_PROGRESS), VERDICT_LATE);
    assert_int_equal(reply_of("b", OP_ACTION, 1, OUTCOME_SUCCESS), VERDICT_APPLIED);
    assert_saga(SAGA_SUCCEEDED);

    given_asked();
    assert_int_equal(reply_of("b", OP_ACTION, 3, OUTCOME_FAILURE), VERDICT_APPLIED);
    assert_step("b", STEP_FAILED);
}

static void numbers_of_attempts_go_on_after_a_probe(void **state)
{
    (void)state;
    given_started(SAGA(STEP_AND("b", "'on_failure':'pause'," ASKS)));
    nobody_answers("b");
    later(10000);
    later(50);
    later(10000);
    assert_step("b", STEP_UNKNOWN);
    assert_true(stage.saga->paused);

    struct buffer packed = buffer_in(&stage.memory);
    struct saga *const saga = saga_new(&stage.memory, stage.definition);
    const char *what = NULL;
    saga_pack(stage.saga, &packed);
    assert_true(saga_unpack(saga, buffer_bytes(&packed), &what));
    saga->id = stage.saga->id;
    saga->input = saga->labels = BYTES("{}");
    stage.saga = saga;

    operator_says("resume");
    assert_sent("b");
    assert_int_equal(stage.decision.commands[0].attempt, 4);
    nobody_answers("b");
    assert_int_equal(stage.decision.commands[0].op, OP_PROBE);
    assert_int_equal(stage.decision.commands[0].attempt, 3);
}

static void a_saga_that_turns_back_asks_too(void **state)
{
    (void)state;
    given_started(SAGA(STEP_AND("a", ASKS) "," STEP_AND("b", "'depends_on':[],")));
    failure("b", "no");
    assert_saga(SAGA_COMPENSATING);
    due_in(10000);
    assert_int_equal(stage.decision.commands[0].op, OP_PROBE);
    success("a");
    assert_sent("undo a");
}

static void a_turn_asks_for_what_waited_for_its_next_attempt(void **state)
{
    (void)state;
    given_started(SAGA(STEP_AND("a", ASKS) "," STEP_AND("b", "'depends_on':[],")));
    stage.now_ms += 9000;
    retry_after("b", 60000);
    later(1000);
    assert_step("a", STEP_RETRYING);
    operator_says("cancel");
    assert_sent("a");
    assert_int_equal(stage.decision.commands[0].op, OP_PROBE);
    failure("a", "never");
    assert_saga(SAGA_COMPENSATED);
    assert_step("a", STEP_FAILED);
}

/* One that an operator let go again and that waits for the other item. */
static void a_turn_asks_for_an_item_that_was_not_sent_again(void **state)
{
    (void)state;
    given_started_with(
        SAGA("{'id':'a','foreach':{'in':'${input}','concurrency':1},'on_failure':'pause'," ASKS
             "'action':{'topic':'t','retry':{'max_attempts':1}},'compensation':{'topic':'u'}}"),
        "[1,2]");
    stage.saga->steps[0].run[1] =
        (struct step_run){.state = STEP_READY, .attempt = 1, .unanswered = true};

    operator_says("cancel");

    assert_recorded("{'type':'step.retry_scheduled','step':'a','index':1");
    assert_int_equal(run_of("a[1]")->op, OP_PROBE);
}

static void a_pause_holds_a_probe_back(void **state)
{
    (void)state;
    given_started(SAGA(STEP_AND("a", ASKS)));
    later(10000);
    later(1000);
    later(10000);
    later(1000);
    operator_says("pause");
    later(10000);
    assert_sent("");
    assert_step("a", STEP_RETRYING);
    assert_int_equal(saga_next_due_ms(stage.saga), 0);
    operator_says("resume");
    assert_sent("a");
}

static void an_unknown_pivot_is_probed_before_it_is_stuck(void **state)
{
    (void)state;
    static const char PIVOT[] = SAGA("{'id':'p','pivot':true," ASKS "'action':{'topic':'a'}}");
    given_started(PIVOT);
    nobody_answers("p");
    assert_int_equal(run_of("p")->op, OP_PROBE);
    success("p");
    assert_saga(SAGA_SUCCEEDED);

    given_started(PIVOT);
    nobody_answers("p");
    operator_says("cancel"); /* it may have happened: the turn waits */
    assert_saga(SAGA_RUNNING);
    failure("p", "never");
    assert_saga(SAGA_COMPENSATED);

    given_started(PIVOT);
    nobody_answers("p");
    later(10000);
    later(50);
    later(10000);
    assert_saga(SAGA_STUCK);
}

static void a_probe_is_sent_again_when_it_may_be_lost(void **state)
{
    (void)state;
    given_asked();
    when((struct event){.kind = EVENT_RESEND, .step = -1, .index = INDEX_NONE});
    assert_sent("b");
    assert_int_equal(stage.decision.commands[0].op, OP_PROBE);
    assert_true(stage.decision.commands[0].again);
}

static void operators_may_speak_for_what_is_asked_for(void **state)
{
    (void)state;
    given_asked();
    operator_says_of("complete", "b");
    assert_saga(SAGA_SUCCEEDED);
    given_asked();
    operator_says_of("fail", "b");
    assert_error("failed", "b");
    given_asked();
    operator_says("terminate");
    assert_step("b", STEP_UNKNOWN);
}

/* ---- holds ---- */

static void given_held(void)
{
    given_started(SAGA(
        STEP("a") "," STEP_AND("b", HOLDS) "," STEP("c") "," STEP_AND("d", "'depends_on':['a'],")));
    success("a");
    success("d");
    nobody_answers("b");
}

static void a_held_step_asks_for_an_operator_and_the_rest_goes_on(void **state)
{
    (void)state;
    given_held();
    assert_step("b", STEP_UNKNOWN);
    assert_step("c", STEP_WAITING);
    assert_saga(SAGA_RUNNING);
    assert_int_equal(stage.saga->attention, ATTENTION_HELD);
    assert_int_equal(saga_next_due_ms(stage.saga), 0);
}

static void an_operator_decides_what_a_held_step_is(void **state)
{
    (void)state;
    given_held();
    operator_says_of("complete", "b");
    assert_sent("c");
    assert_int_equal(stage.saga->attention, 0);

    given_held();
    operator_says_of("skip", "b");
    assert_sent("c");
    assert_step("b", STEP_SKIPPED);

    given_held();
    operator_says_of("fail", "b");
    assert_step("b", STEP_FAILED);
    assert_sent("undo d");

    given_held();
    operator_says_of("retry", "b");
    assert_int_equal(stage.decision.commands[0].attempt, 4);
    success("b");
    assert_sent("c");
}

static void given_held_and_cancelled(void)
{
    given_held();
    operator_says("cancel");
    assert_sent("undo d");
    success("d");
    assert_saga(SAGA_STUCK);
    assert_step("a", STEP_SUCCEEDED); /* what it depends on waits */
}

static void a_held_step_makes_the_undo_stuck_until_it_is_decided(void **state)
{
    (void)state;
    given_held_and_cancelled();
    operator_says_of("complete", "b");
    assert_sent("undo b");

    given_held_and_cancelled();
    operator_says_of("fail", "b");
    assert_sent("undo a");
    success("a");
    assert_saga(SAGA_COMPENSATED);
    assert_step("b", STEP_FAILED);

    given_held_and_cancelled();
    operator_says_of("skip", "b");
    assert_sent("undo a");
}

static void an_item_whose_probe_cannot_be_made_holds_the_attempts_of_that_moment_back(void **state)
{
    (void)state;
    given_started_with(
        SAGA("{'id':'each'," EACH "'on_unknown':'probe','probe':{'topic':'p','key':'${input}'},"
             "'action':{'topic':'a','retry':{'max_attempts':1}},'compensation':{'topic':'u'}}"),
        "[1,2]");
    later(9000);
    retry_after("each[1]", 1000);
    later(1000); /* the first item's attempt is over and the second one's begins */
    assert_sent("undo each[0]");
    assert_step("each[1]", STEP_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_probe_is_sent_before_a_step_is_unknown),
        TEST(a_probe_that_says_done_brings_the_output),
        TEST(a_probe_that_says_never_ran_fails_the_step_as_its_attempts_did),
        TEST(a_probe_follows_its_own_policy_and_then_nobody_knows),
        TEST(the_action_still_counts_while_it_is_asked_for),
        TEST(numbers_of_attempts_go_on_after_a_probe),
        TEST(a_saga_that_turns_back_asks_too),
        TEST(a_turn_asks_for_what_waited_for_its_next_attempt),
        TEST(a_turn_asks_for_an_item_that_was_not_sent_again),
        TEST(a_pause_holds_a_probe_back),
        TEST(an_unknown_pivot_is_probed_before_it_is_stuck),
        TEST(a_probe_is_sent_again_when_it_may_be_lost),
        TEST(operators_may_speak_for_what_is_asked_for),
        TEST(a_held_step_asks_for_an_operator_and_the_rest_goes_on),
        TEST(an_operator_decides_what_a_held_step_is),
        TEST(a_held_step_makes_the_undo_stuck_until_it_is_decided),
        TEST(an_item_whose_probe_cannot_be_made_holds_the_attempts_of_that_moment_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
