/* One sentence that a person understands, for every way in which a saga can stand. */
#include "sagas/machine/why.h"

#include "test_machine_support.h"

static struct why why;

static void ask(void)
{
    saga_why(stage.saga, stage.now_ms, &stage.memory, &why);
}

static void assert_says(const char *kind, const char *sentence)
{
    ask();
    assert_string_equal(why.kind, kind);
    assert_string_equal(why.sentence.data, sentence);
}

/* 1700000000 ms after the epoch is 1970-01-20 16:13:20. */

static void a_command_that_is_out(void **state)
{
    (void)state;
    given_started_with(SAGA("{'id':'charge','action':{'topic':'payments','key':'${input.c}'}}"),
                       "{'c':'c-7'}");
    assert_says("reply",
                "Step charge was sent to payments at 16:13:20; its reply is awaited until "
                "16:13:30.");
    assert_int_equal(why.since_ms, START_MS);
    assert_int_equal(why.step, 0);
    assert_int_equal(why.attempt, 1);
    assert_true(bytes_equal_text(why.topic, "payments"));
    assert_true(bytes_equal_text(why.key, "c-7"));
    assert_int_equal(why.command_sent_at_ms, START_MS);
    assert_null(why.last_error);
}

static void a_command_that_was_accepted(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));
    retry("a", "busy");
    due_in(100);
    pending("a");
    assert_says("reply",
                "Step a was accepted by a at 16:13:20 for the 2nd time (before: busy, the "
                "participant asks to be tried again); its result is awaited until "
                "16:13:30.");
}

static void a_retry_that_waits(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));
    retry("a", "gateway_down");
    assert_says("retry",
                "Step a was tried once by a (last: gateway_down, the participant asks to "
                "be tried again); the 2nd attempt starts at 16:13:20.");
    later(100);
    retry_after("a", 86400000);
    assert_says("retry",
                "Step a was tried 2 times by a (last: busy, the participant asks to be "
                "tried again); the 3rd attempt starts at 1970-01-21 16:13:20.");
    assert_int_equal(why.next_attempt_at_ms, stage.now_ms + 86400000);
    assert_string_equal(why.last_error->code, "busy");
}

static void numbers_of_attempts_end_as_they_are_spoken(void **state)
{
    (void)state;
    static const struct {
        uint32_t attempt;
        const char *said;
    } CASES[] = {
        {3,   " 4th "  },
        {10,  " 11th " },
        {20,  " 21st " },
        {21,  " 22nd " },
        {22,  " 23rd " },
        {110, " 111th "}
    };
    given_started(SAGA(BARE("a")));
    retry("a", "busy");
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        stage.saga->steps[0].run[0].attempt = CASES[i].attempt;
        ask();
        assert_non_null(strstr(why.sentence.data, CASES[i].said));
    }
}

static void a_signal_that_is_awaited(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'ask','signal':{'name':'approved','timeout':'1h'}}"));
    assert_says("signal",
                "Step ask waits for the signal approved since 16:13:20, until 17:13:20, "
                "then it fails.");
    assert_true(bytes_equal_text(why.signal, "approved"));
    assert_int_equal(why.since_ms, START_MS);
    assert_int_equal(why.deadline_at_ms, START_MS + 3600000);
    assert_int_equal(why.command_sent_at_ms, 0);
    assert_null(why.topic.data);
    given_started(SAGA("{'id':'ask','signal':{'name':'approved'}}"));
    assert_says("signal", "Step ask waits for the signal approved since 16:13:20.");
    assert_int_equal(why.deadline_at_ms, 0);
}

static void a_delay_that_lasts(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'rest','delay':{'for':'48h'}}"));
    assert_says("timer", "Step rest waits until 1970-01-22 16:13:20.");
    assert_int_equal(why.next_attempt_at_ms, START_MS + 172800000);
    assert_int_equal(why.since_ms, START_MS);
}

#define TRIED_ONCE "'action':{'topic':'a','retry':{'max_attempts':1}}"

static void a_probe_that_is_out_or_to_be_sent(void **state)
{
    (void)state;
    static const char ASKS[] =
        SAGA("{'id':'a','on_unknown':'probe','probe':{'topic':'p'}," TRIED_ONCE "}");
    given_started(ASKS);
    later(10000);
    assert_says("reply",
                "The probe of step a was sent to p at 16:13:30 (before: timeout, no reply "
                "came in time: the effect of this attempt is unknown); its reply is "
                "awaited until 16:13:40.");
    assert_int_equal(why.op, OP_PROBE);
    assert_true(bytes_equal_text(why.topic, "p"));
    retry("a", "busy");
    ask();
    assert_string_equal(why.kind, "retry");
}

