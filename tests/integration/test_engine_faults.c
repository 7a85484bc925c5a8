/*
 * tests/integration/test_engine_faults.c
 *   What the engine does while its database, its broker or another node does not do its part.
 */
#include "orchestrator/base/clock.h"
#include "tests/integration/engine_fixture.h"
#include "tests/integration/fault_proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTITION = 99, BIG = 256 * 1024 }; /* a partition that the broker knows nothing of */

static const char ONE_STEP[] =
    "{\"name\":\"one-step\",\"steps\":["
    "{\"id\":\"one\",\"action\":{\"topic\":\"silent.commands\",\"timeout\":\"60s\"},"
    "\"compensation\":null}]}";
static const char IMPATIENT[] =
    "{\"name\":\"impatient\",\"steps\":["
    "{\"id\":\"one\",\"action\":{\"topic\":\"silent.commands\",\"timeout\":\"1s\","
    "\"retry\":{\"max_attempts\":1}},\"compensation\":null}]}";
static const char FOR_EACH[] =
    "{\"name\":\"for-each\",\"steps\":["
    "{\"id\":\"one\",\"action\":{\"topic\":\"silent.commands\",\"timeout\":\"60s\"},"
    "\"compensation\":null},"
    "{\"id\":\"two\",\"foreach\":{\"in\":\"${input.items}\"},"
    "\"action\":{\"topic\":\"silent.commands\",\"timeout\":\"60s\"},\"compensation\":null}]}";

/* ---- given ---- */

/* A node whose database is away: nothing of it answers, nothing new is let in. */
static struct fault_proxy *given_a_node_without_database(struct node *node)
{
    struct err err = {0};
    struct fault_proxy *proxy = fault_proxy_start(private_postgres_url(postgres));
    node_begin_at(node, fault_proxy_url(proxy));
    fault_proxy_refuse(proxy, true);
    if (!private_postgres_crash(postgres, &err)) fail_msg("%s", err.text);
    return proxy;
}

static struct bus_record forged_record(int64_t offset, struct bytes value)
{
    return (struct bus_record){.topic = BYTES("saga.replies"),
                               .partition = PARTITION,
                               .offset = offset,
                               .at_ms = 1000 + offset,
                               .value = value};
}

static void await_database(struct node *node, bool up)
{
    const int64_t until_ms = clock_monotonic_ms() + DEADLINE_MS;
    struct engine_health health;
    engine_health(node->engine, &health);
    while (health.database_up != up) {
        if (clock_monotonic_ms() > until_ms) {
            fail_msg("the database is not seen %s", up ? "up" : "down");
        }
        pause_a_little();
        engine_health(node->engine, &health);
    }
}

static void await_broker(struct node *node, bool up)
{
    const int64_t until_ms = clock_monotonic_ms() + DEADLINE_MS;
    struct engine_health health;
    engine_health(node->engine, &health);
    while (health.broker_up != up) {
        if (clock_monotonic_ms() > until_ms) {
            fail_msg("the broker is not seen %s", up ? "up" : "down");
        }
        pause_a_little();
        engine_health(node->engine, &health);
    }
}

/* ---- the database is away ---- */

static void a_stop_does_not_wait_for_a_database_that_is_away(void **state)
{
    (void)state;
    struct node node;
    struct fault_proxy *proxy = given_a_node_without_database(&node);
    const struct bus_record record = forged_record(0, BYTES("{}"));
    assert_true(engine_replay_record(node.engine, &record));
    await_database(&node, false);

    const int64_t begun_ms = clock_monotonic_ms();
    engine_stop(node.engine, DEADLINE_MS);

    assert_true(clock_monotonic_ms() - begun_ms < DEADLINE_MS / 2);
    node_end(&node);
    fault_proxy_stop(proxy);
}

static void who_asks_while_it_stops_is_answered(void **state)
{
    (void)state;
    struct node node;
    node_begin(&node);
    struct call before = start_of(&node, ONE_STEP, "{}");
    struct call after = before;
    submit(&node, &before);
    engine_stop(node.engine, 5000);
    submit(&node, &after);

    await(&before);
    await(&after);
    assert_int_equal(before.result, RESULT_DONE);
    assert_int_equal(after.result, RESULT_UNAVAILABLE);
    node_end(&node);
}

