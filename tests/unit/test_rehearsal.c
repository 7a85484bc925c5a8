/* What a rehearsal finds: every end, in which order commands go, and effects that are left. */
#include "sagas/rehearsal/rehearsal.h"

#include "tests/unit/test_machine_support.h"

static struct rehearsal rehearsal;

static void rehearsed_with(const char *definition, struct rehearsal_plan plan)
{
    struct expression_error error;
    given(definition);
    plan.now_ms = START_MS;
    assert_true(rehearse(stage.definition, &plan, &stage.memory, &rehearsal, &error));
}

static void explored(const char *definition)
{
    rehearsed_with(definition, (struct rehearsal_plan){.explore = true});
}

static size_t ends(const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < rehearsal.run_count; i++) {
        if (strcmp(rehearsal_end_name(&rehearsal.runs[i]), name) == 0) count++;
    }
    return count;
}

static const char *calls_of(const struct rehearsal_run *run)
{
    struct buffer text = buffer_in(&stage.memory);
    for (size_t i = 0; i < run->call_count; i++) {
        const struct rehearsal_call *const call = &run->calls[i];
        if (i > 0) buffer_add_char(&text, ' ');
        if (call->op == OP_COMPENSATE) buffer_add_char(&text, '-');
        if (call->op == OP_PROBE) buffer_add_char(&text, '?');
        buffer_add_bytes(&text, stage.definition->steps[call->step].id);
        if (call->attempts > 1) buffer_add_format(&text, "*%u", call->attempts);
    }
    return text.data;
}

static bool is_fault(const struct rehearsal_fault *fault, const char *step, enum op op,
                     enum fault_kind kind)
{
    return fault->step == definition_find_step(stage.definition, bytes_of(step)) &&
           fault->op == op && fault->kind == kind;
}

static const struct rehearsal_run *run_with(const char *step, enum fault_kind kind)
{
    for (size_t i = 0; i < rehearsal.run_count; i++) {
        const struct rehearsal_run *const run = &rehearsal.runs[i];
        if (run->fault_count == 1 && is_fault(&run->faults[0], step, OP_ACTION, kind)) return run;
    }
    fail_msg("no run has that fault");
    return NULL;
}

/* ... and the undo of another step fails too. */
static const struct rehearsal_run *run_with_undo(const char *step, enum fault_kind kind,
                                                 const char *undone, enum fault_kind undo_kind)
{
    for (size_t i = 0; i < rehearsal.run_count; i++) {
        const struct rehearsal_run *const run = &rehearsal.runs[i];
        if (run->fault_count == 2 && is_fault(&run->faults[0], step, OP_ACTION, kind) &&
            is_fault(&run->faults[1], undone, OP_COMPENSATE, undo_kind)) {
            return run;
        }
    }
    fail_msg("no run has these faults");
    return NULL;
}

static void the_run_without_faults_calls_each_step_in_order(void **state)
{
    (void)state;
    explored(SAGA(STEP("a") "," STEP("b") "," STEP("c")));
    assert_string_equal(calls_of(&rehearsal.runs[0]), "a b c");
    assert_string_equal(rehearsal_end_name(&rehearsal.runs[0]), "succeeded");
    assert_int_equal(rehearsal.problem_count, 0);
}

static void a_refusal_undoes_what_was_done_before_in_reverse_order(void **state)
{
    (void)state;
    explored(SAGA(STEP("a") "," STEP("b") "," STEP("c")));
    const struct rehearsal_run *const run = run_with("c", FAULT_REFUSAL);
    assert_string_equal(calls_of(run), "a b c -b -a");
    assert_string_equal(rehearsal_end_name(run), "compensated");
    assert_string_equal(run->error_code, "refused");
}

static void a_step_that_nobody_answers_is_tried_by_its_policy_and_undone_as_well(void **state)
{
    (void)state;
    explored(SAGA(STEP("a") "," STEP("b")));
    const struct rehearsal_run *const run = run_with("b", FAULT_NO_ANSWER);
    assert_string_equal(calls_of(run), "a b*3 -b -a");
    assert_string_equal(rehearsal_end_name(run), "compensated");
}

static void an_undo_that_is_refused_leaves_the_saga_stuck(void **state)
{
    (void)state;
    explored(SAGA(STEP("a") "," STEP("b")));
    const struct rehearsal_run *const run = run_with_undo("b", FAULT_REFUSAL, "a", FAULT_REFUSAL);
    assert_string_equal(rehearsal_end_name(run), "stuck");
    assert_true(ends("stuck") > 0 && ends("compensated") > 0 && ends("succeeded") == 1);
}

