/*
 * orchestrator/bus/consumer.c
 *   See consumer.h.
 */
#include "orchestrator/bus/consumer.h"

#include "orchestrator/base/clock.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_MS = 100, RENEW_MS = 1000, CLOSE_MS = 5000 };

static const struct setting CONSUMER[] = {
    {"enable.auto.commit",                 "true"    },
    {"auto.commit.interval.ms",            "1000"    },
    {"enable.auto.offset.store",           "false"   },
 /* What was read before is known by its token and changes nothing. */
    {"auto.offset.reset",                  "earliest"},
 /* A dead node's partitions move on within seconds. */
    {"session.timeout.ms",                 "6000"    },
    {"heartbeat.interval.ms",              "2000"    },
 /* Eager: the cooperative assignor of librdkafka 2.0 may hang. */
    {"partition.assignment.strategy",      "range"   },
    {"topic.metadata.refresh.interval.ms", "2000"    }, /* a missing topic that was made */
    {"fetch.error.backoff.ms",             "100"     },
    {"fetch.max.bytes",                    "8388608" },
    {"queued.min.messages",                "10000"   },
    {"queued.max.messages.kbytes",         "16384"   },
};

struct consumer {
    struct client client;
    const struct bus_options *options;
    const struct bus_callbacks *callbacks;
    const char *topics[CONSUMER_TOPICS];
    pthread_t thread;
    bool started;
    atomic_bool stopping;       /* no more callbacks */
    struct bus_header *headers; /* of the record in hand; thread only */
    size_t header_capacity;

    pthread_mutex_t lock; /* guards the handle against being replaced */
    rd_kafka_t *kafka;    /* NULL: none at the moment */
};

/* ---- the handle ---- */

static void tell(struct consumer *consumer, const rd_kafka_topic_partition_list_t *partitions,
                 void (*callback)(void *context, const char *topic, int32_t partition))
{
    if (atomic_load(&consumer->stopping)) return;
    for (int i = 0; i < partitions->cnt; i++) {
        callback(consumer->callbacks->context, partitions->elems[i].topic,
                 partitions->elems[i].partition);
    }
}

/* Thread: consumer. rd_kafka_assign commits the stored offsets of partitions that go. */
static void on_rebalance(rd_kafka_t *kafka, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct consumer *consumer = ((struct client *)opaque)->owner;
    const bool assigned = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    log_event(LOG_INFO, assigned ? "partitions_assigned" : "partitions_revoked", "partitions=%d",
              partitions->cnt);
    if (assigned) {
        rd_kafka_assign(kafka, partitions);
        tell(consumer, partitions, consumer->callbacks->on_assigned);
    } else {
        tell(consumer, partitions, consumer->callbacks->on_revoked);
        rd_kafka_assign(kafka, NULL);
    }
}

/* The log says it already, and the producer is the one that watches the broker. */
static void ignore_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    (void)kafka;
    (void)code;
    (void)reason;
    (void)opaque;
}

static bool configure(struct consumer *consumer, rd_kafka_conf_t **ret_conf, struct err *err)
{
    const struct bus_options *options = consumer->options;
    enum { FIXED = sizeof CONSUMER / sizeof CONSUMER[0] };
    struct setting settings[FIXED + 3];
    memcpy(settings, CONSUMER, sizeof CONSUMER);
    settings[FIXED] = (struct setting){"group.id", options->group};
    settings[FIXED + 1] = (struct setting){"group.instance.id", options->instance};
    /* A waiting fetch of the embedded broker is not woken by a new record, a real broker's is. */
    settings[FIXED + 2] = (struct setting){"fetch.wait.max.ms", options->embedded ? "1" : "100"};
    return client_configure(&consumer->client, options, settings, FIXED + 3, ret_conf, err);
}

