/*
 * tests/integration/test_bus_topics.c
 *   Topics: planned, made, waited for, and how far behind their readers are. On the embedded broker
 *   and, with KAFKA_BROKERS set, on a real one.
 */
#include "orchestrator/bus/topics.h"
#include "tests/integration/test_bus_stand.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void a_missing_topic_is_waited_for(void **state)
{
    (void)state;
    need_a_broker();
    struct bus *bus = desk_bus(&desk, &place, NULL);
    bus_start(bus);
    assert_true(desk_await(&desk, is_up, 0));

    place_topic(&place, "saga.replies");
    send_reply(bus, "k", "1");

    assert_true(desk_await(&desk, has_notes, 1));
    bus_close(bus, 1000);
}

static void the_lag_is_what_the_group_has_not_read(void **state)
{
    (void)state;
    need_a_broker();
    const struct bytes topic = bytes_of(place_topic(&place, "saga.replies"));
    struct bus *bus = desk_bus(&desk, &place, NULL);
    bus_start(bus);
    for (int i = 0; i < 5; i++) {
        send_reply(bus, "k", "1");
    }
    assert_true(desk_await(&desk, has_notes, 5));
    bus_store_offset(bus, topic, desk.notes[1].partition, desk.notes[1].offset);
    bus_close(bus, 1000); /* commits */

    struct bus *asker = desk_bus(&other_desk, &place, NULL);
    const int64_t lag = bus_topic_lag(asker, topic, 5000);
    /* The embedded broker does not list groups. */
    assert_int_equal(lag, place.embedded != NULL ? -1 : 3);
    assert_int_equal(bus_topic_lag(asker, BYTES("nobody.knows.it"), 2000), -1);
    assert_int_equal(bus_topic_lag(asker, BYTES(""), 2000), -1);
    bus_close(asker, 1000);
}

static void topics_are_planned_made_and_then_there(void **state)
{
    (void)state;
    need_a_broker();
    struct arena arena = {0};
    struct topic_plan *plan = NULL;
    size_t count = 0;
    struct err err;
    char name[80];
    snprintf(name, sizeof name, "%sshop.commands", place.prefix);
    const struct bytes extra[] = {bytes_of(name), bytes_of(name)};

    assert_true(
        topics_plan(place.brokers, place.prefix, extra, 2, 3, 1, &arena, &plan, &count, &err));
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++) {
        assert_false(plan[i].exists);
        assert_int_equal(plan[i].partitions, 3);
    }

    if (place.embedded == NULL) {
        assert_true(topics_apply(place.brokers, plan, count, &arena, &err));
        for (size_t i = 0; i < count; i++) {
            assert_true(plan[i].exists && plan[i].made);
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            assert_true(embedded_topic(place.embedded, plan[i].name.data, 3, &err));
        }
    }

    assert_true(
        topics_plan(place.brokers, place.prefix, extra, 1, 8, 1, &arena, &plan, &count, &err));
    for (size_t i = 0; i < count; i++) {
        assert_true(plan[i].exists);
        assert_int_equal(plan[i].partitions, 3);
        assert_int_equal(plan[i].replication, 1);
    }
    assert_true(topics_apply(place.brokers, plan, count, &arena, &err));
    for (size_t i = 0; i < count; i++) {
        assert_false(plan[i].made);
    }
    arena_done(&arena);
}

static void a_topic_that_cannot_be_made_says_why(void **state)
{
    (void)state;
    need_a_broker();
    if (place.embedded != NULL) skip();
    struct arena arena = {0};
    struct err err;
    char good[80], bad[80];
    snprintf(good, sizeof good, "%sgood", place.prefix);
    snprintf(bad, sizeof bad, "%sbad name", place.prefix);
    struct topic_plan plan[] = {
        {.name = bytes_of(bad),  .partitions = 1, .replication = 1},
        {.name = bytes_of(good), .partitions = 1, .replication = 1},
        {.name = BYTES("many"),  .partitions = 1, .replication = 9},
    };

    assert_false(topics_apply(place.brokers, plan, 3, &arena, &err));

    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.text, "bad name"));
    assert_true(plan[0].problem.size > 0 && !plan[0].made);
    assert_true(plan[1].problem.data == NULL && plan[1].made);
    assert_non_null(strstr(plan[2].problem.data, "replication"));
    arena_done(&arena);
}

#define TESTS(arrive)                                                                              \
    {                                                                                              \
        TEST(a_missing_topic_is_waited_for, arrive),                                               \
            TEST(the_lag_is_what_the_group_has_not_read, arrive),                                  \
            TEST(topics_are_planned_made_and_then_there, arrive),                                  \
            TEST(a_topic_that_cannot_be_made_says_why, arrive),                                    \
    }

int main(void)
{
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest embedded[] = TESTS(at_the_embedded_broker);
    const struct CMUnitTest kafka[] = TESTS(at_a_real_broker);
    const int failed = cmocka_run_group_tests_name("embedded broker", embedded, NULL, NULL);
    return failed + cmocka_run_group_tests_name("real broker", kafka, NULL, NULL);
}
