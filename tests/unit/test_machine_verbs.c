/* Every verb in every state: the table of rules.md, cell by cell. */
#include "test_machine_support.h"

#include <stdio.h>

/* ---- sagas in every state ---- */

static void not_started(void)
{
    given(SAGA(STEP("a")));
    stage.saga->start_at_ms = START_MS + 1000;
    when_started();
}

static void running(void)
{
    given_started(SAGA(STEP("a") "," BARE("b")));
}

static void past_pivot(void)
{
    given_started(SAGA("{'id':'p','pivot':true,'action':{'topic':'p'}}," BARE("b")));
    success("p");
}

static void compensating(void)
{
    running();
    success("a");
    failure("b", "no");
}

static void stuck(void)
{
    compensating();
    failure("a", "cannot");
}

static void succeeded(void)
{
    running();
    success("a");
    success("b");
}

static void compensated(void)
{
    compensating();
    success("a");
}

static void terminated(void)
{
    running();
    operator_says("terminate");
}

static void paused(void (*before)(void))
{
    before();
    assert_int_equal(operator_says("pause"), VERDICT_APPLIED);
}

static void not_started_paused(void)
{
    paused(not_started);
}

static void running_paused(void)
{
    paused(running);
}

static void past_pivot_paused(void)
{
    paused(past_pivot);
}

static void compensating_paused(void)
{
    paused(compensating);
}

static void stuck_paused(void)
{
    compensating_paused();
    failure("a", "cannot");
    assert_saga(SAGA_STUCK);
}

enum { SAGA_VERBS = 5 };
static const char *const VERBS[SAGA_VERBS] = {"cancel", "pause", "resume", "retry", "terminate"};

static const struct {
    void (*given)(void);
    const char *allowed; /* as a refusal lists them */
} SAGAS[] = {
    {not_started,         "cancel, pause, terminate" },
    {not_started_paused,  "cancel, resume, terminate"},
    {running,             "cancel, pause, terminate" },
    {running_paused,      "cancel, resume, terminate"},
    {past_pivot,          "pause, terminate"         },
    {past_pivot_paused,   "resume, terminate"        },
    {compensating,        "pause, terminate"         },
    {compensating_paused, "resume, terminate"        },
    {stuck,               "retry, terminate"         },
    {stuck_paused,        "resume, retry, terminate" },
    {succeeded,           "nothing"                  },
    {compensated,         "nothing"                  },
    {terminated,          "nothing"                  },
};

static void every_verb_on_a_saga_in_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(SAGAS) / sizeof(SAGAS[0]); i++) {
        for (size_t k = 0; k < SAGA_VERBS; k++) {
            SAGAS[i].given();
            const bool allowed = strstr(SAGAS[i].allowed, VERBS[k]) != NULL;
            const enum verdict verdict = operator_says(VERBS[k]);
            if ((verdict == VERDICT_APPLIED) != allowed) {
                fail_msg("saga %zu, %s: %s", i, VERBS[k], verdict_name(verdict));
            }
            if (allowed) {
                assert_recorded("{'type':'operator.command','actor':'key:ops','detail':{'verb':'");
                continue;
            }
            char listed[80];
            (void)snprintf(listed, sizeof(listed), "Allowed now: %s.", SAGAS[i].allowed);
            assert_why_names(listed);
            assert_history("");
        }
    }
}

static void nothing_is_allowed_before_the_start(void **state)
{
    (void)state;
    given(SAGA(STEP("a")));
    assert_int_equal(operator_says("cancel"), VERDICT_ILLEGAL);
    assert_int_equal(operator_says_of("skip", "a"), VERDICT_ILLEGAL);
    assert_int_equal(later(1000), VERDICT_NOTHING);
}

/* ---- steps in every state; the verbs are tried on `a` ---- */

static void waiting(void)
{
    given_started(SAGA(STEP_AND("before", "") "," STEP("a") "," BARE("c")));
}

static void ready(void)
{
    waiting();
    operator_says("pause");
    success("before");
    assert_step("a", STEP_READY);
}

static void retrying(void)
{
    running();
    retry("a", "busy");
}

static void done(void)
{
    running();
    success("a");
}

static void failed_and_undone(void)
{
    given_started(SAGA(STEP("x") "," STEP("a")));
    success("x");
    failure("a", "no");
}

static void failed_and_paused(void)
{
    given_started(SAGA(STEP_AND("a", "'on_failure':'pause',") "," BARE("b")));
    failure("a", "no");
}

static void unknown_and_paused(void)
{
    given_started(
        SAGA("{'id':'a','on_failure':'pause','action':{'topic':'t','retry':"
             "{'max_attempts':1}},'compensation':null}," BARE("b")));
    due_in(10000);
}