static bool create(struct consumer *consumer, rd_kafka_t **ret_kafka, struct err *err)
{
    rd_kafka_conf_t *conf = NULL;
    if (!configure(consumer, &conf, err)) return false;
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_error_cb(conf, ignore_error);
    if (!client_create(&consumer->client, RD_KAFKA_CONSUMER, conf, ret_kafka, err)) return false;
    rd_kafka_poll_set_consumer(*ret_kafka);
    return true;
}

static bool subscribe(struct consumer *consumer, rd_kafka_t *kafka)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(CONSUMER_TOPICS);
    for (size_t i = 0; i < CONSUMER_TOPICS; i++) {
        rd_kafka_topic_partition_list_add(topics, consumer->topics[i], RD_KAFKA_PARTITION_UA);
    }
    const rd_kafka_resp_err_t status = rd_kafka_subscribe(kafka, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (status == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
    client_warn(&consumer->client, "subscribe_failed", "error=\"%s\"", rd_kafka_err2str(status));
    return false;
}

static void set_handle(struct consumer *consumer, rd_kafka_t *kafka)
{
    pthread_mutex_lock(&consumer->lock);
    consumer->kafka = kafka;
    pthread_mutex_unlock(&consumer->lock);
}

/*
 * Leaving must not hang when the broker is away: it is given CLOSE_MS. Events, because records that
 * were fetched and not taken are still in the queue, and rd_kafka_queue_poll_callback aborts on
 * them.
 */
static void close_handle(rd_kafka_t *kafka)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(kafka, queue);
    const int64_t end_ms = clock_monotonic_ms() + CLOSE_MS;
    while (error == NULL && !rd_kafka_consumer_closed(kafka) && clock_monotonic_ms() < end_ms) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, POLL_MS);
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE) {
            on_rebalance(kafka, rd_kafka_event_error(event),
                         rd_kafka_event_topic_partition_list(event), rd_kafka_opaque(kafka));
        }
        rd_kafka_event_destroy(event);
    }
    if (error != NULL) rd_kafka_error_destroy(error);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy_flags(kafka, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

/* ---- records ---- */

static size_t read_headers(struct consumer *consumer, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *list = NULL;
    if (rd_kafka_message_headers(message, &list) != RD_KAFKA_RESP_ERR_NO_ERROR) return 0;
    const size_t count = rd_kafka_header_cnt(list);
    if (count > consumer->header_capacity) {
        consumer->headers = reallocarray(consumer->headers, count, sizeof *consumer->headers);
        if (consumer->headers == NULL) abort();
        consumer->header_capacity = count;
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = NULL;
        const void *value = NULL;
        size_t size = 0;
        rd_kafka_header_get_all(list, i, &name, &value, &size);
        consumer->headers[i] = (struct bus_header){
            bytes_of(name), {value, size}
        };
    }
    return count;
}

static void take(struct consumer *consumer, const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t kind;
    const size_t header_count = read_headers(consumer, message);
    const struct bus_record record = {
        .topic = bytes_of(rd_kafka_topic_name(message->rkt)),
        .partition = message->partition,
        .offset = message->offset,
        .at_ms = rd_kafka_message_timestamp(message, &kind),
        .key = {message->key,     message->key_len},
        .value = {message->payload, message->len    },
        .headers = consumer->headers,
        .header_count = header_count,
    };
    consumer->callbacks->on_record(consumer->callbacks->context, &record);
}

static void take_or_tell(struct consumer *consumer, rd_kafka_message_t *message)
{
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        take(consumer, message);
    } else {
        client_warn(&consumer->client, "consume_error", "code=%s reason=\"%s\"",
                    rd_kafka_err2name(message->err), rd_kafka_message_errstr(message));
    }
    rd_kafka_message_destroy(message);
}

