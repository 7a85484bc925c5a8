/* One step for many items: rule 13 and the contracts' page on foreach. */
#include "test_machine_support.h"

#include <stdio.h>

#define LAST "{'id':'last','action':{'topic':'t','input':'${steps.each.output}'}}"

static void one_command_an_item_and_outputs_in_their_order(void **state)
{
    (void)state;
    given_started_with(
        SAGA("{'id':'each','foreach':{'in':'${input}','as':'line'},'action':{'topic':'t',"
             "'input':{'sku':'${line.sku}','n':'${index}'}},'compensation':{'topic':'u'}}," LAST),
        "[{'sku':'x'},{'sku':'y'},{'sku':1.0}]");
    assert_sent("each[0], each[1], each[2]");
    assert_true(bytes_equal_text(stage.decision.commands[2].value, "{\"sku\":1.0,\"n\":2}"));

    success_with("each[2]", "{'got': 3}");
    success("each[0]");
    success_with("each[1]", "'b'");

    assert_sent("last");
    assert_true(bytes_equal_text(stage.decision.commands[0].value, "[null,\"b\",{\"got\": 3}]"));
}

static void concurrency_is_kept_and_places_are_freed_in_order(void **state)
{
    (void)state;
    given_started_with(SAGA("{'id':'each','foreach':{'in':'${input}','concurrency':2},'action':"
                            "{'topic':'t'}}"),
                       "[0,1,2,3]");
    assert_sent("each[0], each[1]");
    assert_step("each[2]", STEP_READY);
    success("each[1]");
    assert_sent("each[2]");
    retry("each[0]", "busy");
    assert_sent("");
    success("each[2]");
    assert_sent("each[3]");
    success("each[3]");
    due_in(100);
    assert_sent("each[0]");
    success("each[0]");
    assert_saga(SAGA_SUCCEEDED);
}

static void nothing_to_do_is_done_at_once(void **state)
{
    (void)state;
    static const char *const EMPTY[] = {"{'in':[]}", "{'in':null}", "{}"};
    for (size_t i = 0; i < sizeof(EMPTY) / sizeof(EMPTY[0]); i++) {
        given_started_with(
            SAGA("{'id':'each','foreach':{'in':'${input.in}'},'action':{'topic':'t'},"
                 "'compensation':{'topic':'u'}}," LAST),
            EMPTY[i]);
        assert_sent("last");
        assert_recorded(
            "{'type':'step.succeeded','step':'each','op':'action','detail':{'items':0}}");
        assert_true(bytes_equal_text(stage.decision.commands[0].value, "[]"));
        assert_int_equal(stage.saga->steps[0].count, 0);
        assert_step("each", STEP_SUCCEEDED);
        failure("last", "no");
        assert_saga(SAGA_COMPENSATED);
    }
}

static void no_list_fails_the_step_without_sending(void **state)
{
    (void)state;
    given_started_with(SAGA(BARE_AND("each", EACH)), "{'a':1}");
    assert_sent("");
    assert_saga(SAGA_COMPENSATED);
    assert_error("expression_error", "each");
}

static void too_many_items_fail_the_step_without_sending(void **state)
{
    (void)state;
    static char many[8 * 1024] = "[";
    for (size_t i = 0; i <= FOREACH_ITEMS_MAX; i++) {
        (void)snprintf(many + strlen(many), sizeof(many) - strlen(many), i == 0 ? "0" : ",0");
    }
    (void)snprintf(many + strlen(many), sizeof(many) - strlen(many), "]");

    given_started_with(SAGA(BARE_AND("each", EACH)), many);

    assert_error("too_many_items", "each");
    assert_saga(SAGA_COMPENSATED);
    given_started_with(SAGA("{'id':'each','foreach':{'in':'${input}','max_items':2},'action':"
                            "{'topic':'t'}}"),
                       "[1,2,3]");
    assert_error("too_many_items", "each");
    assert_string_equal(run_of("each")->error.detail.data,
                        "`foreach.in` has 3 items, at most 2 are allowed");
}

static void a_thousand_items_are_no_trouble(void **state)
{
    (void)state;
    static char many[8 * 1024] = "[0";
    for (size_t i = 1; i < FOREACH_ITEMS_MAX; i++) {
        (void)snprintf(many + strlen(many), sizeof(many) - strlen(many), ",%zu", i % 10);
    }
    (void)snprintf(many + strlen(many), sizeof(many) - strlen(many), "]");
    given_started_with(
        SAGA("{'id':'each','foreach':{'in':'${input}'},'action':{'topic':'t','input':"
             "'${item}'},'compensation':{'topic':'u'}}," LAST),
        many);
    assert_int_equal(stage.decision.command_count, FOREACH_ITEMS_MAX);
    assert_true(bytes_equal_text(stage.decision.commands[999].value, "9"));
    for (int i = 0; i < FOREACH_ITEMS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "each[%d]", i);
        success_with(name, "1");
    }
    assert_sent("last");
    assert_int_equal(stage.decision.commands[0].value.size, 2001);
}

static void a_refused_item_fails_the_step_after_the_outstanding_ones(void **state)
{
    (void)state;
    given_started_with(SAGA("{'id':'each','foreach':{'in':'${input}','concurrency':3},'action':"
                            "{'topic':'t'},'compensation':{'topic':'u'}}," BARE("b")),
                       "[0,1,2,3]");
    success("each[0]");
    assert_sent("each[3]");

    failure("each[1]", "out_of_stock");
    assert_saga(SAGA_RUNNING);
    assert_sent("");
    success("each[2]");
    assert_saga(SAGA_RUNNING);
    success("each[3]");

    assert_sent("undo each[3], undo each[2], undo each[0]");
    assert_error("out_of_stock", "each");
    assert_step("each[1]", STEP_FAILED);
}

