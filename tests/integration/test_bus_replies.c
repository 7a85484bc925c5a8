/*
 * tests/integration/test_bus_replies.c
 *   Replies and signals in, on the embedded broker and, with KAFKA_BROKERS set, on a real one.
 */
#include "orchestrator/bus/reply.h"
#include "orchestrator/bus/signal.h"
#include "tests/integration/test_bus_stand.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

/* n different ones. A topic that is found late moves the partitions: records may come again. */
static bool has_signals(const struct desk *at, size_t n)
{
    int64_t highest = -1;
    size_t count = 0;
    for (size_t i = 0; i < at->note_count; i++) {
        const struct note *note = &at->notes[i];
        if (!signal_is_one(&note->record) || note->offset <= highest) continue;
        highest = note->offset;
        count++;
    }
    return count >= n;
}

/* All of one partition. */
static void send_signals(struct bus *bus, struct bytes topic, int count)
{
    for (int i = 0; i < count; i++) {
        const struct bus_record record = {.topic = topic, .key = BYTES("k"), .value = BYTES("1")};
        assert_true(bus_send_record(bus, &record));
    }
}

static bool has_a_reply_and_a_signal(const struct desk *at, size_t unused)
{
    size_t replies = 0;
    (void)unused;
    for (size_t i = 0; i < at->note_count; i++) {
        replies += signal_is_one(&at->notes[i].record) ? 0 : 1;
    }
    return replies > 0 && has_signals(at, 1);
}

static void signals_come_beside_the_replies_and_are_read_on_where_they_were_stored(void **state)
{
    (void)state;
    need_a_broker();
    place_topic(&place, "saga.replies");
    const struct bytes topic = bytes_of(place_topic(&place, "saga.signals"));
    struct bus *first = desk_bus(&desk, &place, NULL);
    bus_start(first);
    send_reply(first, "k", "reply");
    send_signals(first, topic, 3);
    assert_true(desk_await(&desk, has_signals, 3));
    assert_true(desk_await(&desk, has_a_reply_and_a_signal, 0));
    size_t any = 0;
    while (!signal_is_one(&desk.notes[any].record)) {
        any++;
    }
    const int32_t partition = desk.notes[any].partition;

    bus_store_offset(first, topic, partition, 1); /* the second of them; not the reply */
    bus_close(first, 1000);

    struct bus *second = desk_bus(&other_desk, &place, NULL);
    bus_start(second);
    assert_true(desk_await(&other_desk, has_a_reply_and_a_signal, 0));
    bus_close(second, 1000);
    for (size_t i = 0; i < other_desk.note_count; i++) {
        const struct note *note = &other_desk.notes[i];
        if (signal_is_one(&note->record)) assert_int_equal(note->offset, 2);
    }
}

static void replies_come_where_nobody_has_made_the_topic_of_signals(void **state)
{
    (void)state;
    need_a_broker();
    place_topic(&place, "saga.replies");
    struct bus *bus = desk_bus(&desk, &place, NULL);
    bus_start(bus);
    send_reply(bus, "k", "1");
    assert_true(desk_await(&desk, has_notes, 1));

    send_signals(bus, bytes_of(place_topic(&place, "saga.signals")), 1);
    assert_true(desk_await(&desk, has_signals, 1));
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

#define TESTS(arrive)                                                                              \
    {                                                                                              \
        TEST(a_reply_comes_as_it_was_sent, arrive),                                                \
            TEST(replies_of_a_saga_keep_their_order, arrive),                                      \
            TEST(a_reply_of_any_size_is_handed_over, arrive),                                      \
            TEST(a_forged_reply_is_told_from_a_real_one, arrive),                                  \
            TEST(signals_come_beside_the_replies_and_are_read_on_where_they_were_stored, arrive),  \
            TEST(replies_come_where_nobody_has_made_the_topic_of_signals, arrive),                 \
            TEST(only_what_was_stored_counts_as_read, arrive),                                     \
            TEST(an_offset_stored_after_the_last_callback_still_counts, arrive),                   \
            TEST(closing_amid_unread_replies_loses_none, arrive),                                  \
            TEST(nodes_share_the_partitions_and_take_over_from_one_that_leaves, arrive),           \
    }

int main(void)
{
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest embedded[] = TESTS(at_the_embedded_broker);
    const struct CMUnitTest kafka[] = TESTS(at_a_real_broker);
    const int failed = cmocka_run_group_tests_name("embedded broker", embedded, NULL, NULL);
    return failed + cmocka_run_group_tests_name("real broker", kafka, NULL, NULL);
}
