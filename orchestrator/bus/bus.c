/*
 * orchestrator/bus/bus.c
 *   See bus.h: a producer, a consumer and what both are told.
 */
#include "orchestrator/bus/bus.h"

#include "orchestrator/bus/command.h"
#include "orchestrator/bus/consumer.h"
#include "orchestrator/bus/event.h"
#include "orchestrator/bus/lag.h"
#include "orchestrator/bus/producer.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTITION_OF_MS = 500 };

struct bus {
    struct bus_options options; /* texts are our own copies */
    struct bus_callbacks callbacks;
    char *source, *reply_topic, *signal_topic, *dead_letter_topic, *event_topic;
    struct producer *producer;
    struct consumer *consumer;
    struct lag *lag;
};

static char *join(const char *first, const char *second)
{
    const size_t size = strlen(first) + strlen(second) + 1;
    char *text = malloc(size);
    if (text == NULL) abort();
    snprintf(text, size, "%s%s", first, second);
    return text;
}

static char *copy_text(const char *text)
{
    return text == NULL ? NULL : join(text, "");
}

/* Fields of struct bus_options are const because callers lend them; these are ours. */
static void free_text(const char *text)
{
    free((void *)(uintptr_t)text);
}

static void copy_options(struct bus *bus, const struct bus_options *options)
{
    bus->options = *options;
    bus->options.brokers = copy_text(options->brokers);
    bus->options.cluster = copy_text(options->cluster);
    bus->options.topic_prefix =
        copy_text(options->topic_prefix == NULL ? "" : options->topic_prefix);
    bus->options.group = copy_text(options->group);
    bus->options.instance = copy_text(options->instance);
    bus->options.extra = copy_text(options->extra);
    bus->source = join("/sagad/", options->cluster);
    bus->reply_topic = join(bus->options.topic_prefix, "saga.replies");
    bus->signal_topic = join(bus->options.topic_prefix, "saga.signals");
    bus->dead_letter_topic = join(bus->options.topic_prefix, "saga.replies.dlt");
    bus->event_topic = join(bus->options.topic_prefix, "saga.events");
}

static void free_bus(struct bus *bus)
{
    free_text(bus->options.brokers);
    free_text(bus->options.cluster);
    free_text(bus->options.topic_prefix);
    free_text(bus->options.group);
    free_text(bus->options.instance);
    free_text(bus->options.extra);
    free(bus->source);
    free(bus->reply_topic);
    free(bus->signal_topic);
    free(bus->dead_letter_topic);
    free(bus->event_topic);
    sodium_memzero(&bus->options.keys, sizeof bus->options.keys);
    free(bus);
}

static bool is_topic_name(const char *name)
{
    const size_t size = strlen(name);
    const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return size <= 249 && strspn(name, allowed) == size;
}

bool bus_open(const struct bus_options *options, const struct bus_callbacks *callbacks,
              struct bus **ret_bus, struct err *err)
{
    if (sodium_init() < 0) return err_set(err, ERR_INTERNAL, "libsodium does not start");
    if (options->keys.count < 1 || options->keys.count > 2) {
        return err_set(err, ERR_INVALID, "one or two keys for reply tokens are needed, not %zu",
                       options->keys.count);
    }
    struct bus *bus = calloc(1, sizeof *bus);
    if (bus == NULL) abort();
    copy_options(bus, options);
    bus->callbacks = *callbacks;
    if (!is_topic_name(bus->dead_letter_topic)) {
        err_set(err, ERR_INVALID,
                "topic prefix \"%.60s\": only letters, digits, '.', '_' and '-' are allowed",
                bus->options.topic_prefix);
        free_bus(bus);
        return false;
    }
    if (!consumer_open(&bus->options, &bus->callbacks,
                       (const char *[CONSUMER_TOPICS]){bus->reply_topic, bus->signal_topic},
                       &bus->consumer, err) ||
        !producer_open(&bus->options, &bus->callbacks, &bus->producer, err)) {
        consumer_close(bus->consumer);
        free_bus(bus);
        return false;
    }
    bus->lag = lag_open(bus->producer);
    *ret_bus = bus;
    return true;
}

