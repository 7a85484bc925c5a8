/*
 * tests/integration/test_bus_desk.c
 *   See test_bus_desk.h.
 */
#include "tests/integration/test_bus_desk.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/bus/topics.h"

#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the broker ---- */

static void choose_prefix(struct place *place)
{
    static unsigned count;
    snprintf(place->prefix, sizeof place->prefix, "t%lx.%u.", (unsigned long)clock_wall_ms(),
             ++count);
}

void place_open_embedded(struct place *place)
{
    struct err err;
    *place = (struct place){0};
    choose_prefix(place);
    assert_true(embedded_start(&place->embedded, &err));
    place->brokers = embedded_brokers(place->embedded);
}

bool place_open_kafka(struct place *place)
{
    *place = (struct place){.brokers = getenv("KAFKA_BROKERS")};
    choose_prefix(place);
    return place->brokers != NULL;
}

void place_close(struct place *place)
{
    embedded_stop(place->embedded);
}

static void make_topic(struct place *place, const char *topic)
{
    struct err err = {0};
    if (place->embedded != NULL) {
        assert_true(embedded_topic(place->embedded, topic, PARTITIONS, &err));
        return;
    }
    struct arena arena = {0};
    struct topic_plan plan = {.name = bytes_of(topic), .partitions = PARTITIONS, .replication = 1};
    if (!topics_apply(place->brokers, &plan, 1, &arena, &err)) fail_msg("%s", err.text);
    arena_done(&arena);
}

const char *place_topic(struct place *place, const char *name)
{
    static char topics[4][200];
    static unsigned next;
    char *topic = topics[next++ % 4];
    snprintf(topic, sizeof topics[0], "%s%s", place->prefix, name);
    make_topic(place, topic);
    return topic;
}

/* ---- the desk ---- */

void desk_open(struct desk *desk)
{
    memset(desk, 0, sizeof *desk);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&desk->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&desk->lock, NULL);
}

void desk_close(struct desk *desk)
{
    arena_done(&desk->arena);
    pthread_mutex_destroy(&desk->lock);
    pthread_cond_destroy(&desk->changed);
}

static void copy_record(struct arena *arena, struct bus_record *copy,
                        const struct bus_record *record)
{
    *copy = *record;
    copy->topic = bytes_copy(arena, record->topic);
    copy->key = bytes_copy(arena, record->key);
    copy->value = bytes_copy(arena, record->value);
    struct bus_header *headers = arena_array(arena, record->header_count + 1, sizeof *headers);
    for (size_t i = 0; i < record->header_count; i++) {
        headers[i].name = bytes_copy(arena, record->headers[i].name);
        headers[i].value = bytes_copy(arena, record->headers[i].value);
    }
    copy->headers = headers;
}

static void on_record(void *context, const struct bus_record *record)
{
    struct desk *desk = context;
    if (desk->slowness_us > 0) usleep(desk->slowness_us);
    pthread_mutex_lock(&desk->lock);
    if (desk->note_count < DESK_RECORDS_MAX) {
        struct note *note = &desk->notes[desk->note_count++];
        copy_record(&desk->arena, &note->record, record);
        note->partition = record->partition;
        note->offset = record->offset;
        snprintf(note->key, sizeof note->key, "%.*s", (int)record->key.size,
                 record->key.data == NULL ? "" : record->key.data);
        snprintf(note->value, sizeof note->value, "%.*s",
                 (int)(record->value.size > 60 ? 60 : record->value.size),
                 record->value.data == NULL ? "" : record->value.data);
        note->value_size = record->value.size;
    }
    pthread_cond_broadcast(&desk->changed);
    pthread_mutex_unlock(&desk->lock);
}

static void set_ours(struct desk *desk, int32_t partition, bool ours)
{
    pthread_mutex_lock(&desk->lock);
    if (partition >= 0 && partition < PARTITIONS) desk->ours[partition] = ours;
    if (ours) {
        desk->assigned++;
    } else {
        desk->revoked++;
    }
    pthread_cond_broadcast(&desk->changed);
    pthread_mutex_unlock(&desk->lock);
}

/* Of the two topics the desk looks after the replies. */
static bool is_reply_topic(const char *topic)
{
    return strstr(topic, "saga.replies") != NULL;
}

static void on_assigned(void *context, const char *topic, int32_t partition)
{
    if (is_reply_topic(topic)) set_ours(context, partition, true);
}

static void on_revoked(void *context, const char *topic, int32_t partition)
{
    if (is_reply_topic(topic)) set_ours(context, partition, false);
}

static void on_undelivered(void *context, const struct uuid *saga_id)
{
    struct desk *desk = context;
    pthread_mutex_lock(&desk->lock);
    desk->undelivered++;
    desk->last_undelivered = *saga_id;
    pthread_cond_broadcast(&desk->changed);
    pthread_mutex_unlock(&desk->lock);
}

static void on_broker(void *context, bool up)
{
    struct desk *desk = context;
    pthread_mutex_lock(&desk->lock);
    desk->up = up;
    if (up) {
        desk->went_up++;
    } else {
        desk->went_down++;
    }
    pthread_cond_broadcast(&desk->changed);
    pthread_mutex_unlock(&desk->lock);
}

void desk_callbacks(struct desk *desk, struct bus_callbacks *ret_callbacks)
{
    *ret_callbacks = (struct bus_callbacks){.context = desk,
                                            .on_record = on_record,
                                            .on_assigned = on_assigned,
                                            .on_revoked = on_revoked,
                                            .on_undelivered = on_undelivered,
                                            .on_broker = on_broker};
}