static void failed_and_stuck(void)
{
    given_started(
        SAGA("{'id':'p','pivot':true,'action':{'topic':'p'}},{'id':'a','action':{'topic':"
             "'t','retry':{'max_attempts':1}}}," BARE("b")));
    success("p");
    failure("a", "no");
}

static void unknown_and_stuck(void)
{
    given_started(SAGA(
        "{'id':'a','pivot':true,'action':{'topic':'t','retry':{'max_attempts':1}}}," BARE("b")));
    due_in(10000);
}

static void unknown_and_ignored(void)
{
    given_started(
        SAGA("{'id':'a','on_failure':'ignore','action':{'topic':'t','retry':"
             "{'max_attempts':1}},'compensation':null}," BARE("b")));
    due_in(10000);
}

static void skipped(void)
{
    given_started(SAGA(STEP_AND("a", "'when':'${input.x}',") "," BARE("b")));
}

static void undo_out(void)
{
    compensating();
}

static void undo_waiting(void)
{
    compensating();
    retry("a", "busy");
}

static void undo_waived(void)
{
    given_started(SAGA(STEP("x") "," STEP("a") "," BARE("b")));
    success("x");
    success("a");
    failure("b", "no");
    failure("a", "cannot");
    operator_says_of("skip", "a");
}

static void undone(void)
{
    given_started(SAGA(STEP("x") "," STEP("a") "," BARE("b")));
    success("x");
    success("a");
    failure("b", "no");
    success("a");
}

enum { STEP_VERBS = 4 };
static const char *const WORDS[STEP_VERBS] = {"retry", "skip", "complete", "fail"};

static const struct {
    void (*given)(void);
    enum step_state state;
    const char *allowed;
} STEPS[] = {
    {waiting,             STEP_WAITING,              "skip"                       },
    {ready,               STEP_READY,                "skip"                       },
    {running,             STEP_DISPATCHED,           "complete, fail"             },
    {retrying,            STEP_RETRYING,             "retry, skip, complete, fail"},
    {done,                STEP_SUCCEEDED,            "nothing"                    },
    {failed_and_undone,   STEP_FAILED,               "nothing"                    },
    {failed_and_paused,   STEP_FAILED,               "retry, skip, complete"      },
    {unknown_and_paused,  STEP_UNKNOWN,              "retry, skip, complete"      },
    {failed_and_stuck,    STEP_FAILED,               "retry, skip, complete"      },
    {unknown_and_stuck,   STEP_UNKNOWN,              "retry, complete"            },
    {unknown_and_ignored, STEP_UNKNOWN,              "nothing"                    },
    {skipped,             STEP_SKIPPED,              "nothing"                    },
    {undo_out,            STEP_COMPENSATING,         "nothing"                    },
    {undo_waiting,        STEP_COMPENSATING,         "retry"                      },
    {stuck,               STEP_COMPENSATION_FAILED,  "retry, skip"                },
    {undo_waived,         STEP_COMPENSATION_SKIPPED, "nothing"                    },
    {undone,              STEP_COMPENSATED,          "nothing"                    },
    {succeeded,           STEP_SUCCEEDED,            "nothing"                    },
    {terminated,          STEP_UNKNOWN,              "nothing"                    },
};

static void every_verb_on_a_step_in_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(STEPS) / sizeof(STEPS[0]); i++) {
        for (size_t k = 0; k < STEP_VERBS; k++) {
            STEPS[i].given();
            assert_step("a", STEPS[i].state);
            const bool allowed = strstr(STEPS[i].allowed, WORDS[k]) != NULL;
            const enum verdict verdict = operator_says_of(WORDS[k], "a");
            if ((verdict == VERDICT_APPLIED) != allowed) {
                fail_msg("step %zu, %s: %s", i, WORDS[k], verdict_name(verdict));
            }
            if (allowed) continue;
            char listed[80];
            (void)snprintf(listed, sizeof(listed), "Allowed now: %s.", STEPS[i].allowed);
            assert_why_names(listed);
        }
    }
}

/* ---- what they do ---- */

static void retry_sends_at_once_and_keeps_the_counters(void **state)
{
    (void)state;
    retrying();
    operator_says_of("retry", "a");
    assert_sent("a");
    assert_int_equal(run_of("a")->attempt, 2);
    assert_int_equal(run_of("a")->uncounted, 0);
    retry("a", "busy");
    due_in(200);
}

static void retry_sends_at_once_even_while_paused(void **state)
{
    (void)state;
    retrying();
    operator_says("pause");
    operator_says_of("retry", "a");
    assert_sent("a");
    assert_true(stage.saga->paused);
}