void bus_start(struct bus *bus)
{
    consumer_start(bus->consumer);
}

void bus_stop_consuming(struct bus *bus)
{
    consumer_stop(bus->consumer);
}

void bus_close(struct bus *bus, uint32_t flush_ms)
{
    if (bus == NULL) return;
    consumer_close(bus->consumer);
    lag_close(bus->lag);
    producer_close(bus->producer, flush_ms);
    free_bus(bus);
}

bool bus_send_command(struct bus *bus, const struct command *command, const struct bus_saga *saga)
{
    const struct command_origin origin = {
        .source = bus->source, .reply_topic = bus->reply_topic, .keys = &bus->options.keys};
    const struct outgoing outgoing = {.topic = command->send->topic,
                                      .key = command->key,
                                      .value = command->value,
                                      .headers = command_headers(&origin, command, saga),
                                      .saga_id = &command->saga_id};
    return producer_send(bus->producer, &outgoing);
}

bool bus_send_record(struct bus *bus, const struct bus_record *record)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count);
    for (size_t i = 0; i < record->header_count; i++) {
        const struct bus_header *header = &record->headers[i];
        rd_kafka_header_add(headers, header->name.data, (ssize_t)header->name.size,
                            header->value.data, (ssize_t)header->value.size);
    }
    const struct outgoing outgoing = {
        .topic = record->topic, .key = record->key, .value = record->value, .headers = headers};
    return producer_send(bus->producer, &outgoing);
}

bool bus_send_event(struct bus *bus, const struct bus_event *event, struct bus_receipt *receipt)
{
    char key[UUID_TEXT_SIZE];
    uuid_print(&event->saga_id, key);
    const struct outgoing outgoing = {.topic = bytes_of(bus->event_topic),
                                      .key = bytes_of(key),
                                      .value = event->value,
                                      .headers = event_headers(bus->source, event),
                                      .receipt = receipt};
    return producer_send(bus->producer, &outgoing);
}

void bus_flush_soon(struct bus *bus)
{
    producer_flush_soon(bus->producer);
}

void bus_store_offset(struct bus *bus, struct bytes topic, int32_t partition, int64_t offset)
{
    consumer_store(bus->consumer, topic, partition, offset);
}

bool bus_is_up(struct bus *bus)
{
    return producer_is_up(bus->producer);
}

const char *bus_reply_topic(const struct bus *bus)
{
    return bus->reply_topic;
}

const char *bus_signal_topic(const struct bus *bus)
{
    return bus->signal_topic;
}

const char *bus_dead_letter_topic(const struct bus *bus)
{
    return bus->dead_letter_topic;
}

int32_t bus_reply_partitions(struct bus *bus, uint32_t timeout_ms)
{
    return lag_partitions(bus->lag, bytes_of(bus->reply_topic), timeout_ms);
}

int32_t bus_partition_among(struct bytes key, int32_t count)
{
    return rd_kafka_msg_partitioner_murmur2(NULL, key.data, key.size, count, NULL, NULL);
}

int32_t bus_partition_of(struct bus *bus, struct bytes topic, struct bytes key)
{
    const int32_t count = lag_partitions(bus->lag, topic, PARTITION_OF_MS);
    if (count <= 0 || key.data == NULL) return -1;
    return bus_partition_among(key, count);
}

int64_t bus_topic_lag(struct bus *bus, struct bytes topic, uint32_t timeout_ms)
{
    /* It lists no groups; asking it in vain also leaks a queue of librdkafka 2.0. */
    if (bus->options.embedded) return BUS_LAG_UNKNOWN;
    return lag_of(bus->lag, topic, timeout_ms);
}

int64_t bus_topic_readers(struct bus *bus, struct bytes topic, uint32_t timeout_ms,
                          int64_t *ret_members)
{
    *ret_members = BUS_LAG_UNKNOWN;
    if (bus->options.embedded) return BUS_LAG_UNKNOWN;
    return lag_readers(bus->lag, topic, timeout_ms, ret_members);
}
