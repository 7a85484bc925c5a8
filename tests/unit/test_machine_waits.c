/* Steps that only wait: delays and signals. */
#include "test_machine_support.h"

#include <stdio.h>

#include "sagas/machine/codec.h"

#define DELAY(id, how)  "{'id':'" id "','delay':{" how "}}"
#define SIGNAL(id, how) "{'id':'" id "','signal':{" how "}}"
#define GO              "'name':'go'"

/* A signal `go` with the key `number`; 0: without one. */
static enum verdict signal_named(const char *name, uint8_t number, const char *payload)
{
    return when((struct event){
        .kind = EVENT_SIGNAL,
        .step = -1,
        .index = INDEX_NONE,
        .name = bytes_of(name),
        .key = number == 0 ? (struct bytes){0} : BYTES("k"),
        .key_digest = {number},
        .payload = bytes_of(payload),
        .actor = BYTES("key:shop"),
    });
}

static enum verdict go(uint8_t number, const char *payload)
{
    return signal_named("go", number, payload);
}

static enum verdict resend(void)
{
    return when((struct event){.kind = EVENT_RESEND, .step = -1, .index = INDEX_NONE});
}

/* As a node reads it back: the packed form, and the payload of the row with that seq. */
static void load_again(uint32_t seq, const char *payload)
{
    struct buffer packed = buffer_in(&stage.memory);
    struct saga *const saga = saga_new(&stage.memory, stage.definition);
    const char *what = NULL;
    saga_pack(stage.saga, &packed);
    assert_true(saga_unpack(saga, buffer_bytes(&packed), &what));
    saga->id = stage.saga->id;
    saga->input = stage.saga->input;
    saga->labels = stage.saga->labels;
    saga->created_at_ms = stage.saga->created_at_ms;
    if (payload != NULL) saga_attach(saga, seq, bytes_of(payload), (struct bytes){0});
    stage.saga = saga;
}

static void assert_output(const char *run, const char *output)
{
    assert_true(bytes_equal(run_of(run)->output, bytes_of(output)));
}

/* ---- delays ---- */

static void a_delay_is_over_in_its_time_and_gives_null(void **state)
{
    (void)state;
    given_started(SAGA(DELAY("rest", "'for':'1h30m'") "," BARE("b")));

    assert_sent("");
    assert_step("rest", STEP_DISPATCHED);
    assert_int_equal(run_of("rest")->attempt, 1);
    assert_int_equal(stage.saga->attention, 0);
    due_in(5400000);
    assert_history("step.succeeded rest, step.dispatched b");
    assert_sent("b");
    assert_output("rest", NULL);
}

static void a_delay_takes_its_time_from_an_expression(void **state)
{
    (void)state;
    given_started_with(SAGA(DELAY("rest", "'for':'${input.wait}'")), "{'wait':'PT2S'}");
    due_in(2000);
    assert_saga(SAGA_SUCCEEDED);

    given_started_with(SAGA(DELAY("rest", "'until':'${input.at}'")),
                       "{'at':'1970-01-20T17:13:25.5+01:00'}");
    due_in(5500);
    assert_saga(SAGA_SUCCEEDED);
}

static void a_delay_until_the_past_is_over_at_once(void **state)
{
    (void)state;
    given_started_with(SAGA(DELAY("rest", "'until':'${input.at}'") "," BARE("b")),
                       "{'at':'1970-01-01T00:00:00Z'}");
    assert_sent("b");
    assert_step("rest", STEP_SUCCEEDED);
}

static void each_item_of_a_foreach_waits_by_itself(void **state)
{
    (void)state;
    given_started_with(SAGA("{'id':'rest'," EACH "'delay':{'for':'${item}'}}"), "['2s','0s','1s']");
    assert_step("rest[0]", STEP_DISPATCHED);
    assert_step("rest[1]", STEP_SUCCEEDED);
    due_in(1000);
    assert_step("rest[2]", STEP_SUCCEEDED);
    due_in(1000);
    assert_saga(SAGA_SUCCEEDED);
}