static void an_undo_that_is_given_up_leaves_an_effect_and_names_the_path(void **state)
{
    (void)state;
    explored(
        SAGA("{'id':'a','action':{'topic':'a'},"
             "'compensation':{'topic':'u','on_exhausted':'continue'}}," STEP("b")));
    const struct rehearsal_run *const run = run_with_undo("b", FAULT_REFUSAL, "a", FAULT_NO_EFFECT);
    assert_string_equal(rehearsal_end_name(run), "compensated");
    assert_non_null(run->problem.data);
    assert_true(bytes_equal_text(
        run->problem, "step a took effect, is not undone, and the saga ends all the same"));
    assert_true(rehearsal.problem_count > 0);
}

static void an_effect_is_not_left_on_the_word_that_there_is_nothing_to_undo(void **state)
{
    (void)state;
    rehearsed_with(
        SAGA("{'id':'a','effect':{'kind':'money','amount':'${input.total}','currency':'EUR'},"
             "'action':{'topic':'a'},'compensation':null}," STEP("b")),
        (struct rehearsal_plan){.explore = true, .input = BYTES("{\"total\":120.10}")});

    const struct rehearsal_run *const run = run_with("b", FAULT_REFUSAL);
    assert_string_equal(run->problem.data,
                        "step a (money 120.10 EUR) took effect, is not undone, "
                        "and the saga ends all the same");
    assert_null(rehearsal.runs[0].problem.data);
}

static void an_effect_that_is_ignored_unheard_is_a_problem(void **state)
{
    (void)state;
    explored(
        SAGA("{'id':'a','on_failure':'ignore','effect':{'kind':'mail'},'action':{'topic':'a'},"
             "'compensation':null}"));

    assert_string_equal(run_with("a", FAULT_NO_ANSWER)->problem.data,
                        "step a (mail) took effect, nobody knows it, and the saga succeeds");
    assert_null(run_with("a", FAULT_NO_EFFECT)->problem.data);
}

static void what_says_that_there_is_nothing_to_undo_is_no_problem(void **state)
{
    (void)state;
    explored(SAGA("{'id':'a','action':{'topic':'a'},'compensation':null}," STEP("b")));
    assert_string_equal(rehearsal_end_name(run_with("b", FAULT_REFUSAL)), "compensated");
    assert_int_equal(rehearsal.problem_count, 0);
}

static void past_the_pivot_nothing_is_undone(void **state)
{
    (void)state;
    explored(SAGA(STEP("a") "," BARE_AND("p", "'pivot':true,") "," BARE("c")));
    assert_string_equal(calls_of(run_with("c", FAULT_NO_EFFECT)), "a p c*3");
    assert_string_equal(rehearsal_end_name(run_with("c", FAULT_NO_EFFECT)), "stuck");
    assert_string_equal(rehearsal_end_name(run_with("p", FAULT_REFUSAL)), "compensated");
    assert_string_equal(rehearsal_end_name(run_with("p", FAULT_NO_ANSWER)), "stuck");
    assert_int_equal(rehearsal.problem_count, 0);
}

static void outputs_that_are_given_decide_which_steps_run(void **state)
{
    (void)state;
    const struct json_view *outputs = NULL;
    struct json_error error;
    struct arena arena = {0};
    assert_true(json_view_parse(BYTES("{\"a\":{\"score\":2}}"), &arena, &outputs, &error));
    rehearsed_with(SAGA(STEP("a") "," STEP_AND("b", "'when':'${steps.a.output.score > 1}',")),
                   (struct rehearsal_plan){.outputs = outputs});
    arena_done(&arena);
    assert_int_equal(rehearsal.run_count, 1);
    assert_string_equal(calls_of(&rehearsal.runs[0]), "a b");
}

static void the_first_item_of_a_foreach_fails_and_the_others_are_undone(void **state)
{
    (void)state;
    rehearsed_with(SAGA(STEP_AND("a", EACH)),
                   (struct rehearsal_plan){.explore = true, .input = BYTES("[1,2,3]")});
    const struct rehearsal_run *const run = run_with("a", FAULT_REFUSAL);
    assert_string_equal(calls_of(run), "a a a -a -a");
    assert_string_equal(rehearsal_end_name(run), "compensated");
}

static void a_start_that_is_refused_says_why(void **state)
{
    (void)state;
    struct expression_error error;
    given(SAGA_WITH("'attributes':{'n':'${input.n + 1}'},", STEP("a")));
    assert_false(rehearse(stage.definition, &(struct rehearsal_plan){.explore = true},
                          &stage.memory, &rehearsal, &error));
    assert_true(strlen(error.detail) > 0);
}

static void an_undo_that_is_tried_for_ever_is_seen_to_go_on(void **state)
{
    (void)state;
    explored(
        "{'name':'order','defaults':{'compensation_retry':{'max':'10s'}},"
        "'steps':[" STEP("a") "," STEP("b") "]}");
    const struct rehearsal_run *const run = run_with_undo("b", FAULT_REFUSAL, "a", FAULT_NO_EFFECT);
    assert_string_equal(rehearsal_end_name(run), "goes_on");
    assert_int_equal(rehearsal.problem_count, 0);
}