/* Nothing asks any more, for a node that is not ready gets no requests. */
static void a_node_finds_out_that_its_database_is_back(void **state)
{
    (void)state;
    struct node node;
    struct fault_proxy *proxy = given_a_node_without_database(&node);
    struct call call = command_of(&(struct uuid){{1}}, EVENT_CANCEL);
    ask(&node, &call);
    assert_int_equal(call.result, RESULT_UNAVAILABLE);
    await_database(&node, false);

    fault_proxy_refuse(proxy, false);

    await_database(&node, true);
    node_end(&node);
    fault_proxy_stop(proxy);
}

struct flood {
    struct node *node;
    char *value;
    atomic_int given;
};

enum { FLOOD = 400 };

static void *pour(void *context)
{
    struct flood *flood = context;
    for (int i = 0; i < FLOOD; i++) {
        const struct bus_record record = forged_record(i, (struct bytes){flood->value, BIG});
        flood->node->callbacks.on_record(flood->node->callbacks.context, &record);
        flood->node->callbacks.on_records_end(flood->node->callbacks.context);
        atomic_fetch_add(&flood->given, 1);
    }
    return NULL;
}

static void replies_that_wait_for_the_database_are_bounded_in_bytes(void **state)
{
    (void)state;
    struct node node;
    struct fault_proxy *proxy = given_a_node_without_database(&node);
    bus_stop_consuming(node.bus); /* from here on this test is the consumer, the only one */
    struct flood flood = {.node = &node, .value = calloc(1, BIG)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, pour, &flood), 0);

    const int64_t until_ms = clock_monotonic_ms() + DEADLINE_MS;
    while (atomic_load(&flood.given) < 200 && clock_monotonic_ms() < until_ms) {
        pause_a_little();
    }
    for (int i = 0; i < 50; i++) {
        pause_a_little(); /* time enough to take in the rest */
    }
    assert_in_range(atomic_load(&flood.given), 200, FLOOD - 100);
    engine_stop(node.engine, 1000); /* lets the one that is held back go */
    pthread_join(thread, NULL);

    node_end(&node);
    fault_proxy_stop(proxy);
    free(flood.value);
}

/* ---- PostgreSQL refuses ---- */

/* Its offset is settled, or everything behind it would be read again for ever. */
static void a_record_whose_dead_letter_is_refused_holds_nobody_up(void **state)
{
    (void)state;
    ask_database(
        "create or replace function refuse_letter() returns trigger language plpgsql as "
        "$$ begin if new.\"offset\" = 1 then raise exception 'no' using errcode = "
        "'22000'; end if; return new; end $$");
    ask_database(
        "create trigger refuse_letter before insert on sagad.dead_letter for each row "
        "execute function refuse_letter()");
    struct node node;
    node_begin(&node);
    bus_stop_consuming(node.bus); /* as above */
    node.callbacks.on_assigned(node.callbacks.context, "saga.replies", PARTITION);

    const int64_t until_ms = clock_monotonic_ms() + DEADLINE_MS;
    int64_t offset = 0;
    do {
        if (clock_monotonic_ms() > until_ms) fail_msg("the range stays before the refused one");
        const struct bus_record record = forged_record(offset++, BYTES("{}"));
        node.callbacks.on_record(node.callbacks.context, &record);
        node.callbacks.on_records_end(node.callbacks.context);
        pause_a_little();
    } while (atoi(ask_database("select coalesce(max(last_offset), -1) from "
                               "sagad.processed_message where partition = 99")) < 2);

    ask_database("drop trigger refuse_letter on sagad.dead_letter");
    node_end(&node);
}

/* ---- another node was faster ---- */

/* The first node's memory does not know the items of the second step yet. */
static void a_reply_is_not_unknown_because_memory_is_old(void **state)
{
    (void)state;
    struct node a;
    struct node b;
    node_begin(&a);
    node_begin(&b);
    struct call start = start_of(&a, FOR_EACH, "{\"items\":[1,2]}");
    ask(&a, &start);
    struct call first = reply_of(&start.id, "one", INDEX_NONE);
    ask(&b, &first);
    assert_int_equal(first.verdict, VERDICT_APPLIED);

    struct call item = reply_of(&start.id, "two", 1);
    ask(&a, &item);

    assert_int_equal(item.result, RESULT_DONE);
    assert_int_equal(item.verdict, VERDICT_APPLIED);
    node_end(&a);
    node_end(&b);
}