/* Wait for one, then drain. False: the handle is broken for good. */
static bool consume(struct consumer *consumer, rd_kafka_t *kafka)
{
    for (int wait_ms = POLL_MS; !atomic_load(&consumer->stopping); wait_ms = 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(kafka, wait_ms);
        if (message == NULL) break;
        take_or_tell(consumer, message);
    }
    if (consumer->callbacks->on_records_end != NULL) {
        consumer->callbacks->on_records_end(consumer->callbacks->context);
    }
    char reason[200];
    const rd_kafka_resp_err_t code = rd_kafka_fatal_error(kafka, reason, sizeof reason);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
    client_warn(&consumer->client, "consumer_replaced", "code=%s reason=\"%s\"",
                rd_kafka_err2name(code), reason);
    return false;
}

static rd_kafka_t *renew(struct consumer *consumer)
{
    rd_kafka_t *kafka = NULL;
    struct err err;
    if (!create(consumer, &kafka, &err)) {
        client_warn(&consumer->client, "consumer_failed", "reason=\"%s\"", err.text);
        return NULL;
    }
    if (!subscribe(consumer, kafka)) {
        rd_kafka_destroy(kafka);
        return NULL;
    }
    set_handle(consumer, kafka);
    return kafka;
}

static void pause_between_handles(const struct consumer *consumer)
{
    const int64_t end_ms = clock_monotonic_ms() + RENEW_MS;
    while (!atomic_load(&consumer->stopping) && clock_monotonic_ms() < end_ms) {
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000 * 1000}, NULL);
    }
}

static void *run(void *argument)
{
    struct consumer *consumer = argument;
    rd_kafka_t *kafka = consumer->kafka;
    if (!subscribe(consumer, kafka)) abort(); /* fails for a malformed topic name only */
    while (!atomic_load(&consumer->stopping)) {
        if (kafka == NULL) {
            kafka = renew(consumer);
        } else if (!consume(consumer, kafka)) {
            set_handle(consumer, NULL);
            close_handle(kafka);
            kafka = NULL;
        }
        if (kafka == NULL) pause_between_handles(consumer);
    }
    return NULL;
}

bool consumer_open(const struct bus_options *options, const struct bus_callbacks *callbacks,
                   const char *const topics[CONSUMER_TOPICS], struct consumer **ret_consumer,
                   struct err *err)
{
    struct consumer *consumer = calloc(1, sizeof *consumer);
    if (consumer == NULL) abort();
    client_init(&consumer->client, "consumer", consumer);
    consumer->options = options;
    consumer->callbacks = callbacks;
    memcpy(consumer->topics, topics, sizeof consumer->topics);
    if (!create(consumer, &consumer->kafka, err)) {
        client_done(&consumer->client);
        free(consumer);
        return false;
    }
    pthread_mutex_init(&consumer->lock, NULL);
    *ret_consumer = consumer;
    return true;
}

void consumer_start(struct consumer *consumer)
{
    assert(!consumer->started);
    consumer->started = true;
    consumer->thread = client_thread(run, consumer);
}

void consumer_stop(struct consumer *consumer)
{
    if (atomic_exchange(&consumer->stopping, true) || !consumer->started) return;
    pthread_join(consumer->thread, NULL);
}

void consumer_store(struct consumer *consumer, struct bytes topic, int32_t partition,
                    int64_t offset)
{
    char name[256];
    assert(topic.size < sizeof name);
    memcpy(name, topic.data, topic.size);
    name[topic.size] = '\0';
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, name, partition)->offset = offset + 1;
    pthread_mutex_lock(&consumer->lock);
    if (consumer->kafka != NULL) rd_kafka_offsets_store(consumer->kafka, list);
    pthread_mutex_unlock(&consumer->lock);
    rd_kafka_topic_partition_list_destroy(list);
}

void consumer_close(struct consumer *consumer)
{
    if (consumer == NULL) return;
    consumer_stop(consumer);
    rd_kafka_t *kafka = consumer->kafka;
    set_handle(consumer, NULL);
    if (kafka != NULL) close_handle(kafka);
    pthread_mutex_destroy(&consumer->lock);
    client_done(&consumer->client);
    free(consumer->headers);
    free(consumer);
}