static void what_gives_no_time_fails_the_step(void **state)
{
    (void)state;
    static const char *const INPUTS[] = {"{}", "{'x':3}", "{'x':'soon'}", "{'x':['1s']}"};
    for (size_t i = 0; i < sizeof(INPUTS) / sizeof(INPUTS[0]); i++) {
        given_started_with(SAGA(DELAY("rest", "'for':'${input.x}'")), INPUTS[i]);
        assert_error("expression_error", "rest");
        assert_recorded("`delay.for` must give a duration");
        given_started_with(SAGA(DELAY("rest", "'until':'${input.x}'")), INPUTS[i]);
        assert_error("expression_error", "rest");
        assert_recorded("`delay.until` must give an RFC 3339 time");
    }
}

static void a_resend_leaves_a_delay_alone(void **state)
{
    (void)state;
    given_started(SAGA(DELAY("rest", "'for':'1s'") "," BARE("b")));
    assert_int_equal(resend(), VERDICT_NOTHING);
    stage.now_ms += 5000; /* it was due while nobody looked */
    assert_int_equal(resend(), VERDICT_NOTHING);
    assert_sent("");
    assert_int_equal(later(0), VERDICT_APPLIED);
    assert_sent("b");
}

static void a_pause_does_not_stop_the_time_but_what_follows(void **state)
{
    (void)state;
    given_started(SAGA(DELAY("rest", "'for':'1s'") "," BARE("b")));
    operator_says("pause");
    due_in(1000);
    assert_step("rest", STEP_SUCCEEDED);
    assert_sent("");
    operator_says("resume");
    assert_sent("b");
}

static void a_turn_drops_what_only_waits(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," DELAY("rest", "'for':'1h'") "," SIGNAL("ask", GO)));
    success("a");
    operator_says("cancel");
    assert_history(
        "operator.command, saga.cancel_requested, saga.compensating, "
        "step.skipped rest, step.dispatched undo a");
    success("a");
    assert_saga(SAGA_COMPENSATED);
    assert_step("ask", STEP_SKIPPED);
}

static void a_wait_that_is_over_has_nothing_to_undo(void **state)
{
    (void)state;
    given_started(SAGA(DELAY("rest", "'for':'1s'") "," BARE("b")));
    later(1000);
    failure("b", "no");
    assert_saga(SAGA_COMPENSATED);
    assert_step("rest", STEP_COMPENSATED);
}

static void a_compensation_of_a_wait_is_sent_like_any_other(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'ask','signal':{" GO "},'compensation':{'topic':'u',"
                       "'input':'${output}'}}," BARE("b")));
    go(0, "{\"by\":  \"ann\"}");
    failure("b", "no");
    assert_sent("undo ask");
    assert_true(bytes_equal_text(stage.decision.commands[0].value, "{\"by\":  \"ann\"}"));
    assert_int_equal(resend(), VERDICT_NOTHING);
    assert_sent("undo ask");
    success("ask");
    assert_saga(SAGA_COMPENSATED);
}

static void an_operator_ends_a_wait(void **state)
{
    (void)state;
    given_started(SAGA(DELAY("rest", "'for':'1h'") "," SIGNAL("ask", GO)));
    assert_int_equal(operator_says_of("skip", "rest"), VERDICT_ILLEGAL);
    assert_why_names("complete, fail");
    operator_says_of("complete", "rest");
    assert_step("rest", STEP_SUCCEEDED);
    operator_says_of("fail", "ask");
    assert_step("ask", STEP_FAILED);
    assert_saga(SAGA_COMPENSATED);
}

static void a_wait_as_the_pivot_holds_back_no_cancel(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'ask','pivot':true,'signal':{" GO "}}," BARE("b")));
    operator_says("cancel");
    assert_saga(SAGA_COMPENSATED);
    given_started(SAGA("{'id':'ask','pivot':true,'signal':{" GO "}}," BARE("b")));
    go(0, NULL);
    assert_int_equal(operator_says("cancel"), VERDICT_ILLEGAL);
}

static void a_reply_to_a_wait_is_illegal(void **state)
{
    (void)state;
    given_started(SAGA(DELAY("rest", "'for':'1h'")));
    assert_int_equal(success("rest"), VERDICT_ILLEGAL);
    assert_step("rest", STEP_DISPATCHED);
}

static void terminate_drops_a_wait(void **state)
{
    (void)state;
    given_started(SAGA(SIGNAL("ask", GO)));
    operator_says("terminate");
    assert_saga(SAGA_TERMINATED);
    assert_step("ask", STEP_SKIPPED);
}

/* ---- signals ---- */

