/* A fork: which steps it takes over, and that nothing of them is ever undone by it. */
#include "test_machine_support.h"

#include "sagas/machine/codec.h"
#include "sagas/machine/fork.h"

#define LINE SAGA(STEP("a") "," STEP("b") "," BARE("c"))

static struct fork forked;
static struct bytes why;

static bool planned_from(const char *step)
{
    const int from = step == NULL ? -1 : definition_find_step(stage.definition, bytes_of(step));
    return fork_plan(stage.saga, from, &stage.memory, &forked, &why);
}

static void assert_refused(const char *step, const char *piece)
{
    assert_false(planned_from(step));
    if (strstr(why.data, piece) == NULL) fail_msg("'%s' is not in '%s'", piece, why.data);
    assert_non_null(strstr(why.data, "Allowed now: "));
}

/* The stage's saga is the fork from here on; the events make it. */
static void when_forked_from(const char *step)
{
    const struct saga *const first = stage.saga;
    assert_true(planned_from(step));
    forked.actor = BYTES("key:ops");
    forked.reason = BYTES("once more");
    stage.saga = saga_new(&stage.memory, stage.definition);
    assert_true(uuid_parse(BYTES("018bcfe5-6800-7000-8000-000000000002"), &stage.saga->id));
    stage.saga->input = first->input;
    stage.saga->labels = first->labels;
    stage.saga->created_at_ms = stage.now_ms;
    for (size_t i = 0; i < fork_event_count(&forked); i++) {
        assert_int_equal(when(fork_event(&forked, i)), VERDICT_APPLIED);
    }
}

static void given_succeeded(void)
{
    given_started(LINE);
    success_with("a", "{'n':1}");
    success_with("b", "[2]");
    success("c");
    assert_saga(SAGA_SUCCEEDED);
}

static void given_terminated_at_c(void)
{
    given_started(LINE);
    success_with("a", "{'n':1}");
    success_with("b", "[2]");
    operator_says("terminate");
    assert_saga(SAGA_TERMINATED);
}

static void from_the_beginning_everything_is_done_anew(void **state)
{
    (void)state;
    given_succeeded();
    when_forked_from(NULL);
    assert_sent("a");
    assert_recorded("\"forked_from\":\"018bcfe5-6800-7000-8000-000000000001\"");
    assert_recorded("\"verb\":\"fork\",\"reason\":\"once more\"");
    assert_saga(SAGA_RUNNING);
}

static void from_a_step_the_steps_before_are_skipped_with_their_outputs(void **state)
{
    (void)state;
    given_succeeded();
    when_forked_from("c");
    assert_sent("c");
    assert_step("a", STEP_SKIPPED);
    assert_step("b", STEP_SKIPPED);
    assert_true(bytes_equal_text(run_of("a")->output, "{\"n\":1}"));
    assert_true(bytes_equal_text(run_of("b")->output, "[2]"));
    assert_false(stage.saga->paused);
}

static void what_was_taken_over_is_never_undone(void **state)
{
    (void)state;
    given_terminated_at_c();
    when_forked_from("b");
    assert_sent("b");
    success("b");
    failure("c", "no");
    assert_sent("undo b");
    success("b");
    assert_saga(SAGA_COMPENSATED);
    assert_step("a", STEP_SKIPPED);
}

static void a_fork_waits_while_its_definition_is_paused(void **state)
{
    (void)state;
    given_succeeded();
    assert_true(planned_from("c"));
    forked.held = true;
    stage.saga = saga_new(&stage.memory, stage.definition);
    stage.saga->input = BYTES("{}");
    for (size_t i = 0; i < fork_event_count(&forked); i++) {
        assert_int_equal(when(fork_event(&forked, i)), VERDICT_APPLIED);
        assert_sent("");
    }
    assert_saga(SAGA_PENDING);
    assert_true(stage.saga->paused);
    when((struct event){.kind = EVENT_RESUME, .step = -1, .index = INDEX_NONE, .held = true});
    assert_sent("c");
}

