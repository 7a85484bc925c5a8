/*
 * tests/integration/test_bus_faults.c
 *   Brokers and nodes that go away: nothing is lost without a word, and all comes back by itself.
 *   What needs a broker that can be broken runs on the embedded one only.
 */
#include "orchestrator/base/clock.h"
#include "tests/integration/test_bus_stand.h"

#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

static void send_orders(struct bus *bus, const char *topic, int count)
{
    for (int i = 0; i < count; i++) {
        struct order order;
        order_init(&order, topic, (uint8_t)(i + 1));
        assert_true(bus_send_command(bus, &order.command, &order.saga));
    }
}

static void send_value(struct bus *bus, const char *topic, const char *value)
{
    const struct bus_record record = {
        .topic = bytes_of(topic), .key = BYTES("k"), .value = bytes_of(value)};
    assert_true(bus_send_record(bus, &record));
}

/* ---- the broker goes away ---- */

static void a_broker_that_is_not_there_yet_is_found_when_it_comes(void **state)
{
    (void)state;
    const char *topic = place_topic(&place, "shop.commands");
    embedded_down(place.embedded);
    struct bus *bus = desk_bus(&desk, &place, NULL);
    bus_start(bus);
    send_orders(bus, topic, 3);
    assert_false(bus_is_up(bus));
    assert_int_equal(desk.went_up, 0);

    embedded_up(place.embedded);

    assert_true(desk_await(&desk, is_up, 0));
    assert_true(bus_is_up(bus));
    assert_true(read_topic(&place, &other_desk, topic, 3));
    assert_int_equal(desk.undelivered, 0);
    bus_close(bus, 1000);
}

static void commands_that_no_broker_takes_in_time_are_reported_each(void **state)
{
    (void)state;
    const char *topic = place_topic(&place, "shop.commands");
    struct bus *bus = desk_bus(&desk, &place, "message.timeout.ms=1500");
    send_orders(bus, topic, 1);
    assert_true(desk_await(&desk, is_up, 0));
    assert_true(read_topic(&place, &other_desk, topic, 1));

    embedded_down(place.embedded);
    assert_true(desk_await(&desk, is_down, 0));
    send_orders(bus, topic, 5);

    assert_true(desk_await(&desk, has_undelivered, 5));
    assert_int_equal(desk.undelivered, 5);

    embedded_up(place.embedded);
    assert_true(desk_await(&desk, is_up, 0));
    send_orders(bus, topic, 5);
    assert_true(read_topic(&place, &other_desk, topic, 6));
    assert_int_equal(desk.undelivered, 5);
    bus_close(bus, 1000);
}

static void a_full_queue_refuses_at_once(void **state)
{
    (void)state;
    const char *topic = place_topic(&place, "shop.commands");
    embedded_down(place.embedded);
    struct bus *bus = desk_bus(&desk, &place, "queue.buffering.max.messages=10");
    send_orders(bus, topic, 10);
    struct order order;
    order_init(&order, topic, 99);

    const int64_t before_ms = clock_monotonic_ms();
    assert_false(bus_send_command(bus, &order.command, &order.saga));
    assert_true(clock_monotonic_ms() - before_ms < 1000);

    embedded_up(place.embedded);
    assert_true(read_topic(&place, &other_desk, topic, 10));
    assert_true(bus_send_command(bus, &order.command, &order.saga));
    bus_close(bus, 1000);
}

static void replies_go_on_where_they_stood_when_the_broker_is_back(void **state)
{
    (void)state;
    const char *topic = place_topic(&place, "saga.replies");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    bus_start(bus);
    send_value(bus, topic, "1");
    assert_true(desk_await(&desk, has_notes, 1));

    embedded_down(place.embedded);
    assert_true(desk_await(&desk, is_down, 0));
    send_value(bus, topic, "2");
    embedded_up(place.embedded);

    assert_true(desk_await(&desk, has_notes, 2));
    assert_string_equal(desk.notes[1].value, "2");
    bus_close(bus, 1000);
}

static void a_fault_that_passes_is_waited_out(void **state)
{
    (void)state;
    const char *topic = place_topic(&place, "shop.commands");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    embedded_refuse_produce(place.embedded, EMBEDDED_FEW_REPLICAS, 3);

    send_orders(bus, topic, 5);

    assert_true(read_topic(&place, &other_desk, topic, 5));
    assert_int_equal(desk.undelivered, 0);
    bus_close(bus, 1000);
}

static void a_producer_that_is_broken_for_good_is_replaced(void **state)
{
    (void)state;
    const char *topic = place_topic(&place, "shop.commands");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    assert_true(desk_await(&desk, is_up, 0));
    embedded_refuse_produce(place.embedded, EMBEDDED_LOST_SEQUENCE, 1);

    send_orders(bus, topic, 1);
    assert_true(desk_await(&desk, has_undelivered, 1));
    assert_int_equal(desk.last_undelivered.byte[0], 1);

    /* Until the new one is there, "not taken" is the right answer. */
    struct order order;
    order_init(&order, topic, 2);
    const int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    bool taken = false;
    while (!taken && clock_monotonic_ms() < end_ms) {
        taken = bus_send_command(bus, &order.command, &order.saga);
    }
    assert_true(taken);
    assert_true(read_topic(&place, &other_desk, topic, 1));
    assert_string_equal(other_desk.notes[0].key, order.id_text);
    bus_close(bus, 1000);
}