static void a_signal_ends_the_wait_for_it(void **state)
{
    (void)state;
    given_started(SAGA(SIGNAL("ask", GO) "," BARE("b")));
    assert_int_equal(saga_next_due_ms(stage.saga), 0);
    assert_int_equal(go(1, "{\"ok\": 1.50}"), VERDICT_APPLIED);
    assert_history("step.signal_received ask, step.succeeded ask, step.dispatched b");
    assert_recorded("'actor':'key:shop','detail':{'name':'go','key':'k'}");
    assert_output("ask", "{\"ok\": 1.50}");
    assert_true(bytes_equal_text(stage.decision.payload, "{\"ok\": 1.50}"));
    assert_int_equal(run_of("ask")->output_seq, stage.decision.history_first_seq);
}

static void a_signal_before_its_wait_is_kept_over_a_restart(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," SIGNAL("ask", GO) "," BARE("b")));
    assert_int_equal(go(1, "\"first\""), VERDICT_APPLIED);
    assert_history("step.signal_received");
    const uint32_t seq = stage.decision.history_first_seq;
    load_again(seq, "\"first\"");
    success("a");
    assert_history("step.succeeded a, step.dispatched ask, step.succeeded ask, step.dispatched b");
    assert_output("ask", "\"first\"");
    assert_null(stage.decision.payload.data);
    assert_int_equal(run_of("ask")->output_seq, seq);
    load_again(seq, "\"first\"");
    assert_output("ask", "\"first\"");
}

static void the_oldest_signal_and_the_first_wait_come_first(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," SIGNAL("one", GO) "," SIGNAL("two", GO)));
    go(1, "1");
    signal_named("go", 0, "2");
    success("a");
    assert_output("one", "1");
    assert_output("two", "2");
    assert_saga(SAGA_SUCCEEDED);

    given_started_with(SAGA("{'id':'each'," EACH "'signal':{" GO "}}"), "[1,2]");
    go(0, "1");
    assert_step("each[0]", STEP_SUCCEEDED);
    go(0, "2");
    assert_output("each[1]", "2");
    assert_saga(SAGA_SUCCEEDED);
}

static void a_key_counts_once_also_after_it_was_taken(void **state)
{
    (void)state;
    given_started(SAGA(SIGNAL("one", GO) "," SIGNAL("two", GO) "," BARE("b")));
    assert_int_equal(go(7, "1"), VERDICT_APPLIED);
    assert_int_equal(go(7, "1"), VERDICT_DUPLICATE);
    load_again(0, NULL);
    assert_int_equal(go(7, "other"), VERDICT_DUPLICATE);
    assert_history("");
    assert_step("two", STEP_DISPATCHED);
    assert_int_equal(go(8, NULL), VERDICT_APPLIED);
    assert_output("two", NULL);
    success("b");
    assert_int_equal(go(8, NULL), VERDICT_DUPLICATE);
}

static void a_name_that_no_step_waits_for_is_unknown(void **state)
{
    (void)state;
    given_started(SAGA(SIGNAL("ask", GO)));
    assert_int_equal(signal_named("halt", 1, NULL), VERDICT_UNKNOWN);
    assert_history("");
}

static void who_takes_no_signal_says_why(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," SIGNAL("ask", GO)));
    operator_says("cancel");
    assert_int_equal(go(1, NULL), VERDICT_ILLEGAL);
    assert_why_names("compensating");
    success("a");
    success("a");
    assert_int_equal(go(1, NULL), VERDICT_ILLEGAL);
    assert_why_names("compensated");
}

static void pending_paused_and_stuck_sagas_keep_signals(void **state)
{
    (void)state;
    given(SAGA(SIGNAL("ask", GO)));
    stage.saga->start_at_ms = START_MS + 1000;
    when_started();
    assert_int_equal(go(1, "1"), VERDICT_APPLIED);
    due_in(1000);
    assert_saga(SAGA_SUCCEEDED);

    given_started(SAGA(STEP("a") "," SIGNAL("ask", GO)));
    operator_says("pause");
    assert_int_equal(go(1, "1"), VERDICT_APPLIED);
    success("a");
    operator_says("resume");
    assert_saga(SAGA_SUCCEEDED);

    given_started(
        SAGA("{'id':'p','pivot':true,'action':{'topic':'p'}}," BARE("b") "," SIGNAL("ask", GO)));
    success("p");
    for (int i = 0; i < 3; i++) {
        later(60000);
        later(60000);
    }
    assert_saga(SAGA_STUCK);
    assert_int_equal(go(1, "1"), VERDICT_APPLIED);
    operator_says_of("complete", "b");
    assert_saga(SAGA_SUCCEEDED);
}