static void where_it_comes_from_is_packed(void **state)
{
    (void)state;
    given_succeeded();
    when_forked_from("c");
    struct buffer packed = buffer_in(&stage.memory);
    struct saga *const read = saga_new(&stage.memory, stage.definition);
    const char *what = NULL;
    saga_pack(stage.saga, &packed);
    assert_true(saga_unpack(read, buffer_bytes(&packed), &what));
    assert_true(read->forked);
    assert_true(uuid_equal(&read->forked_from, &stage.saga->forked_from));
    assert_true(bytes_equal_text(read->fork_step, "c"));
}

static void only_what_is_over_or_stuck_is_forked(void **state)
{
    (void)state;
    given_started(LINE);
    assert_refused(NULL, "the saga is running");
    success("a");
    success("b");
    failure("c", "no");
    assert_refused(NULL, "the saga is compensating");
    failure("b", "cannot");
    assert_saga(SAGA_STUCK);
    assert_true(planned_from(NULL));
}

static void a_stuck_saga_gives_nothing_away(void **state)
{
    (void)state;
    given_started(LINE);
    success("a");
    success("b");
    failure("c", "no");
    failure("b", "cannot");
    assert_refused("b", "may still be undone");
}

static void what_was_undone_is_not_taken_over(void **state)
{
    (void)state;
    given_started(LINE);
    success("a");
    success("b");
    failure("c", "no");
    success("b");
    success("a");
    assert_saga(SAGA_COMPENSATED);
    assert_refused("c", "was undone");
    assert_true(planned_from("a"));
    assert_int_equal(forked.taken_count, 0);
}

static void what_never_ran_is_not_taken_over(void **state)
{
    (void)state;
    given_started(LINE);
    success("a");
    operator_says("terminate");
    assert_refused("c", "step b, which comes before it, is not done");
}

static void the_pivot_is_not_taken_over(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") ",{'id':'p','pivot':true,'action':{'topic':'p'}}," BARE("z")));
    success("a");
    success("p");
    success("z");
    assert_refused("z", "no way back");
    assert_true(planned_from("p"));
}

static void other_branches_are_taken_over_where_they_are_done(void **state)
{
    (void)state;
    given_started(SAGA(STEP_AND("a", "'depends_on':[],") "," STEP_AND(
        "b", "'depends_on':[],") "," BARE_AND("c", "'depends_on':['a','b'],")));
    success("a");
    success("b");
    success("c");
    when_forked_from("a");
    assert_sent("a");
    assert_step("b", STEP_SKIPPED);
    success("a");
    assert_sent("c");
}

static void a_foreach_is_taken_over_as_its_list(void **state)
{
    (void)state;
    given_started_with(SAGA(STEP_AND("each", EACH) "," BARE("c")), "[1,2]");
    success_with("each[0]", "'x'");
    success_with("each[1]", "'y'");
    success("c");
    when_forked_from("c");
    assert_sent("c");
    assert_true(bytes_equal_text(run_of("each")->output, "[\"x\",\"y\"]"));
}

static void what_was_passed_over_is_taken_over_without_output(void **state)
{
    (void)state;
    given_started(SAGA(STEP_AND("a", "'on_failure':'ignore',") "," BARE("c")));
    failure("a", "no");
    success("c");
    assert_saga(SAGA_SUCCEEDED);
    when_forked_from("c");
    assert_step("a", STEP_SKIPPED);
    assert_null(run_of("a")->output.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(from_the_beginning_everything_is_done_anew),
        TEST(from_a_step_the_steps_before_are_skipped_with_their_outputs),
        TEST(what_was_taken_over_is_never_undone),
        TEST(a_fork_waits_while_its_definition_is_paused),
        TEST(where_it_comes_from_is_packed),
        TEST(only_what_is_over_or_stuck_is_forked),
        TEST(a_stuck_saga_gives_nothing_away),
        TEST(what_was_undone_is_not_taken_over),
        TEST(what_never_ran_is_not_taken_over),
        TEST(the_pivot_is_not_taken_over),
        TEST(other_branches_are_taken_over_where_they_are_done),
        TEST(a_foreach_is_taken_over_as_its_list),
        TEST(what_was_passed_over_is_taken_over_without_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