bool desk_await(struct desk *desk, bool (*is_so)(const struct desk *desk, size_t n), size_t n)
{
    const int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    const struct timespec end = {.tv_sec = end_ms / 1000, .tv_nsec = end_ms % 1000 * 1000000};
    int status = 0;
    pthread_mutex_lock(&desk->lock);
    while (!is_so(desk, n) && status == 0) {
        status = pthread_cond_timedwait(&desk->changed, &desk->lock, &end);
    }
    const bool so = is_so(desk, n);
    pthread_mutex_unlock(&desk->lock);
    return so;
}

bool has_notes(const struct desk *desk, size_t n)
{
    return desk->note_count >= n;
}

bool has_undelivered(const struct desk *desk, size_t n)
{
    return desk->undelivered >= n;
}

bool has_partitions(const struct desk *desk, size_t n)
{
    size_t ours = 0;
    for (size_t i = 0; i < PARTITIONS; i++) {
        ours += desk->ours[i] ? 1 : 0;
    }
    return ours == n;
}

bool is_up(const struct desk *desk, size_t unused)
{
    (void)unused;
    return desk->up;
}

bool is_down(const struct desk *desk, size_t unused)
{
    (void)unused;
    return !desk->up;
}

struct bus *desk_bus(struct desk *desk, struct place *place, const char *extra)
{
    struct bus_callbacks callbacks;
    desk_callbacks(desk, &callbacks);
    char group[80], settings[300];
    snprintf(group, sizeof group, "%snodes", place->prefix);
    /* The embedded broker lets a rebalance take nearly a session, and the first one 3 s. */
    const char *quick = "session.timeout.ms=4000,heartbeat.interval.ms=500";
    snprintf(settings, sizeof settings, "%s,%s", place->embedded != NULL ? quick : "acks=all",
             extra == NULL ? "acks=all" : extra);
    const struct bus_options options = {
        .brokers = place->brokers,
        .cluster = "test",
        .topic_prefix = place->prefix,
        .group = group,
        .extra = settings,
        .embedded = place->embedded != NULL,
        .keys = {.key = {{7}}, .count = 1}
    };
    struct bus *bus = NULL;
    struct err err;
    if (!bus_open(&options, &callbacks, &bus, &err)) fail_msg("%s", err.text);
    return bus;
}

/* ---- an independent reader ---- */

static void note_message(struct desk *desk, const rd_kafka_message_t *message)
{
    enum { HEADERS_MAX = 40 };
    struct bus_header headers[HEADERS_MAX];
    rd_kafka_headers_t *list = NULL;
    struct bus_record record = {
        .topic = bytes_of(rd_kafka_topic_name(message->rkt)),
        .partition = message->partition,
        .offset = message->offset,
        .key = {message->key,     message->key_len},
        .value = {message->payload, message->len    },
        .headers = headers
    };
    if (rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char *name = NULL;
        const void *value = NULL;
        size_t size = 0;
        while (record.header_count < HEADERS_MAX &&
               rd_kafka_header_get_all(list, record.header_count, &name, &value, &size) ==
                   RD_KAFKA_RESP_ERR_NO_ERROR) {
            headers[record.header_count++] = (struct bus_header){
                bytes_of(name), {value, size}
            };
        }
    }
    on_record(desk, &record);
}

bool read_topic(struct place *place, struct desk *desk, const char *topic, size_t count)
{
    char text[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", place->brokers, text, sizeof text);
    rd_kafka_conf_set(conf, "group.id", "reader", text, sizeof text);
    rd_kafka_conf_set(conf, "enable.auto.commit", "false", text, sizeof text);
    rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", text, sizeof text);
    rd_kafka_t *reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    assert_non_null(reader);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++) {
        rd_kafka_topic_partition_list_add(all, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_assign(reader, all);
    rd_kafka_topic_partition_list_destroy(all);

    const int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    const size_t wanted = desk->note_count + count;
    while (desk->note_count < wanted && clock_monotonic_ms() < end_ms) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, 100);
        if (message == NULL) continue;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) note_message(desk, message);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
    return desk->note_count >= wanted;
}

const char *note_header(struct desk *desk, const struct note *note, const char *name)
{
    for (size_t i = 0; i < note->record.header_count; i++) {
        if (bytes_equal_text(note->record.headers[i].name, name)) {
            return arena_copy(&desk->arena, note->record.headers[i].value.data,
                              note->record.headers[i].value.size);
        }
    }
    return "";
}

/* ---- commands ---- */

void order_init(struct order *order, const char *topic, uint8_t number)
{
    memset(order, 0, sizeof *order);
    order->step.id = BYTES("charge");
    order->send.topic = bytes_of(topic);
    order->send.type = BYTES("com.example.charge");
    struct command *command = &order->command;
    memset(command->saga_id.byte, number, sizeof command->saga_id.byte);
    uuid_print(&command->saga_id, order->id_text);
    command->step = &order->step;
    command->send = &order->send;
    command->index = INDEX_NONE;
    command->op = OP_ACTION;
    command->attempt = 1;
    command->key = bytes_of(order->id_text);
    command->value = BYTES("{\"amount\":0.10}");
    command->expires_at_ms = 1700000007089;
    order->saga.definition = BYTES("shop/3");
    order->saga.now_ms = 1700000000123;
}
