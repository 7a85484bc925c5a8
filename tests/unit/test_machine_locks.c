/* Sagas of which only so many may be open: in line, their turn, and the end. */
#include "test_machine_support.h"

#include "sagas/machine/codec.h"

#define ONE_BY(key)  "'concurrency':{'limit':1,'key':'" key "'},"
#define ONE_CUSTOMER SAGA_WITH(ONE_BY("${input.c}"), STEP("a"))

static enum verdict granted(void)
{
    return when((struct event){.kind = EVENT_GRANTED, .step = -1, .index = INDEX_NONE});
}

static void assert_lock(enum lock_state state, const char *key)
{
    assert_int_equal(stage.saga->lock, state);
    assert_true(bytes_equal_text(stage.saga->lock_key, key) ||
                (*key == '\0' && stage.saga->lock_key.size == 0));
}

static void load_again(void)
{
    struct buffer packed = buffer_in(&stage.memory);
    const char *what = NULL;
    saga_pack(stage.saga, &packed);
    struct saga *const copy = saga_new(&stage.memory, stage.definition);
    copy->id = stage.saga->id;
    copy->input = stage.saga->input;
    copy->labels = stage.saga->labels;
    assert_true(saga_unpack(copy, buffer_bytes(&packed), &what));
    stage.saga = copy;
}

static void a_start_gets_in_line_and_starts_when_it_is_its_turn(void **state)
{
    (void)state;
    given_started_with(ONE_CUSTOMER, "{'c':'ann'}");
    assert_saga(SAGA_PENDING);
    assert_history("saga.created, saga.lock_queued");
    assert_recorded("\"key\":\"ann\"");
    assert_lock(LOCK_AWAITED, "ann");
    assert_int_equal(saga_next_due_ms(stage.saga), 0);

    load_again();
    assert_lock(LOCK_AWAITED, "ann");
    assert_int_equal(granted(), VERDICT_APPLIED);

    assert_history("saga.lock_granted, saga.started, step.dispatched a");
    assert_lock(LOCK_HELD, "ann");
    success("a");
    assert_saga(SAGA_SUCCEEDED);
    assert_lock(LOCK_NONE, "");
}

static void a_turn_that_comes_twice_or_to_nobody_changes_nothing(void **state)
{
    (void)state;
    given_started_with(ONE_CUSTOMER, "{'c':'ann'}");
    granted();
    assert_int_equal(granted(), VERDICT_NOTHING);
    success("a");
    assert_int_equal(granted(), VERDICT_NOTHING);

    given_started(SAGA(STEP("a")));
    assert_int_equal(granted(), VERDICT_NOTHING);
}

static void time_and_resends_pass_by_a_saga_in_line(void **state)
{
    (void)state;
    given_started_with(ONE_CUSTOMER, "{'c':'ann'}");

    assert_int_equal(later(1000000), VERDICT_NOTHING);
    assert_int_equal(when((struct event){.kind = EVENT_RESEND, .step = -1, .index = INDEX_NONE}),
                     VERDICT_NOTHING);

    assert_saga(SAGA_PENDING);
}

static void the_deadline_runs_from_the_start_not_from_the_line(void **state)
{
    (void)state;
    given_started_with(SAGA_WITH("'timeout':'1h'," ONE_BY("${input.c}"), STEP("a")), "{'c':'ann'}");
    assert_int_equal(stage.saga->deadline_at_ms, 0);
    later(5000);

    granted();

    assert_int_equal(stage.saga->deadline_at_ms, START_MS + 5000 + 3600000);
    assert_int_equal(stage.saga->started_at_ms, START_MS + 5000);
}

static void the_line_begins_when_its_time_has_come(void **state)
{
    (void)state;
    given(ONE_CUSTOMER);
    stage.saga->input = BYTES("{\"c\":\"ann\"}");
    stage.saga->start_at_ms = START_MS + 1000;
    when_started();
    assert_lock(LOCK_NONE, "");

    due_in(1000);

    assert_history("saga.lock_queued");
    assert_lock(LOCK_AWAITED, "ann");
}

static void a_cancel_or_a_terminate_in_line_ends_it(void **state)
{
    (void)state;
    given_started_with(ONE_CUSTOMER, "{'c':'ann'}");
    operator_says("cancel");
    assert_saga(SAGA_COMPENSATED);
    assert_lock(LOCK_NONE, "");

    given_started_with(ONE_CUSTOMER, "{'c':'ann'}");
    operator_says("terminate");
    assert_saga(SAGA_TERMINATED);
    assert_lock(LOCK_NONE, "");
}

