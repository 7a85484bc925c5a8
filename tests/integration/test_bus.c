/*
 * tests/integration/test_bus.c
 *   Commands out and replies in, on the embedded broker and, with KAFKA_BROKERS set, on a real one.
 */
#include "orchestrator/bus/reply.h"
#include "orchestrator/bus/topics.h"
#include "tests/integration/test_bus_desk.h"

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

static struct place place;
static struct desk desk, other_desk;

static int at_the_embedded_broker(void **state)
{
    (void)state;
    place_open_embedded(&place);
    desk_open(&desk);
    desk_open(&other_desk);
    return 0;
}

static int at_a_real_broker(void **state)
{
    (void)state;
    desk_open(&desk);
    desk_open(&other_desk);
    if (!place_open_kafka(&place)) {
        print_message("             KAFKA_BROKERS is not set: no real broker to test against\n");
    }
    return 0;
}

static int leave(void **state)
{
    (void)state;
    desk_close(&desk);
    desk_close(&other_desk);
    place_close(&place);
    return 0;
}

static void need_a_broker(void)
{
    if (place.brokers == NULL) skip();
}

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

/* ---- replies ---- */

static void send_reply(struct bus *bus, const char *key, const char *value)
{
    const struct bus_header headers[] = {
        {BYTES("ce_sagaoutcome"), BYTES("success")},
        {BYTES("x-null"),         {0}             },
    };
    const struct bus_record record = {.topic = bytes_of(bus_reply_topic(bus)),
                                      .key = bytes_of(key),
                                      .value = bytes_of(value),
                                      .headers = headers,
                                      .header_count = 2};
    assert_true(bus_send_record(bus, &record));
}

static void a_reply_comes_as_it_was_sent(void **state)
{
    (void)state;
    need_a_broker();
    place_topic(&place, "saga.replies");
    struct bus *bus = desk_bus(&desk, &place, NULL);

    send_reply(bus, "k", "{\"a\":0.10}");
    send_reply(bus, NULL, NULL);
    bus_start(bus);
    assert_true(desk_await(&desk, has_notes, 2));
    bus_stop_consuming(bus);

    const size_t keyed = desk.notes[0].record.key.data != NULL ? 0 : 1;
    const struct bus_record *reply = &desk.notes[keyed].record;
    const struct bus_record *empty = &desk.notes[1 - keyed].record;
    assert_true(bytes_equal_text(reply->topic, bus_reply_topic(bus)));
    assert_string_equal(desk.notes[keyed].value, "{\"a\":0.10}");
    assert_int_equal(reply->partition,
                     bus_partition_of(bus, bytes_of(bus_reply_topic(bus)), BYTES("k")));
    assert_true(reply->at_ms > 1700000000000);
    assert_int_equal(reply->header_count, 2);
    assert_true(bytes_equal_text(reply->headers[0].name, "ce_sagaoutcome"));
    assert_true(bytes_equal_text(reply->headers[0].value, "success"));
    assert_null(reply->headers[1].value.data);
    assert_null(empty->key.data);
    assert_null(empty->value.data);
    bus_close(bus, 1000);
}

static void replies_of_a_saga_keep_their_order(void **state)
{
    (void)state;
    need_a_broker();
    enum { KEYS = 10, EACH = 100 };
    place_topic(&place, "saga.replies");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    bus_start(bus);
    for (int i = 0; i < EACH; i++) {
        for (int k = 0; k < KEYS; k++) {
            char key[12], value[12];
            snprintf(key, sizeof key, "%d", k);
            snprintf(value, sizeof value, "%d", i);
            send_reply(bus, key, value);
        }
    }

    assert_true(desk_await(&desk, has_notes, (size_t)KEYS * EACH));

    long next[KEYS] = {0};
    for (size_t i = 0; i < desk.note_count; i++) {
        const long key = strtol(desk.notes[i].key, NULL, 10);
        assert_int_equal(strtol(desk.notes[i].value, NULL, 10), next[key]++);
    }
    bus_close(bus, 1000);
}

static void a_reply_of_any_size_is_handed_over(void **state)
{
    (void)state;
    need_a_broker();
    place_topic(&place, "saga.replies");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    bus_start(bus);
    const size_t size = 900 * 1000;
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    text[size] = '\0';

    send_reply(bus, "k", text);
    send_reply(bus, "k", "1");

    assert_true(desk_await(&desk, has_notes, 2));
    assert_int_equal(desk.notes[0].value_size, size);
    assert_string_equal(desk.notes[1].value, "1");
    free(text);
    bus_close(bus, 1000);
}

static void a_forged_reply_is_told_from_a_real_one(void **state)
{
    (void)state;
    need_a_broker();
    const char *topic = place_topic(&place, "shop.commands");
    place_topic(&place, "saga.replies");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    struct order order;
    order_init(&order, topic, 0xab);
    assert_true(bus_send_command(bus, &order.command, &order.saga));
    assert_true(read_topic(&place, &other_desk, topic, 1));
    const char *token = note_header(&other_desk, &other_desk.notes[0], "ce_sagatoken");

    struct bus_header headers[] = {
        {BYTES("ce_sagatoken"),   bytes_of(token) },
        {BYTES("ce_sagaoutcome"), BYTES("success")},
    };
    const struct bus_record record = {.topic = bytes_of(bus_reply_topic(bus)),
                                      .key = order.command.key,
                                      .headers = headers,
                                      .header_count = 2};
    assert_true(bus_send_record(bus, &record));
    headers[1].value = BYTES("succeeded");
    assert_true(bus_send_record(bus, &record));
    headers[0].value = BYTES("AQIDBA");
    assert_true(bus_send_record(bus, &record));
    bus_start(bus);
    assert_true(desk_await(&desk, has_notes, 3));

    static const enum reply_result EXPECTED[] = {REPLY_VALID, REPLY_MALFORMED, REPLY_FORGED};
    const struct token_keys keys = {.key = {{7}}, .count = 1};
    for (size_t i = 0; i < 3; i++) {
        struct reply reply;
        assert_int_equal(reply_read(&desk.notes[i].record, &keys, &desk.arena, &reply),
                         EXPECTED[i]);
    }
    bus_close(bus, 1000);
}