static void no_item_is_sent_or_retried_once_one_was_refused(void **state)
{
    (void)state;
    given_started_with(SAGA("{'id':'each','foreach':{'in':'${input}','concurrency':3},'action':"
                            "{'topic':'t'},'compensation':{'topic':'u'}}," BARE("b")),
                       "[0,1,2,3,4]");
    retry("each[0]", "busy");
    failure("each[1]", "no");
    assert_history("step.failed each[1], step.failed each[0]");
    retry("each[2]", "busy");
    assert_history("step.failed each[2], saga.compensating, saga.compensated");
    assert_step("each[3]", STEP_SKIPPED);
    assert_step("each[4]", STEP_SKIPPED);
}

static void an_unknown_item_is_undone_with_the_finished_ones(void **state)
{
    (void)state;
    given_started_with(
        SAGA("{'id':'each','foreach':{'in':'${input}'},'action':{'topic':'t','retry':"
             "{'max_attempts':1}},'compensation':{'topic':'u'}}," BARE("b")),
        "[0,1]");
    success("each[0]");
    due_in(10000);
    assert_sent("undo each[1], undo each[0]");
}

static void the_undo_keeps_the_concurrency(void **state)
{
    (void)state;
    given_started_with(
        SAGA("{'id':'each','foreach':{'in':'${input}','concurrency':1},'action':"
             "{'topic':'t'},'compensation':{'topic':'u','input':['${item}','${index}',"
             "'${output}']}}," BARE("b")),
        "['x','y']");
    success_with("each[0]", "1");
    success_with("each[1]", "2");
    failure("b", "no");
    assert_sent("undo each[1]");
    assert_true(bytes_equal_text(stage.decision.commands[0].value, "[\"y\",1,2]"));
    success("each[1]");
    assert_sent("undo each[0]");
    success("each[0]");
    assert_saga(SAGA_COMPENSATED);
}

static void an_ignored_item_skips_the_unsent_ones_and_the_output_is_null(void **state)
{
    (void)state;
    given_started_with(SAGA("{'id':'each','foreach':{'in':'${input}','concurrency':1},'on_failure':"
                            "'ignore','action':{'topic':'t'},'compensation':null}," LAST),
                       "[0,1,2]");
    success_with("each[0]", "1");
    failure("each[1]", "no");

    assert_history("step.failed each[1], step.skipped each, step.dispatched last");
    assert_recorded("'items':1");
    assert_true(bytes_equal_text(stage.decision.commands[0].value, "null"));
    assert_step("each[2]", STEP_SKIPPED);
}

static void a_pause_sends_the_failed_items_again_and_then_the_rest(void **state)
{
    (void)state;
    given_started_with(SAGA("{'id':'each','foreach':{'in':'${input}','concurrency':1},'on_failure':"
                            "'pause','action':{'topic':'t'}}"),
                       "[0,1,2]");
    success("each[0]");
    failure("each[1]", "no");
    assert_true(stage.saga->paused);
    operator_says("resume");
    assert_sent("each[1]");
    success("each[1]");
    assert_sent("each[2]");
    success("each[2]");
    assert_saga(SAGA_SUCCEEDED);
}

static void an_item_that_an_operator_skips_has_a_null_in_its_place(void **state)
{
    (void)state;
    given_started_with(SAGA("{'id':'each','foreach':{'in':'${input}','concurrency':1},'action':"
                            "{'topic':'t'},'compensation':{'topic':'u'}}," LAST),
                       "[0,1]");
    when((struct event){.kind = EVENT_STEP_SKIP, .step = 0, .index = 1});
    success_with("each[0]", "5");
    assert_true(bytes_equal_text(stage.decision.commands[0].value, "[5,null]"));
}

static void replies_of_items_that_there_are_not_are_unknown(void **state)
{
    (void)state;
    given_started_with(SAGA(BARE_AND("each", EACH)), "[0,1]");
    static const int32_t WRONG[] = {INDEX_NONE, 2, 1000, -2};
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        const struct event event = {.kind = EVENT_REPLY, .index = WRONG[i], .attempt = 1};
        assert_int_equal(when(event), VERDICT_UNKNOWN);
        assert_history("");
    }
    given_started(SAGA(BARE("a")));
    assert_int_equal(when((struct event){.kind = EVENT_REPLY, .index = 0, .attempt = 1}),
                     VERDICT_UNKNOWN);
    assert_int_equal(
        when((struct event){.kind = EVENT_REPLY, .step = 1, .index = INDEX_NONE, .attempt = 1}),
        VERDICT_UNKNOWN);
    assert_int_equal(
        when((struct event){.kind = EVENT_REPLY, .step = -1, .index = INDEX_NONE, .attempt = 1}),
        VERDICT_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_command_an_item_and_outputs_in_their_order),
        TEST(concurrency_is_kept_and_places_are_freed_in_order),
        TEST(nothing_to_do_is_done_at_once),
        TEST(no_list_fails_the_step_without_sending),
        TEST(too_many_items_fail_the_step_without_sending),
        TEST(a_thousand_items_are_no_trouble),
        TEST(a_refused_item_fails_the_step_after_the_outstanding_ones),
        TEST(no_item_is_sent_or_retried_once_one_was_refused),
        TEST(an_unknown_item_is_undone_with_the_finished_ones),
        TEST(the_undo_keeps_the_concurrency),
        TEST(an_ignored_item_skips_the_unsent_ones_and_the_output_is_null),
        TEST(a_pause_sends_the_failed_items_again_and_then_the_rest),
        TEST(an_item_that_an_operator_skips_has_a_null_in_its_place),
        TEST(replies_of_items_that_there_are_not_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
