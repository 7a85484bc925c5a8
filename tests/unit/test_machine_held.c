/* Commands that wait for their topic: no time of theirs runs, no attempt is used up. */
#include "test_machine_support.h"

#define TO(id, topic, more)                                                                        \
    "{'id':'" id "'," more "'action':{'topic':'" topic "'},'compensation':{'topic':'u'}}"
#define AT_ONCE "'depends_on':[],"

static void hold(const char *topic)
{
    static struct bytes held;
    held = bytes_of(topic);
    stage.held_topics = &held;
    stage.held_topic_count = 1;
}

static void let_go(void)
{
    stage.held_topic_count = 0;
}

static enum verdict goes_now(const char *topic)
{
    return when((struct event){.kind = EVENT_RESEND,
                               .step = -1,
                               .index = INDEX_NONE,
                               .name = bytes_of(topic),
                               .held = true});
}

static void what_a_topic_holds_does_not_fall_due(void **state)
{
    (void)state;
    given_started(SAGA(TO("a", "slow", "")));
    hold("slow");

    assert_int_equal(later(100000), VERDICT_NOTHING);
    assert_step("a", STEP_DISPATCHED);
    assert_int_equal(run_of("a")->attempt, 1);
    let_go();
    assert_int_equal(later(1), VERDICT_APPLIED);
    assert_step("a", STEP_RETRYING);
}

static void what_is_sent_elsewhere_falls_due_all_the_same(void **state)
{
    (void)state;
    given_started(SAGA(TO("a", "slow", AT_ONCE) "," TO("b", "quick", AT_ONCE)));
    hold("slow");

    assert_int_equal(later(10000), VERDICT_APPLIED);
    assert_step("a", STEP_DISPATCHED);
    assert_step("b", STEP_RETRYING);
}

static void the_sagas_own_deadline_is_not_held(void **state)
{
    (void)state;
    given_started(SAGA_WITH("'timeout':'1m','on_timeout':'pause',",
                            "{'id':'a','action':{'topic':'slow','retry':{'max_attempts':1}}}"));
    hold("slow");

    assert_int_equal(later(60000), VERDICT_APPLIED);
    assert_true(stage.saga->paused);
    assert_step("a", STEP_DISPATCHED);
}

static void what_is_due_and_held_is_not_what_comes_next(void **state)
{
    (void)state;
    given_started(SAGA_WITH("'timeout':'1m',",
                            "{'id':'a','action':{'topic':'slow','retry':{'max_attempts':1}}}"));

    assert_int_equal(saga_next_due_ms(stage.saga), START_MS + 10000);
    assert_int_equal(saga_next_due_after_ms(stage.saga, START_MS + 9999), START_MS + 10000);
    assert_int_equal(saga_next_due_after_ms(stage.saga, START_MS + 10000), START_MS + 60000);
    assert_int_equal(saga_next_due_after_ms(stage.saga, START_MS + 60000), 0);
}

static void what_never_left_gets_its_whole_time_when_it_goes(void **state)
{
    (void)state;
    given_started(SAGA(TO("a", "slow", "")));
    stage.now_ms += 9000;

    assert_int_equal(goes_now("slow"), VERDICT_APPLIED);
    assert_sent("a");
    assert_int_equal(stage.decision.commands[0].attempt, 1);
    assert_true(stage.decision.commands[0].again);
    assert_int_equal(stage.decision.commands[0].expires_at_ms, stage.now_ms + 10000);
    assert_int_equal(run_of("a")->sent_at_ms, stage.now_ms);
    assert_int_equal(run_of("a")->first_sent_at_ms, stage.now_ms);
    assert_recorded("'again':true");
    due_in(10000);
}

static void what_waited_a_moment_only_costs_no_write(void **state)
{
    (void)state;
    given_started(SAGA(TO("a", "slow", "")));
    stage.now_ms += 1000;

    assert_int_equal(goes_now("slow"), VERDICT_NOTHING);
    assert_sent("a");
    due_in(9000);
}

static void only_what_waited_for_that_topic_goes(void **state)
{
    (void)state;
    given_started(SAGA(TO("a", "slow", AT_ONCE) "," TO("b", "quick", AT_ONCE)));
    stage.now_ms += 5000;

    assert_int_equal(goes_now("slow"), VERDICT_APPLIED);
    assert_sent("a");
    assert_int_equal(run_of("b")->sent_at_ms, START_MS);
}

static void nothing_goes_of_a_saga_that_has_ended(void **state)
{
    (void)state;
    given_started(SAGA(TO("a", "slow", "")));
    (void)operator_says("terminate");

    assert_int_equal(goes_now("slow"), VERDICT_NOTHING);
    assert_sent("");
}

static void max_elapsed_does_not_count_what_was_held(void **state)
{
    (void)state;
    given_started(
        SAGA("{'id':'a','action':{'topic':'slow','retry':{'max_elapsed':'30s',"
             "'max_attempts':10,'initial':'1s','jitter':'none'}},"
             "'compensation':{'topic':'u'}}"));
    hold("slow");
    (void)later(100000);
    let_go();
    (void)goes_now("slow");

    assert_int_equal(later(10000), VERDICT_APPLIED);
    assert_step("a", STEP_RETRYING); /* else it would have been given up */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_topic_holds_does_not_fall_due),
        TEST(what_is_sent_elsewhere_falls_due_all_the_same),
        TEST(the_sagas_own_deadline_is_not_held),
        TEST(what_is_due_and_held_is_not_what_comes_next),
        TEST(what_never_left_gets_its_whole_time_when_it_goes),
        TEST(what_waited_a_moment_only_costs_no_write),
        TEST(only_what_waited_for_that_topic_goes),
        TEST(nothing_goes_of_a_saga_that_has_ended),
        TEST(max_elapsed_does_not_count_what_was_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