static void a_reply_that_is_decided_twice_is_counted_once(void **state)
{
    (void)state;
    static const char APPLIED[] = "saga_replies_total{result=\"applied\"} ";
    struct node a;
    struct node b;
    node_begin(&a);
    node_begin(&b);
    struct call start = start_of(&a, ONE_STEP, "{}");
    ask(&a, &start);
    struct call pause = command_of(&start.id, EVENT_PAUSE);
    ask(&b, &pause);
    const double before = metric(APPLIED);

    struct call reply = reply_of(&start.id, "one", INDEX_NONE);
    ask(&a, &reply);

    assert_int_equal(reply.verdict, VERDICT_APPLIED);
    node_end(&a);
    node_end(&b);
    assert_true(metric(APPLIED) - before == 1);
}

static void an_attempt_that_nobody_answered_is_counted(void **state)
{
    (void)state;
    static const char TIMEOUTS[] =
        "saga_step_attempts_total{definition=\"impatient\",step=\"one\",outcome=\"timeout\"} ";
    struct node node;
    node_begin(&node);
    struct call start = start_of(&node, IMPATIENT, "{}");
    ask(&node, &start);

    await_state(&start.id, SAGA_COMPENSATED);
    node_end(&node); /* what is counted is counted after the commit */

    assert_true(metric(TIMEOUTS) == 1);
}

/* ---- memory is lost ---- */

/* Nobody's memory holds it, nobody adopts it and no index wakes it: only the count finds it. */
static void a_timer_that_memory_lost_still_fires(void **state)
{
    (void)state;
    struct node first;
    node_begin(&first);
    struct call start = start_of(&first, IMPATIENT, "{}");
    ask(&first, &start);
    node_end(&first);
    char id[UUID_TEXT_SIZE];
    char forget[160];
    uuid_print(&start.id, id);
    (void)snprintf(forget, sizeof forget,
                   "update sagad.saga set node = 0 where id = '%s' returning coalesce(wake_at, -1)",
                   id);
    assert_string_equal(ask_database(forget), "-1");

    struct node second;
    node_begin(&second);

    await_state(&start.id, SAGA_COMPENSATED);
    node_end(&second);
}

/* ---- the broker is away ---- */

/* Its participant has a second, from when the command was handed to a broker. */
static void the_time_of_what_never_left_does_not_run(void **state)
{
    (void)state;
    struct node node;
    struct saga_row row;
    node_begin(&node);
    await_broker(&node, true);
    embedded_down(broker);
    await_broker(&node, false);
    struct call start = start_of(&node, IMPATIENT, "{}");
    ask(&node, &start);

    const int64_t late_ms = clock_monotonic_ms() + 4000;
    while (clock_monotonic_ms() < late_ms) {
        assert_true(look_at(&start.id, &row));
        assert_int_equal(row.state, SAGA_RUNNING);
        pause_a_little();
    }
    embedded_up(broker);

    await_state(&start.id, SAGA_COMPENSATED);
    node_end(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_does_not_wait_for_a_database_that_is_away),
        cmocka_unit_test(who_asks_while_it_stops_is_answered),
        cmocka_unit_test(a_node_finds_out_that_its_database_is_back),
        cmocka_unit_test(replies_that_wait_for_the_database_are_bounded_in_bytes),
        cmocka_unit_test(a_record_whose_dead_letter_is_refused_holds_nobody_up),
        cmocka_unit_test(a_reply_is_not_unknown_because_memory_is_old),
        cmocka_unit_test(a_reply_that_is_decided_twice_is_counted_once),
        cmocka_unit_test(an_attempt_that_nobody_answered_is_counted),
        cmocka_unit_test(a_timer_that_memory_lost_still_fires),
        cmocka_unit_test(the_time_of_what_never_left_does_not_run),
    };
    return cmocka_run_group_tests(tests, engine_fixture_start, engine_fixture_stop);
}