static void held_by_its_definition(void **state)
{
    (void)state;
    static const char HOLDS[] = SAGA(STEP("a") ",{'id':'b','on_unknown':'hold'," TRIED_ONCE "}");
    given_started(HOLDS);
    success("a");
    later(10000);
    ask();
    assert_string_equal(why.kind, "operator");
    assert_true(bytes_equal_text(why.by, "operator"));
    assert_non_null(strstr(why.sentence.data, "Step b was tried once (last: timeout"));
    assert_non_null(strstr(why.sentence.data,
                           "complete says that it happened, fail that it did "
                           "not"));
    operator_says("cancel");
    assert_saga(SAGA_STUCK);
    ask();
    assert_non_null(strstr(why.sentence.data, "its definition holds it for an operator"));
}

static void an_undo_and_an_item(void **state)
{
    (void)state;
    given_started_with(SAGA(STEP_AND("each", EACH) "," BARE("b")), "[1,2]");
    success("each[0]");
    success("each[1]");
    failure("b", "no");
    assert_says("reply",
                "The undo of step each[0] was sent to u at 16:13:20; its reply is awaited "
                "until 16:13:30.");
    assert_int_equal(why.index, 0);
    assert_int_equal(why.op, OP_COMPENSATE);
}

static void an_action_that_is_only_awaited(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP_AND("b", "'depends_on':[],")));
    failure("b", "no");
    assert_says("reply",
                "Step a was sent to a at 16:13:20; its reply is awaited until 16:13:30, "
                "then it is undone if it may have taken effect.");
}

static void a_pivot_that_a_turn_waits_for(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'p','pivot':true,'action':{'topic':'p'}}," BARE("b")));
    operator_says("cancel");
    assert_says("reply",
                "Step p was sent to p at 16:13:20; its reply is awaited until 16:13:30; "
                "the saga is to be undone, unless the pivot has succeeded.");
}

static void stuck_on_an_undo(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));
    success("a");
    failure("b", "no");
    failure("a", "already_shipped");
    assert_says("operator",
                "The undo of step a failed (already_shipped, the participant refused); "
                "an operator decides: retry sends it again, skip waives it.");
    assert_true(bytes_equal_text(why.by, "operator"));
}

static void stuck_without_an_undo(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));
    operator_says("cancel");
    success("a");
    assert_says("operator",
                "The undo of step a failed (failed, the definition does not say how to "
                "undo this step); an operator decides: skip waives "
                "it.");
    assert_null(why.topic.data);
}

static void stuck_on_an_unknown_step(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'a','action':{'topic':'t','retry':{'max_attempts':1}}}"));
    due_in(10000);
    assert_says("operator",
                "Step a was tried once (last: timeout, no reply came in time: the "
                "effect of this attempt is unknown) and nobody knows whether it took "
                "effect; an operator decides: retry sends it again, complete says that "
                "it happened.");
}

static void stuck_past_the_pivot(void **state)
{
    (void)state;
    given_started(
        SAGA("{'id':'p','pivot':true,'action':{'topic':'p'}},{'id':'b','action':{'topic':"
             "'t','retry':{'max_attempts':1}}}"));
    success("p");
    failure("b", "no");
    assert_says("operator",
                "Step b failed (no, the participant refused) after the pivot; an "
                "operator decides: retry, skip or complete.");
}

static void paused_by_somebody(void **state)
{
    (void)state;
    given_started(SAGA(BARE("a")));
    operator_says("pause");
    assert_says("operator", "The saga was paused by key:ops; resume lets it go on.");
    assert_true(bytes_equal_text(why.by, "key:ops"));
    assert_int_equal(why.step, -1);
}

static void paused_by_a_failure(void **state)
{
    (void)state;
    given_started(SAGA(STEP_AND("a", "'on_failure':'pause',") "," BARE("b")));
    failure("a", "no");
    assert_says("operator",
                "Step a failed (no, the participant refused) and the saga is paused; "
                "resume or retry sends it again, skip, complete or cancel end the "
                "wait.");
}

