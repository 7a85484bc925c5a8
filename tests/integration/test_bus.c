/*
 * tests/integration/test_bus.c
 *   Commands out, on the embedded broker and, with KAFKA_BROKERS set, on a real one.
 */
#include "tests/integration/test_bus_stand.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <cmocka.h>

/* ---- commands ---- */

static void assert_header(const struct note *note, const char *name, const char *expected)
{
    const char *value = note_header(&desk, note, name);
    if (strcmp(value, expected) != 0) fail_msg("%s is \"%s\", not \"%s\"", name, value, expected);
}

static void assert_no_header_twice(const struct note *note)
{
    for (size_t i = 0; i < note->record.header_count; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_false(bytes_equal(note->record.headers[i].name, note->record.headers[j].name));
        }
    }
}

static void assert_token(const struct note *note, const struct order *order)
{
    const struct token_keys keys = {.key = {{7}}, .count = 1};
    struct token token;
    assert_int_equal(token_parse(&keys, bytes_of(note_header(&desk, note, "ce_sagatoken")), &token),
                     TOKEN_VALID);
    assert_true(uuid_equal(&token.saga_id, &order->command.saga_id));
    assert_string_equal(token.step_id, "charge");
    assert_int_equal(token.op, order->command.op);
    assert_int_equal(token.attempt, order->command.attempt);
    assert_int_equal(token.index, order->command.index);
}

static void a_command_arrives_with_every_header_of_the_contract(void **state)
{
    (void)state;
    need_a_broker();
    const char *topic = place_topic(&place, "shop.commands");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    struct order order;
    order_init(&order, topic, 0xab);

    assert_true(bus_send_command(bus, &order.command, &order.saga));
    assert_true(read_topic(&place, &desk, topic, 1));

    const struct note *note = &desk.notes[0];
    const char *id = "abababab-abab-abab-abab-abababababab";
    assert_string_equal(note->key, id);
    assert_string_equal(note->value, "{\"amount\":0.10}");
    assert_header(note, "content-type", "application/json");
    assert_header(note, "ce_specversion", "1.0");
    assert_header(note, "ce_id", "abababab-abab-abab-abab-abababababab/charge/action/1");
    assert_header(note, "ce_source", "/sagad/test");
    assert_header(note, "ce_type", "com.example.charge");
    assert_header(note, "ce_time", "2023-11-14T22:13:20.123Z");
    assert_header(note, "ce_subject", id);
    assert_header(note, "ce_idempotencykey", "abababab-abab-abab-abab-abababababab/charge");
    assert_header(note, "ce_sagaop", "action");
    assert_header(note, "ce_sagastep", "charge");
    assert_header(note, "ce_sagadef", "shop/3");
    assert_header(note, "ce_sagaattempt", "1");
    assert_header(note, "ce_sagareplyto", bus_reply_topic(bus));
    assert_header(note, "ce_expirytime", "2023-11-14T22:13:27.089Z");
    assert_header(note, "tracestate", "");
    assert_token(note, &order);
    assert_int_equal(note->record.header_count, 16);
    assert_no_header_twice(note);
    bus_close(bus, 1000);
}

static void an_undo_of_an_item_says_so(void **state)
{
    (void)state;
    need_a_broker();
    const char *topic = place_topic(&place, "undo.commands");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    struct order order;
    order_init(&order, topic, 0xab);
    order.command.op = OP_COMPENSATE;
    order.command.index = 12;
    order.command.attempt = 4;
    order.command.key = BYTES("c-7");

    assert_true(bus_send_command(bus, &order.command, &order.saga));
    assert_true(read_topic(&place, &desk, topic, 1));

    const struct note *note = &desk.notes[0];
    assert_string_equal(note->key, "c-7");
    assert_header(note, "ce_idempotencykey", "abababab-abab-abab-abab-abababababab/charge/12");
    assert_header(note, "ce_id", "abababab-abab-abab-abab-abababababab/charge/12/compensate/4");
    assert_header(note, "ce_sagaop", "compensate");
    assert_header(note, "ce_sagaattempt", "4");
    assert_token(note, &order);
    bus_close(bus, 1000);
}