/* ---- offsets and groups ---- */

static void only_what_was_stored_counts_as_read(void **state)
{
    (void)state;
    need_a_broker();
    place_topic(&place, "saga.replies");
    struct bus *first = desk_bus(&desk, &place, NULL);
    bus_start(first);
    for (int i = 0; i < 10; i++) {
        char value[12];
        snprintf(value, sizeof value, "%d", i);
        send_reply(first, "k", value);
    }
    assert_true(desk_await(&desk, has_notes, 10));

    bus_store_offset(first, bytes_of(bus_reply_topic(first)), desk.notes[3].partition,
                     desk.notes[3].offset);
    bus_close(first, 1000);

    struct bus *second = desk_bus(&other_desk, &place, NULL);
    bus_start(second);
    assert_true(desk_await(&other_desk, has_notes, 6));
    assert_string_equal(other_desk.notes[0].value, "4");
    assert_string_equal(other_desk.notes[5].value, "9");
    bus_close(second, 1000);
}

static void an_offset_stored_after_the_last_callback_still_counts(void **state)
{
    (void)state;
    need_a_broker();
    place_topic(&place, "saga.replies");
    struct bus *first = desk_bus(&desk, &place, NULL);
    bus_start(first);
    send_reply(first, "k", "0");
    send_reply(first, "k", "1");
    assert_true(desk_await(&desk, has_notes, 2));

    bus_stop_consuming(first);
    bus_store_offset(first, bytes_of(bus_reply_topic(first)), desk.notes[0].partition,
                     desk.notes[0].offset);
    send_reply(first, "k", "2");
    bus_close(first, 5000);

    assert_int_equal(desk.note_count, 2);
    struct bus *second = desk_bus(&other_desk, &place, NULL);
    bus_start(second);
    assert_true(desk_await(&other_desk, has_notes, 2));
    assert_string_equal(other_desk.notes[0].value, "1");
    assert_string_equal(other_desk.notes[1].value, "2");
    bus_close(second, 1000);
}

static void closing_amid_unread_replies_loses_none(void **state)
{
    (void)state;
    need_a_broker();
    enum { COUNT = 400 };
    place_topic(&place, "saga.replies");
    struct bus *first = desk_bus(&desk, &place, NULL);
    for (int i = 0; i < COUNT; i++) {
        send_reply(first, "k", "1");
    }
    desk.slowness_us = 2000;
    bus_start(first);
    assert_true(desk_await(&desk, has_notes, 1));

    bus_stop_consuming(first);
    const size_t taken = desk.note_count;
    assert_true(taken < COUNT);
    bus_store_offset(first, desk.notes[0].record.topic, desk.notes[0].partition,
                     desk.notes[taken - 1].offset);
    bus_close(first, 1000);

    assert_int_equal(desk.note_count, taken);
    struct bus *second = desk_bus(&other_desk, &place, NULL);
    bus_start(second);
    assert_true(desk_await(&other_desk, has_notes, COUNT - taken));
    assert_int_equal(other_desk.notes[0].offset, desk.notes[taken - 1].offset + 1);
    bus_close(second, 1000);
}

static void nodes_share_the_partitions_and_take_over_from_one_that_leaves(void **state)
{
    (void)state;
    need_a_broker();
    place_topic(&place, "saga.replies");
    struct bus *first = desk_bus(&desk, &place, NULL);
    bus_start(first);
    assert_true(desk_await(&desk, has_partitions, PARTITIONS));

    struct bus *second = desk_bus(&other_desk, &place, NULL);
    bus_start(second);
    assert_true(desk_await(&other_desk, has_partitions, PARTITIONS / 2));
    assert_true(desk_await(&desk, has_partitions, PARTITIONS / 2));
    for (int i = 0; i < PARTITIONS; i++) {
        assert_true(desk.ours[i] != other_desk.ours[i]);
    }

    bus_close(first, 1000);
    assert_true(desk_await(&other_desk, has_partitions, PARTITIONS));
    bus_close(second, 1000);
}

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

/* ---- topics ---- */

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

#define TEST(name, arrive) cmocka_unit_test_setup_teardown(name, arrive, leave)
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
            TEST(a_reply_comes_as_it_was_sent, arrive),                                            \
            TEST(replies_of_a_saga_keep_their_order, arrive),                                      \
            TEST(a_reply_of_any_size_is_handed_over, arrive),                                      \
            TEST(a_forged_reply_is_told_from_a_real_one, arrive),                                  \
            TEST(only_what_was_stored_counts_as_read, arrive),                                     \
            TEST(an_offset_stored_after_the_last_callback_still_counts, arrive),                   \
            TEST(closing_amid_unread_replies_loses_none, arrive),                                  \
            TEST(nodes_share_the_partitions_and_take_over_from_one_that_leaves, arrive),           \
            TEST(a_missing_topic_is_waited_for, arrive),                                           \
            TEST(the_lag_is_what_the_group_has_not_read, arrive),                                  \
            TEST(topics_are_planned_made_and_then_there, arrive),                                  \
            TEST(a_topic_that_cannot_be_made_says_why, arrive),                                    \
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