static void a_pause_in_line_holds_the_start_back_not_the_turn(void **state)
{
    (void)state;
    given_started_with(ONE_CUSTOMER, "{'c':'ann'}");
    operator_says("pause");
    granted();
    assert_history("saga.lock_granted");
    assert_saga(SAGA_PENDING);
    assert_lock(LOCK_HELD, "ann");

    operator_says("resume");

    assert_saga(SAGA_RUNNING);
    assert_sent("a");
}

static void a_resume_in_line_starts_nothing(void **state)
{
    (void)state;
    given_started_with(ONE_CUSTOMER, "{'c':'ann'}");
    operator_says("pause");

    operator_says("resume");

    assert_history("operator.command, saga.resumed");
    assert_lock(LOCK_AWAITED, "ann");
}

static void a_held_definition_gets_in_line_when_it_is_resumed(void **state)
{
    (void)state;
    given(ONE_CUSTOMER);
    stage.saga->input = BYTES("{\"c\":\"ann\"}");
    when((struct event){.kind = EVENT_START, .step = -1, .index = INDEX_NONE, .held = true});
    assert_lock(LOCK_NONE, "");

    when((struct event){.kind = EVENT_RESUME, .step = -1, .index = INDEX_NONE, .held = true});

    assert_history("saga.resumed, saga.lock_queued");
}

static void a_lock_without_key_is_one_for_all(void **state)
{
    (void)state;
    given_started(SAGA_WITH("'concurrency':{'limit':2},", STEP("a")));

    assert_lock(LOCK_AWAITED, "");
    load_again();
    granted();
    assert_saga(SAGA_RUNNING);
}

/* ---- keys ---- */

static void assert_key(const char *input, const char *key)
{
    struct bytes text = {0};
    struct expression_error error;
    stage.saga->input = bytes_of(input);
    assert_true(saga_lock_key(stage.saga, &stage.memory, &text, &error));
    assert_true(bytes_equal_text(text, key));
}

static void assert_no_key(const char *input, const char *told)
{
    struct bytes text = {0};
    struct expression_error error;
    stage.saga->input = bytes_of(input);
    assert_false(saga_lock_key(stage.saga, &stage.memory, &text, &error));
    assert_non_null(strstr(error.detail, told));
}

static void keys_are_texts_numbers_and_booleans(void **state)
{
    (void)state;
    given(ONE_CUSTOMER);
    assert_key("{\"c\":\"ann\"}", "ann");
    assert_key("{\"c\":17}", "17");
    assert_key("{\"c\":true}", "true");
    assert_no_key("{}", "is null");
    assert_no_key("{\"c\":null}", "is null");
    assert_no_key("{\"c\":\"\"}", "an empty text");
    assert_no_key("{\"c\":[1]}", "a text, a number");
    assert_no_key("{\"c\":\"a\\u0000b\"}", "U+0000");
    given(SAGA_WITH(ONE_BY("${input.c + 1}"), STEP("a")));
    assert_no_key("{\"c\":[1]}", "");
}

static void a_key_has_at_most_1024_bytes(void **state)
{
    (void)state;
    char input[LOCK_KEY_SIZE_MAX + 20] = "{\"c\":\"";
    given(ONE_CUSTOMER);
    memset(input + 6, 'x', LOCK_KEY_SIZE_MAX);
    memcpy(input + 6 + LOCK_KEY_SIZE_MAX, "\"}", 3);
    struct bytes key = {0};
    struct expression_error error;
    stage.saga->input = bytes_of(input);
    assert_true(saga_lock_key(stage.saga, &stage.memory, &key, &error));
    assert_int_equal(key.size, LOCK_KEY_SIZE_MAX);

    memcpy(input + 6 + LOCK_KEY_SIZE_MAX, "x\"}", 4);

    assert_no_key(input, "1025 bytes, at most 1024");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_start_gets_in_line_and_starts_when_it_is_its_turn),
        TEST(a_turn_that_comes_twice_or_to_nobody_changes_nothing),
        TEST(time_and_resends_pass_by_a_saga_in_line),
        TEST(the_deadline_runs_from_the_start_not_from_the_line),
        TEST(the_line_begins_when_its_time_has_come),
        TEST(a_cancel_or_a_terminate_in_line_ends_it),
        TEST(a_pause_in_line_holds_the_start_back_not_the_turn),
        TEST(a_resume_in_line_starts_nothing),
        TEST(a_held_definition_gets_in_line_when_it_is_resumed),
        TEST(a_lock_without_key_is_one_for_all),
        TEST(keys_are_texts_numbers_and_booleans),
        TEST(a_key_has_at_most_1024_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