static void headers_of_the_definition_go_along(void **state)
{
    (void)state;
    need_a_broker();
    const char *topic = place_topic(&place, "custom.commands");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    struct order order;
    order_init(&order, topic, 0xab);
    const struct send_header headers[] = {
        {.name = BYTES("x-shop")}, {.name = BYTES("x-none")}, {.name = BYTES("x-empty")}};
    const struct bytes values[] = {BYTES("north"), {0}, BYTES("")};
    order.send.headers = headers;
    order.send.header_count = 3;
    order.command.headers = values;

    assert_true(bus_send_command(bus, &order.command, &order.saga));
    assert_true(read_topic(&place, &desk, topic, 1));

    assert_header(&desk.notes[0], "x-shop", "north");
    assert_int_equal(desk.notes[0].record.header_count, 16 + 2);
    bus_close(bus, 1000);
}

static void assert_trace(const struct note *note, const char *trace_id, const char *flags)
{
    const char *parent = note_header(&desk, note, "traceparent");
    assert_int_equal(strlen(parent), 55);
    assert_memory_equal(parent, "00-", 3);
    assert_memory_equal(parent + 3, trace_id, 32);
    assert_memory_equal(parent + 53, flags, 2);
}

static void a_saga_is_one_trace_with_a_span_for_each_attempt(void **state)
{
    (void)state;
    need_a_broker();
    const char *topic = place_topic(&place, "trace.commands");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    struct order order;
    order_init(&order, topic, 0xab);

    assert_true(bus_send_command(bus, &order.command, &order.saga));
    assert_true(bus_send_command(bus, &order.command, &order.saga));
    order.command.attempt = 2;
    assert_true(bus_send_command(bus, &order.command, &order.saga));
    assert_true(read_topic(&place, &desk, topic, 3));

    const char *first = note_header(&desk, &desk.notes[0], "traceparent");
    for (size_t i = 0; i < 3; i++) {
        assert_trace(&desk.notes[i], "abababababababababababababababab", "01");
    }
    assert_string_equal(note_header(&desk, &desk.notes[1], "traceparent"), first);
    assert_string_not_equal(note_header(&desk, &desk.notes[2], "traceparent"), first);
    bus_close(bus, 1000);
}

static void the_trace_of_the_caller_is_continued(void **state)
{
    (void)state;
    need_a_broker();
    const char *topic = place_topic(&place, "caller.commands");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    struct order order;
    order_init(&order, topic, 0xab);
    order.saga.trace = BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
    order.saga.trace_state = BYTES("vendor=1");

    assert_true(bus_send_command(bus, &order.command, &order.saga));
    order.saga.trace = BYTES("00-00000000000000000000000000000000-00f067aa0ba902b7-01");
    assert_true(bus_send_command(bus, &order.command, &order.saga));
    assert_true(read_topic(&place, &desk, topic, 2));

    assert_trace(&desk.notes[0], "4bf92f3577b34da6a3ce929d0e0e4736", "00");
    assert_null(strstr(note_header(&desk, &desk.notes[0], "traceparent"), "00f067aa0ba902b7"));
    assert_header(&desk.notes[0], "tracestate", "vendor=1");
    assert_trace(&desk.notes[1], "abababababababababababababababab", "01");
    assert_header(&desk.notes[1], "tracestate", "");
    bus_close(bus, 1000);
}

static void a_command_goes_to_the_partition_that_was_foretold(void **state)
{
    (void)state;
    need_a_broker();
    const char *topic = place_topic(&place, "partition.commands");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    for (uint8_t i = 1; i <= 20; i++) {
        struct order order;
        order_init(&order, topic, i);
        assert_true(bus_send_command(bus, &order.command, &order.saga));
    }

    assert_true(read_topic(&place, &desk, topic, 20));

    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(bus_partition_of(bus, bytes_of(topic), bytes_of(desk.notes[i].key)),
                         desk.notes[i].partition);
    }
    /* What Java's default partitioner says: a participant's own arithmetic may rely on it. */
    assert_int_equal(bus_partition_of(bus, bytes_of(topic), BYTES("kafka")),
                     0xd067cf64 % PARTITIONS);
    assert_int_equal(bus_partition_of(bus, bytes_of(topic), (struct bytes){0}), -1);
    assert_int_equal(bus_partition_of(bus, BYTES(""), BYTES("k")), -1);
    bus_close(bus, 1000);
}

