/*
 * tests/integration/test_engine.c
 *   Sagas are started and steered by requests, without HTTP; what racing and crashes must not
 *   break.
 */
#include "orchestrator/base/clock.h"
#include "tests/integration/engine_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_started_saga_runs_to_its_end(void **state)
{
    (void)state;
    struct node node;
    node_begin(&node);
    struct call call = start_of(&node, TWO_STEPS, "{\"amount\": 0.10}");

    submit(&node, &call);
    await(&call);

    assert_int_equal(call.result, RESULT_DONE);
    assert_int_equal(call.revision, 1);
    await_state(&call.id, SAGA_SUCCEEDED);
    node_end(&node);
}

static void many_sagas_started_at_once_all_end(void **state)
{
    (void)state;
    enum { MANY = 500 };
    static struct call calls[MANY];
    struct node node;
    node_begin(&node);
    for (int i = 0; i < MANY; i++) {
        calls[i] = start_of(&node, TWO_STEPS, "{}");
        submit(&node, &calls[i]);
    }

    for (int i = 0; i < MANY; i++) {
        await(&calls[i]);
    }

    for (int i = 0; i < MANY; i++) {
        await_state(&calls[i].id, SAGA_SUCCEEDED);
    }
    node_end(&node);
}

static void commands_tell_what_the_state_does_not_allow(void **state)
{
    (void)state;
    struct node node;
    node_begin(&node);
    struct call start = start_of(&node, SILENT, "{}");
    submit(&node, &start);
    await(&start);

    struct call retry = command_of(&start.id, EVENT_RETRY);
    submit(&node, &retry);
    await(&retry);
    struct call stale = command_of(&start.id, EVENT_CANCEL);
    stale.request.command.has_if_match = true;
    stale.request.command.if_match = 99;
    submit(&node, &stale);
    await(&stale);
    const struct uuid nobody = {{1}};
    struct call missing = command_of(&nobody, EVENT_CANCEL);
    submit(&node, &missing);
    await(&missing);
    struct call terminate = command_of(&start.id, EVENT_TERMINATE);
    submit(&node, &terminate);
    await(&terminate);

    assert_int_equal(retry.result, RESULT_NOT_ALLOWED);
    assert_int_equal(stale.result, RESULT_STALE);
    assert_int_equal(missing.result, RESULT_NOT_FOUND);
    assert_int_equal(terminate.result, RESULT_DONE);
    assert_int_equal(terminate.state, SAGA_TERMINATED);
    node_end(&node);
}

/* Else nobody would take them over when that node dies too. */
static void adopted_sagas_carry_the_node_that_took_them(void **state)
{
    (void)state;
    static const char PATIENT[] =
        "{\"name\":\"patient\",\"steps\":[{\"id\":\"one\",\"compensation\":null,"
        "\"action\":{\"topic\":\"silent.commands\",\"timeout\":\"1h\"}}]}";
    struct node first;
    node_begin(&first);
    struct call start = start_of(&first, PATIENT, "{}");
    submit(&first, &start);
    await(&start);
    node_end(&first);

    struct node second;
    node_begin(&second);

    await_answer(
        "select count(*) from sagad.saga where finished_at is null and node is distinct "
        "from (select max(id) from sagad.node)",
        "0");
    struct call terminate = command_of(&start.id, EVENT_TERMINATE);
    submit(&second, &terminate);
    await(&terminate);
    node_end(&second);
}

/* Its end was in the memory of the node that is gone. */
static void a_delay_ends_also_when_its_node_has_gone(void **state)
{
    (void)state;
    static const char RESTS[] =
        "{\"name\":\"rests\",\"steps\":[{\"id\":\"rest\",\"delay\":{\"for\":\"1s\"}}]}";
    struct node first;
    node_begin(&first);
    struct call start = start_of(&first, RESTS, "{}");
    ask(&first, &start);
    node_end(&first);

    struct node second;
    node_begin(&second);

    await_state(&start.id, SAGA_SUCCEEDED);
    node_end(&second);
}

/* What is due in a month lies in PostgreSQL, and a cancel finds the saga there. */
static void a_delay_of_a_month_is_a_row(void **state)
{
    (void)state;
    static const char RESTS[] =
        "{\"name\":\"month\",\"steps\":[{\"id\":\"rest\","
        "\"delay\":{\"for\":\"30d\"}}]}";
    struct node node;
    node_begin(&node);
    struct call start = start_of(&node, RESTS, "{}");
    ask(&node, &start);

    struct saga_row row;
    assert_true(look_at(&start.id, &row));
    assert_int_equal(row.due_at_ms - row.created_at_ms, INT64_C(30) * 86400000);

    struct call cancel = command_of(&start.id, EVENT_CANCEL);
    ask(&node, &cancel);
    assert_int_equal(cancel.state, SAGA_COMPENSATED);
    node_end(&node);
}

/* Nobody answers the action; the probe goes to one who does. */
static void a_probe_travels_and_its_answer_counts(void **state)
{
    (void)state;
    static const char ASKS[] =
        "{\"name\":\"asks\",\"output\":\"${steps.one.output.ok}\",\"steps\":[{\"id\":\"one\","
        "\"on_unknown\":\"probe\",\"probe\":{\"topic\":\"engine.commands\"},"
        "\"action\":{\"topic\":\"silent.commands\",\"timeout\":\"100ms\","
        "\"retry\":{\"max_attempts\":1}}}]}";
    struct node node;
    node_begin(&node);
    struct call start = start_of(&node, ASKS, "{}");
    ask(&node, &start);

    await_state(&start.id, SAGA_SUCCEEDED);
    assert_string_equal(ask_database("select output from sagad.history h join sagad.saga s "
                                     "on s.id = h.saga_id where output is not null "
                                     "order by s.created_at desc, h.seq desc limit 1"),
                        "true");
    node_end(&node);
}