static void a_skipped_step_may_be_given_an_output(void **state)
{
    (void)state;
    given_started(SAGA(STEP("x") "," STEP("a") ",{'id':'b','action':{'topic':'t','input':"
                                               "'${steps.a.output.by}'}}"));
    operator_says_of("skip", "a");
    assert_step("a", STEP_SKIPPED);
    assert_sent("");
    success("x");
    assert_sent("b");
    assert_true(bytes_equal_text(stage.decision.commands[0].value, "\"hand\""));
}

static void complete_takes_the_output_and_later_replies_are_known(void **state)
{
    (void)state;
    running();
    operator_says_of("complete", "a");
    assert_history("operator.command a, step.succeeded a, step.dispatched b");
    assert_true(bytes_equal_text(stage.decision.payload, "{\"by\":\"hand\"}"));
    assert_int_equal(success("a"), VERDICT_DUPLICATE);
    assert_int_equal(failure("a", "no"), VERDICT_LATE);
}

static void fail_refuses_with_the_code_that_is_given(void **state)
{
    (void)state;
    running();
    when((struct event){.kind = EVENT_STEP_FAIL,
                        .index = INDEX_NONE,
                        .code = BYTES("fraud"),
                        .reason = BYTES("seen by hand")});
    assert_error("fraud", "a");
    assert_true(bytes_equal_text(stage.saga->error.detail, "seen by hand"));
    assert_saga(SAGA_COMPENSATED);
}

static void fail_past_the_pivot_is_final(void **state)
{
    (void)state;
    past_pivot();
    operator_says_of("fail", "b");
    assert_saga(SAGA_STUCK);
}

static void terminate_ends_everything_without_an_undo(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP_AND("b", "'depends_on':['a'],") "," STEP_AND(
        "c", "'depends_on':['a'],") "," STEP("d")));
    success("a");
    retry("c", "busy");

    operator_says("terminate");

    assert_sent("");
    assert_saga(SAGA_TERMINATED);
    assert_error("terminated", NULL);
    assert_step("a", STEP_SUCCEEDED);
    assert_step("b", STEP_UNKNOWN);
    assert_step("c", STEP_FAILED);
    assert_step("d", STEP_SKIPPED);
    assert_int_equal(saga_next_due_ms(stage.saga), 0);
    assert_int_equal(success("b"), VERDICT_LATE);
}

static void terminate_ends_an_undo(void **state)
{
    (void)state;
    compensating();
    operator_says("terminate");
    assert_step("a", STEP_COMPENSATION_FAILED);
    assert_error("no", "b");
}

static void a_verb_on_a_foreach_names_an_item(void **state)
{
    (void)state;
    given_started_with(SAGA(BARE_AND("a", EACH)), "[1,2]");
    assert_int_equal(operator_says_of("complete", "a"), VERDICT_UNKNOWN);
    assert_int_equal(operator_says_of("complete", "a[2]"), VERDICT_UNKNOWN);
    assert_int_equal(operator_says_of("complete", "a[1]"), VERDICT_APPLIED);
}

static void one_of_many_stuck_items_is_retried_alone(void **state)
{
    (void)state;
    given_started_with(
        SAGA("{'id':'p','pivot':true,'action':{'topic':'p'}},{'id':'a','foreach':{'in':"
             "'${input}'},'action':{'topic':'t','retry':{'max_attempts':1}}}"),
        "[0,1]");
    success("p");
    failure("a[0]", "no");
    failure("a[1]", "no");
    assert_saga(SAGA_STUCK);

    operator_says_of("retry", "a[0]");
    assert_sent("a[0]");
    assert_saga(SAGA_STUCK);
    success("a[0]");
    assert_saga(SAGA_STUCK);
    operator_says_of("skip", "a[1]");
    assert_saga(SAGA_SUCCEEDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_verb_on_a_saga_in_every_state),
        TEST(nothing_is_allowed_before_the_start),
        TEST(every_verb_on_a_step_in_every_state),
        TEST(retry_sends_at_once_and_keeps_the_counters),
        TEST(retry_sends_at_once_even_while_paused),
        TEST(a_skipped_step_may_be_given_an_output),
        TEST(complete_takes_the_output_and_later_replies_are_known),
        TEST(fail_refuses_with_the_code_that_is_given),
        TEST(fail_past_the_pivot_is_final),
        TEST(terminate_ends_everything_without_an_undo),
        TEST(terminate_ends_an_undo),
        TEST(a_verb_on_a_foreach_names_an_item),
        TEST(one_of_many_stuck_items_is_retried_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
