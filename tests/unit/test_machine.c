/* A saga that goes well, and one that is refused: the shape of every decision. */
#include "test_machine_support.h"

static void a_saga_that_goes_well_sends_its_steps_one_after_the_other(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE("b")));
    assert_saga(SAGA_RUNNING);
    assert_sent("a");
    assert_history("saga.created, saga.started, step.dispatched a");

    assert_int_equal(success_with("a", "{'n':0.10}"), VERDICT_APPLIED);
    assert_sent("b");
    assert_history("step.succeeded a, step.dispatched b");
    assert_true(bytes_equal_text(stage.decision.payload, "{\"n\":0.10}"));
    assert_int_equal(run_of("a")->output_seq, stage.decision.history_first_seq);

    assert_int_equal(success("b"), VERDICT_APPLIED);
    assert_sent("");
    assert_history("step.succeeded b, saga.succeeded");
    assert_saga(SAGA_SUCCEEDED);
    assert_int_equal(saga_next_due_ms(stage.saga), 0);
}

static void a_refusal_undoes_the_steps_before_it_in_reverse(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP("b") "," BARE("c")));
    success("a");
    success("b");

    failure("c", "card_declined");

    assert_saga(SAGA_COMPENSATING);
    assert_sent("undo b");
    assert_history("step.failed c, saga.compensating, step.dispatched undo b");
    assert_error("card_declined", "c");

    success("b");
    assert_sent("undo a");
    success("a");
    assert_history("step.succeeded undo a, saga.compensated");
    assert_saga(SAGA_COMPENSATED);
    assert_error("card_declined", "c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_saga_that_goes_well_sends_its_steps_one_after_the_other,
                                  leave_stage),
        cmocka_unit_test_teardown(a_refusal_undoes_the_steps_before_it_in_reverse, leave_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