static void a_signal_that_does_not_come_fails_the_step_or_lets_it_go_on(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," SIGNAL("ask", GO ",'timeout':'1h'")));
    success("a");
    due_in(3600000);
    assert_error("timeout", "ask");
    assert_saga(SAGA_COMPENSATING);
    assert_step("ask", STEP_FAILED);

    given_started(SAGA(SIGNAL("ask", GO ",'timeout':'1h','on_timeout':'continue'") "," BARE("b")));
    due_in(3600000);
    assert_sent("b");
    assert_output("ask", NULL);
    assert_int_equal(go(1, "1"), VERDICT_APPLIED); /* too late for the step, and kept */
}

static void a_failed_wait_begins_anew(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'ask','on_failure':'pause','signal':{" GO ",'timeout':'1h'}}"));
    later(3600000);
    assert_true(stage.saga->paused);
    assert_int_equal(
        when((struct event){
            .kind = EVENT_STEP_RETRY, .step = 0, .index = INDEX_NONE, .payload = BYTES("{}")}),
        VERDICT_ILLEGAL);
    assert_why_names("only waits");
    operator_says("resume");
    assert_step("ask", STEP_DISPATCHED);
    assert_int_equal(stage.saga->attention, 0);
    assert_int_equal(run_of("ask")->attempt, 2);
    due_in(3600000);
    go(1, "1");
    operator_says("resume");
    assert_saga(SAGA_SUCCEEDED);
}

static void a_refused_item_does_not_wait_for_signals_of_the_others(void **state)
{
    (void)state;
    given_started_with(SAGA("{'id':'each'," EACH "'signal':{" GO "}}"), "[1,2]");
    operator_says_of("fail", "each[0]");
    assert_saga(SAGA_COMPENSATED);
    assert_step("each[1]", STEP_SKIPPED);
}

static void a_saga_remembers_a_thousand_signals(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," SIGNAL("ask", GO)));
    for (int i = 0; i < SIGNALS_MAX; i++) {
        assert_int_equal(go(0, "1"), VERDICT_APPLIED);
    }
    assert_int_equal(go(0, "1"), VERDICT_ILLEGAL);
    assert_why_names("1000 signals");
    load_again(0, NULL);
    assert_int_equal(stage.saga->signal_count, SIGNALS_MAX);
    success("a");
    assert_saga(SAGA_SUCCEEDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_delay_is_over_in_its_time_and_gives_null),
        TEST(a_delay_takes_its_time_from_an_expression),
        TEST(a_delay_until_the_past_is_over_at_once),
        TEST(each_item_of_a_foreach_waits_by_itself),
        TEST(what_gives_no_time_fails_the_step),
        TEST(a_resend_leaves_a_delay_alone),
        TEST(a_pause_does_not_stop_the_time_but_what_follows),
        TEST(a_turn_drops_what_only_waits),
        TEST(a_wait_that_is_over_has_nothing_to_undo),
        TEST(a_compensation_of_a_wait_is_sent_like_any_other),
        TEST(an_operator_ends_a_wait),
        TEST(a_wait_as_the_pivot_holds_back_no_cancel),
        TEST(a_reply_to_a_wait_is_illegal),
        TEST(terminate_drops_a_wait),
        TEST(a_signal_ends_the_wait_for_it),
        TEST(a_signal_before_its_wait_is_kept_over_a_restart),
        TEST(the_oldest_signal_and_the_first_wait_come_first),
        TEST(a_key_counts_once_also_after_it_was_taken),
        TEST(a_name_that_no_step_waits_for_is_unknown),
        TEST(who_takes_no_signal_says_why),
        TEST(pending_paused_and_stuck_sagas_keep_signals),
        TEST(a_signal_that_does_not_come_fails_the_step_or_lets_it_go_on),
        TEST(a_failed_wait_begins_anew),
        TEST(a_refused_item_does_not_wait_for_signals_of_the_others),
        TEST(a_saga_remembers_a_thousand_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