static void the_largest_input_arrives_whole(void **state)
{
    (void)state;
    need_a_broker();
    const char *topic = place_topic(&place, "large.commands");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    struct order order;
    order_init(&order, topic, 1);
    char *text = malloc(PAYLOAD_SIZE_MAX);
    memset(text, 'x', PAYLOAD_SIZE_MAX);
    text[0] = text[PAYLOAD_SIZE_MAX - 1] = '"';
    order.command.value = (struct bytes){text, PAYLOAD_SIZE_MAX};

    assert_true(bus_send_command(bus, &order.command, &order.saga));
    assert_true(read_topic(&place, &desk, topic, 1));

    assert_true(bytes_equal(desk.notes[0].record.value, order.command.value));
    free(text);
    bus_close(bus, 1000);
}

static void a_command_that_no_broker_would_take_is_reported_alone(void **state)
{
    (void)state;
    need_a_broker();
    const char *topic = place_topic(&place, "small.commands");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    struct order order;
    order_init(&order, topic, 1);
    const size_t size = 3 * 1024 * 1024;
    char *text = calloc(1, size);
    order.command.value = (struct bytes){text, size};

    assert_true(bus_send_command(bus, &order.command, &order.saga));
    assert_true(desk_await(&desk, has_undelivered, 1));

    assert_true(uuid_equal(&desk.last_undelivered, &order.command.saga_id));
    char name[300];
    memset(name, 'n', sizeof name);
    order.send.topic = (struct bytes){name, sizeof name};
    order.command.value = BYTES("{}");
    assert_true(bus_send_command(bus, &order.command, &order.saga));
    assert_true(desk_await(&desk, has_undelivered, 2));
    free(text);
    bus_close(bus, 1000);
}

/* ---- the embedded broker ---- */

/* Of a connection that the broker of this process accepted; false: the file is no such thing. */
static bool is_of_the_broker(int fd, uint16_t port)
{
    struct sockaddr_in near = {0}, far;
    socklen_t near_size = sizeof near, far_size = sizeof far;
    return getsockname(fd, (struct sockaddr *)&near, &near_size) == 0 &&
           near.sin_family == AF_INET && ntohs(near.sin_port) == port &&
           getpeername(fd, (struct sockaddr *)&far, &far_size) == 0;
}

/* Else an answer waits until the client has confirmed the one before: up to 40 ms. */
static void the_embedded_broker_holds_no_answer_back(void **state)
{
    (void)state;
    struct bus *bus = desk_bus(&desk, &place, NULL);
    assert_true(desk_await(&desk, is_up, 0));
    const uint16_t port = (uint16_t)atoi(strrchr(place.brokers, ':') + 1);

    int connections = 0;
    for (int fd = 0; fd < FD_SETSIZE; fd++) {
        if (!is_of_the_broker(fd, port)) continue;
        int nodelay = 0;
        socklen_t size = sizeof nodelay;
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &size), 0);
        assert_true(nodelay);
        connections++;
    }

    assert_true(connections > 0);
    bus_close(bus, 1000);
}

#define TESTS(arrive)                                                                              \
    {                                                                                              \
        TEST(a_command_arrives_with_every_header_of_the_contract, arrive),                         \
            TEST(an_undo_of_an_item_says_so, arrive),                                              \
            TEST(headers_of_the_definition_go_along, arrive),                                      \
            TEST(a_saga_is_one_trace_with_a_span_for_each_attempt, arrive),                        \
            TEST(the_trace_of_the_caller_is_continued, arrive),                                    \
            TEST(a_command_goes_to_the_partition_that_was_foretold, arrive),                       \
            TEST(the_largest_input_arrives_whole, arrive),                                         \
            TEST(a_command_that_no_broker_would_take_is_reported_alone, arrive),                   \
    }

int main(void)
{
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest embedded[] = TESTS(at_the_embedded_broker);
    const struct CMUnitTest kafka[] = TESTS(at_a_real_broker);
    const struct CMUnitTest alone[] = {
        TEST(the_embedded_broker_holds_no_answer_back, at_the_embedded_broker),
    };
    const int failed = cmocka_run_group_tests_name("embedded broker", embedded, NULL, NULL) +
                       cmocka_run_group_tests_name("embedded broker alone", alone, NULL, NULL);
    return failed + cmocka_run_group_tests_name("real broker", kafka, NULL, NULL);
}