static void a_signal_comes_or_never_comes_and_a_delay_passes(void **state)
{
    (void)state;
    explored(SAGA(STEP("a") ",{'id':'w','signal':{'name':'go','timeout':'1h'}},"
                            "{'id':'d','delay':{'for':'30d'}}," STEP("b")));
    assert_string_equal(calls_of(&rehearsal.runs[0]), "a w b");
    assert_string_equal(rehearsal_end_name(&rehearsal.runs[0]), "succeeded");
    assert_string_equal(calls_of(run_with("w", FAULT_NO_EFFECT)), "a w -a");
    assert_int_equal(rehearsal.problem_count, 0);
}

static void a_probe_tells_whether_there_is_anything_to_undo(void **state)
{
    (void)state;
    explored(SAGA(STEP("a") ","
                            "{'id':'b','action':{'topic':'a'},'compensation':{'topic':'u'},"
                            "'on_unknown':'probe','probe':{'topic':'p'}}"));
    assert_string_equal(calls_of(run_with("b", FAULT_NO_ANSWER)), "a b*3 ?b");
    assert_string_equal(rehearsal_end_name(run_with("b", FAULT_NO_ANSWER)), "succeeded");
    assert_string_equal(calls_of(run_with("b", FAULT_NO_EFFECT)), "a b*3 ?b -a");
    assert_int_equal(rehearsal.problem_count, 0);
}

static void a_held_step_waits_for_an_operator(void **state)
{
    (void)state;
    explored(SAGA(STEP_AND("a", "'on_unknown':'hold',")));
    assert_string_equal(rehearsal_end_name(run_with("a", FAULT_NO_ANSWER)), "waits");
}

static void an_input_that_breaks_its_schema_is_refused_as_a_start_would_be(void **state)
{
    (void)state;
    struct expression_error error;
    given(SAGA_WITH("'input_schema':{'required':['total']},", STEP("a")));
    assert_false(rehearse(stage.definition, &(struct rehearsal_plan){.explore = true},
                          &stage.memory, &rehearsal, &error));
    assert_non_null(strstr(error.detail, "input/total"));
}

static void a_limit_of_events_ends_the_tour_and_says_so(void **state)
{
    (void)state;
    rehearsed_with(SAGA(STEP("a") "," STEP("b") "," STEP("c")),
                   (struct rehearsal_plan){.explore = true, .events_max = 20});
    assert_true(rehearsal.truncated);
}

static void the_result_is_json(void **state)
{
    (void)state;
    struct buffer json = buffer_in(&stage.memory);
    const struct json_view *view = NULL;
    struct json_error error;
    explored(SAGA(STEP("a") "," STEP("b")));
    buffer_cut(&json, 0);
    rehearsal_write(stage.definition, &rehearsal, &json);
    assert_true(json_view_parse(buffer_bytes(&json), &stage.memory, &view, &error));
    assert_int_equal(json_view_member(view, "runs")->count, rehearsal.run_count);
    int64_t succeeded = 0;
    assert_true(
        json_view_int64(json_view_member(json_view_member(view, "ends"), "succeeded"), &succeeded));
    assert_int_equal(succeeded, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_run_without_faults_calls_each_step_in_order),
        TEST(a_refusal_undoes_what_was_done_before_in_reverse_order),
        TEST(a_step_that_nobody_answers_is_tried_by_its_policy_and_undone_as_well),
        TEST(an_undo_that_is_refused_leaves_the_saga_stuck),
        TEST(an_undo_that_is_given_up_leaves_an_effect_and_names_the_path),
        TEST(an_effect_is_not_left_on_the_word_that_there_is_nothing_to_undo),
        TEST(an_effect_that_is_ignored_unheard_is_a_problem),
        TEST(what_says_that_there_is_nothing_to_undo_is_no_problem),
        TEST(past_the_pivot_nothing_is_undone),
        TEST(outputs_that_are_given_decide_which_steps_run),
        TEST(the_first_item_of_a_foreach_fails_and_the_others_are_undone),
        TEST(a_start_that_is_refused_says_why),
        TEST(an_undo_that_is_tried_for_ever_is_seen_to_go_on),
        TEST(a_signal_comes_or_never_comes_and_a_delay_passes),
        TEST(a_probe_tells_whether_there_is_anything_to_undo),
        TEST(a_held_step_waits_for_an_operator),
        TEST(an_input_that_breaks_its_schema_is_refused_as_a_start_would_be),
        TEST(a_limit_of_events_ends_the_tour_and_says_so),
        TEST(the_result_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