static void closing_without_a_broker_takes_seconds_at_most(void **state)
{
    (void)state;
    const char *topic = place_topic(&place, "saga.replies");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    bus_start(bus);
    assert_true(desk_await(&desk, has_partitions, PARTITIONS));
    embedded_down(place.embedded);
    assert_true(desk_await(&desk, is_down, 0));
    send_value(bus, topic, "1");

    const int64_t before_ms = clock_monotonic_ms();
    bus_close(bus, 500);
    assert_true(clock_monotonic_ms() - before_ms < 10 * 1000);
}

/* ---- a node goes away ---- */

/* What the killed node runs: joins the group, says so, and waits for its end. */
static int be_a_node(const char *brokers, const char *prefix, const char *embedded)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    place = (struct place){.brokers = brokers,
                           .embedded = embedded[0] == '1' ? (struct embedded_broker *)1 : NULL};
    snprintf(place.prefix, sizeof place.prefix, "%s", prefix);
    desk_open(&desk);
    struct bus *bus = desk_bus(&desk, &place, NULL);
    bus_start(bus);
    const char said = desk_await(&desk, has_notes, 1) ? 'y' : 'n';
    if (write(STDOUT_FILENO, &said, 1) != 1) return 1;
    for (;;) {
        pause();
    }
}

static pid_t spawn_node(int *ret_pipe)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    char brokers[200], prefix[40], embedded[2] = {place.embedded != NULL ? '1' : '0', '\0'};
    snprintf(brokers, sizeof brokers, "%s", place.brokers);
    snprintf(prefix, sizeof prefix, "%s", place.prefix);
    char self[] = "/proc/self/exe", verb[] = "node";
    char *arguments[] = {self, verb, brokers, prefix, embedded, NULL};
    pid_t pid = 0;
    assert_int_equal(posix_spawn(&pid, self, &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *ret_pipe = ends[0];
    return pid;
}

static void what_a_killed_node_had_in_hand_comes_to_the_next_within_its_session(void **state)
{
    (void)state;
    need_a_broker();
    const char *topic = place_topic(&place, "saga.replies");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    send_value(bus, topic, "1");
    int from_node;
    const pid_t node = spawn_node(&from_node);
    char said = 0;
    assert_int_equal(read(from_node, &said, 1), 1);
    assert_int_equal(said, 'y');
    close(from_node);

    kill(node, SIGKILL);
    waitpid(node, NULL, 0);
    const int64_t before_ms = clock_monotonic_ms();
    bus_start(bus);

    assert_true(desk_await(&desk, has_notes, 1));
    assert_string_equal(desk.notes[0].value, "1");
    assert_true(clock_monotonic_ms() - before_ms < 15 * 1000);
    bus_close(bus, 1000);
}

/* ---- starting ---- */

static void assert_refused(const struct bus_options *options, const char *what)
{
    struct bus_callbacks callbacks;
    desk_callbacks(&desk, &callbacks);
    struct bus *bus = NULL;
    struct err err = {0};
    assert_false(bus_open(options, &callbacks, &bus, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    if (strstr(err.text, what) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.text, what);
}

static void a_bad_setting_is_named(void **state)
{
    (void)state;
    const struct bus_options good = {
        .brokers = place.brokers,
        .cluster = "test",
        .topic_prefix = "",
        .group = "g",
        .keys = {.key = {{7}}, .count = 1}
    };
    struct bus_options bad = good;
    bad.extra = "no.such.setting=1";
    assert_refused(&bad, "no.such.setting");
    bad.extra = "acks=all,linger.ms=soon";
    assert_refused(&bad, "linger.ms");
    bad.extra = "acks";
    assert_refused(&bad, "name=value");
    bad.extra = "acks=all,,linger.ms=1";
    assert_refused(&bad, "acks");
    bad = good;
    bad.topic_prefix = "my topics/";
    assert_refused(&bad, "topic prefix");
    bad = good;
    bad.keys.count = 0;
    assert_refused(&bad, "key");
}

static void settings_may_hold_commas(void **state)
{
    (void)state;
    struct bus *bus = desk_bus(
        &desk, &place, "debug=broker,topic,linger.ms=2,partition.assignment.strategy=range");
    bus_close(bus, 0);
    bus_close(NULL, 0);
}

#define EMBEDDED(name) cmocka_unit_test_setup_teardown(name, at_the_embedded_broker, leave)
#define KAFKA(name)    cmocka_unit_test_setup_teardown(name, at_a_real_broker, leave)

int main(int argc, char **argv)
{
    if (sodium_init() < 0) return 1;
    if (argc == 5 && strcmp(argv[1], "node") == 0) return be_a_node(argv[2], argv[3], argv[4]);
    const struct CMUnitTest embedded[] = {
        EMBEDDED(a_broker_that_is_not_there_yet_is_found_when_it_comes),
        EMBEDDED(commands_that_no_broker_takes_in_time_are_reported_each),
        EMBEDDED(a_full_queue_refuses_at_once),
        EMBEDDED(replies_go_on_where_they_stood_when_the_broker_is_back),
        EMBEDDED(a_fault_that_passes_is_waited_out),
        EMBEDDED(a_producer_that_is_broken_for_good_is_replaced),
        EMBEDDED(closing_without_a_broker_takes_seconds_at_most),
        EMBEDDED(what_a_killed_node_had_in_hand_comes_to_the_next_within_its_session),
        EMBEDDED(a_bad_setting_is_named),
        EMBEDDED(settings_may_hold_commas),
    };
    const struct CMUnitTest kafka[] = {
        KAFKA(what_a_killed_node_had_in_hand_comes_to_the_next_within_its_session),
    };
    const int failed = cmocka_run_group_tests_name("embedded broker", embedded, NULL, NULL);
    return failed + cmocka_run_group_tests_name("real broker", kafka, NULL, NULL);
}