/* Both nodes keep the saga in memory; the second one's picture is stale each time. */
static void two_nodes_that_steer_one_saga_lose_nothing(void **state)
{
    (void)state;
    struct node a;
    struct node b;
    node_begin(&a);
    node_begin(&b);
    struct call start = start_of(&a, SILENT, "{}");
    submit(&a, &start);
    await(&start);

    uint32_t revision = start.revision;
    for (int i = 0; i < 6; i++) {
        struct call call = command_of(&start.id, i % 2 == 0 ? EVENT_PAUSE : EVENT_RESUME);
        submit(i % 3 == 0 ? &b : &a, &call);
        await(&call);
        assert_int_equal(call.result, RESULT_DONE);
        assert_int_equal(call.revision, revision + 1);
        revision = call.revision;
    }

    node_end(&a);
    node_end(&b);
}

/* PostgreSQL refuses one saga's rows: it alone fails, its neighbours in the batch go on. */
static void a_poisoned_event_is_set_aside_alone(void **state)
{
    (void)state;
    enum { MANY = 60, BAD = 23 };
    static struct call calls[MANY];
    given_poison();
    struct node node;
    node_begin(&node);
    for (int i = 0; i < MANY; i++) {
        calls[i] = start_of(&node, TWO_STEPS, i == BAD ? "{\"a\":\"poison\"}" : "{}");
        submit(&node, &calls[i]);
    }

    for (int i = 0; i < MANY; i++) {
        await(&calls[i]);
        assert_int_equal(calls[i].result, i == BAD ? RESULT_INTERNAL : RESULT_DONE);
    }

    take_poison_away();
    node_end(&node);
}

static void sagas_outlive_a_crash_of_the_database(void **state)
{
    (void)state;
    enum { MANY = 200 };
    static struct call calls[MANY];
    struct node node;
    node_begin(&node);
    for (int i = 0; i < MANY; i++) {
        calls[i] = start_of(&node, TWO_STEPS, "{}");
        submit(&node, &calls[i]);
    }
    struct err err = {0};
    if (!private_postgres_crash(postgres, &err)) fail_msg("%s", err.text);

    int accepted = 0;
    for (int i = 0; i < MANY; i++) {
        await(&calls[i]);
        if (calls[i].result != RESULT_DONE) continue;
        accepted++;
        await_state(&calls[i].id, SAGA_SUCCEEDED);
    }

    print_message("%d of %d starts accepted around the crash\n", accepted, MANY);
    await_answer(
        "select count(*) from sagad.saga where state = 1 and definition_id = (select "
        "max(id) from sagad.definition where name = 'two')",
        "0");
    node_end(&node);
}

/* The broker is away: starts are taken up to the limit, then refused, and all is sent later. */
static void starts_are_taken_without_a_broker_up_to_the_limit(void **state)
{
    (void)state;
    enum { MANY = 160 };
    static struct call calls[MANY];
    struct node node;
    node_begin(&node);
    struct call first = start_of(&node, TWO_STEPS, "{}");
    submit(&node, &first);
    await(&first);
    await_state(&first.id, SAGA_SUCCEEDED);

    embedded_down(broker);
    struct engine_health health;
    const int64_t until = clock_monotonic_ms() + 3 * DEADLINE_MS;
    int accepted = 0;
    int refused = 0;
    for (int i = 0; i < MANY; i++) {
        calls[i] = start_of(&node, TWO_STEPS, "{}");
        submit(&node, &calls[i]);
        await(&calls[i]);
        if (calls[i].result == RESULT_FULL) {
            refused++;
        } else {
            accepted += calls[i].result == RESULT_DONE;
        }
        engine_health(node.engine, &health);
        if (accepted > 110 && !health.full && clock_monotonic_ms() < until) {
            pause_a_little(); /* until the producer has given its messages back */
            i--;
            accepted--;
        }
    }
    assert_true(refused > 0);
    embedded_up(broker);

    for (int i = 0; i < MANY; i++) {
        if (calls[i].result == RESULT_DONE) await_state(&calls[i].id, SAGA_SUCCEEDED);
    }
    node_end(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_started_saga_runs_to_its_end),
        cmocka_unit_test(many_sagas_started_at_once_all_end),
        cmocka_unit_test(a_probe_travels_and_its_answer_counts),
        cmocka_unit_test(commands_tell_what_the_state_does_not_allow),
        cmocka_unit_test(adopted_sagas_carry_the_node_that_took_them),
        cmocka_unit_test(a_delay_ends_also_when_its_node_has_gone),
        cmocka_unit_test(a_delay_of_a_month_is_a_row),
        cmocka_unit_test(two_nodes_that_steer_one_saga_lose_nothing),
        cmocka_unit_test(a_poisoned_event_is_set_aside_alone),
        cmocka_unit_test(sagas_outlive_a_crash_of_the_database),
        cmocka_unit_test(starts_are_taken_without_a_broker_up_to_the_limit),
    };
    return cmocka_run_group_tests(tests, engine_fixture_start, engine_fixture_stop);
}