static void paused_by_its_timeout(void **state)
{
    (void)state;
    given_started(SAGA_WITH("'timeout':'60s','on_timeout':'pause',", BARE("a")));
    retry_after("a", 70000);
    due_in(60000);
    assert_says("operator",
                "The saga did not end by 16:14:20 and its definition says pause; "
                "resume gives it the same time again.");
}

static void held_before_its_start(void **state)
{
    (void)state;
    given(SAGA(BARE("a")));
    when((struct event){.kind = EVENT_START, .step = -1, .index = INDEX_NONE, .held = true});
    assert_says("operator", "The definition order is paused; the saga starts when it is resumed.");
}

static void waiting_for_its_time(void **state)
{
    (void)state;
    given(SAGA(BARE("a")));
    stage.saga->start_at_ms = START_MS + 90000;
    when_started();
    assert_says("timer", "The saga starts at 16:14:50.");
    assert_int_equal(why.next_attempt_at_ms, START_MS + 90000);
}

static void ended(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));
    success("a");
    failure("b", "no");
    success("a");
    assert_says("nothing",
                "The saga was compensated, because of step b (no, the participant "
                "refused); nothing is to come.");
    given_started(SAGA(BARE("a")));
    success("a");
    assert_says("nothing", "The saga succeeded; nothing is to come.");
}

static void asking_changes_nothing(void **state)
{
    (void)state;
    given_started_with(SAGA(BARE_AND("each", EACH)), "[1,2]");
    stage.saga->steps[0].items = NULL;
    ask();
    assert_null(stage.saga->steps[0].items);
}

static void a_saga_in_line(void **state)
{
    (void)state;
    struct uuid holder;
    uuid_parse(BYTES("018bcfe5-6800-7000-8000-000000000009"), &holder);
    given_started_with(SAGA_WITH("'concurrency':{'limit':1,'key':'${input.c}'},", STEP("a")),
                       "{'c':'ann'}");
    assert_says("lock",
                "No more than one saga of order with the key ann is open at once, and the "
                "saga waits for its turn since 16:13:20.");
    assert_true(bytes_equal_text(why.key, "ann"));
    assert_int_equal(why.since_ms, START_MS);

    const struct why_line line = {START_MS, 2, 1, &holder};
    saga_why_in_line(stage.saga, &line, stage.now_ms, &stage.memory, &why);

    assert_string_equal(why.sentence.data,
                        "No more than one saga of order with the key ann is open at once, and the "
                        "saga waits for its turn since 16:13:20; it is the 2nd in line; "
                        "018bcfe5-6800-7000-8000-000000000009 is open.");
}

static void a_saga_in_line_for_several_places(void **state)
{
    (void)state;
    struct uuid holder;
    uuid_parse(BYTES("018bcfe5-6800-7000-8000-000000000009"), &holder);
    given_started(SAGA_WITH("'concurrency':{'limit':3},", STEP("a")));
    ask();

    const struct why_line line = {START_MS, 1, 3, &holder};
    saga_why_in_line(stage.saga, &line, stage.now_ms, &stage.memory, &why);

    assert_null(why.key.data);
    assert_string_equal(why.sentence.data,
                        "No more than 3 sagas of order are open at once, and the saga waits for "
                        "its turn since 16:13:20; it is the next one; "
                        "018bcfe5-6800-7000-8000-000000000009 and 2 others are open.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_saga_in_line),
        TEST(a_saga_in_line_for_several_places),
        TEST(a_command_that_is_out),
        TEST(a_command_that_was_accepted),
        TEST(a_retry_that_waits),
        TEST(numbers_of_attempts_end_as_they_are_spoken),
        TEST(a_signal_that_is_awaited),
        TEST(a_delay_that_lasts),
        TEST(a_probe_that_is_out_or_to_be_sent),
        TEST(held_by_its_definition),
        TEST(an_undo_and_an_item),
        TEST(an_action_that_is_only_awaited),
        TEST(a_pivot_that_a_turn_waits_for),
        TEST(stuck_on_an_undo),
        TEST(stuck_without_an_undo),
        TEST(stuck_on_an_unknown_step),
        TEST(stuck_past_the_pivot),
        TEST(paused_by_somebody),
        TEST(paused_by_a_failure),
        TEST(paused_by_its_timeout),
        TEST(held_before_its_start),
        TEST(waiting_for_its_time),
        TEST(ended),
        TEST(asking_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
