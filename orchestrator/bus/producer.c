/*
 * orchestrator/bus/producer.c
 *   See producer.h.
 *
 * Two things make a command undelivered: the broker did not confirm it in time, or librdkafka did
 * not even take it (a topic that does not exist). Both are told by the poller thread, so that one
 * bad topic looks like trouble of its own sagas and not like a full queue.
 */
#include "orchestrator/bus/producer.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/bus/receipt.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    POLL_MS = 100,
    GATHER_MS = 10, /* deliveries that come soon after one are taken together */
    FLUSH_MS = 1,   /* long enough for librdkafka's threads to see it */
    TOPIC_NAME_MAX = 249,
    PROBE_MS = 1000,        /* how long a broker may take to answer */
    PROBE_DOWN_MS = 500,    /* between probes while it does not */
    PROBE_UP_MS = 5 * 1000, /* without a delivery, while it does */
    REPLACE_RETRY_MS = 1000,
};

static const struct setting PRODUCER[] = {
    {"acks",                               "all"           },
    {"enable.idempotence",                 "true"          },
    {"queue.buffering.max.messages",       "200000"        },
    {"queue.buffering.max.kbytes",         "262144"        },
    {"message.timeout.ms",                 "30000"         },
 /* Java's default: whoever computes partitions elsewhere gets the same. */
    {"partitioner",                        "murmur2_random"},
    {"topic.metadata.refresh.interval.ms", "30000"         },
 /* Fewer requests: half of the broker's work. Few records go at once: producer_flush_soon. */
    {"linger.ms",                          "4"             },
};

struct refusal {
    struct uuid saga_id;
    struct refusal *next;
};

struct producer {
    struct client client;
    const struct bus_options *options;
    const struct bus_callbacks *callbacks;
    pthread_t poller, flusher;
    atomic_bool stopping; /* the poller is to end; nothing is reported any more */
    atomic_bool up;
    atomic_bool probe_now; /* all connections are gone: find out */
    atomic_bool delivered; /* since the last look of the poller */
    int64_t next_probe_ms; /* poller only */

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t idle;  /* holders fell to 0 */
    pthread_cond_t flush; /* wanted, or the end */
    bool flush_wanted;
    rd_kafka_t *kafka;
    unsigned holders;
    struct refusal *refusals;
};

/* What marks a record as a command; others bear the receipt that waits for news of them, or
 * nothing. */
static char a_command;

static bool saga_of(const rd_kafka_message_t *message, struct uuid *ret_id)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t size = 0;
    return message->_private == &a_command &&
           rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
           rd_kafka_header_get_last(headers, "ce_subject", &value, &size) ==
               RD_KAFKA_RESP_ERR_NO_ERROR &&
           uuid_parse((struct bytes){value, size}, ret_id);
}

/* Thread: poller or flusher (or whoever closes). */
static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    (void)kafka;
    struct producer *producer = ((struct client *)opaque)->owner;
    if (message->_private != NULL && message->_private != &a_command) {
        receipt_settle(message->_private, message->err == RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        atomic_store_explicit(&producer->delivered, true, memory_order_relaxed);
        return;
    }
    if (atomic_load(&producer->stopping)) return;
    client_warn(&producer->client, "record_undelivered", "topic=%s error=\"%s\"",
                rd_kafka_topic_name(message->rkt), rd_kafka_err2str(message->err));
    struct uuid saga_id;
    if (!saga_of(message, &saga_id)) return;
    producer->callbacks->on_undelivered(producer->callbacks->context, &saga_id);
}

/* Thread: poller. What else can be wrong is in the log already. */
static void on_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    (void)kafka;
    (void)reason;
    struct producer *producer = ((struct client *)opaque)->owner;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) atomic_store(&producer->probe_now, true);
}

static bool create(struct producer *producer, rd_kafka_t **ret_kafka, struct err *err)
{
    rd_kafka_conf_t *conf = NULL;
    if (!client_configure(&producer->client, producer->options, PRODUCER,
                          sizeof PRODUCER / sizeof PRODUCER[0], &conf, err)) {
        return false;
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    return client_create(&producer->client, RD_KAFKA_PRODUCER, conf, ret_kafka, err);
}

rd_kafka_t *producer_hold(struct producer *producer)
{
    pthread_mutex_lock(&producer->lock);
    producer->holders++;
    rd_kafka_t *kafka = producer->kafka;
    pthread_mutex_unlock(&producer->lock);
    return kafka;
}

void producer_release(struct producer *producer, rd_kafka_t *kafka)
{
    pthread_mutex_lock(&producer->lock);
    assert(producer->holders > 0 && kafka == producer->kafka);
    (void)kafka;
    if (--producer->holders == 0) pthread_cond_signal(&producer->idle);
    pthread_mutex_unlock(&producer->lock);
}

/* ---- sending ---- */

static void refuse(struct producer *producer, const struct uuid *saga_id)
{
    struct refusal *refusal = malloc(sizeof *refusal);
    if (refusal == NULL) abort();
    refusal->saga_id = *saga_id;
    pthread_mutex_lock(&producer->lock);
    refusal->next = producer->refusals;
    producer->refusals = refusal;
    pthread_mutex_unlock(&producer->lock);
}

/* librdkafka's macros want pointers to data that may change; RD_KAFKA_MSG_F_COPY only reads it. */
static void *lend(struct bytes bytes)
{
    return (void *)(uintptr_t)bytes.data;
}

static rd_kafka_resp_err_t produce(rd_kafka_t *kafka, const char *topic,
                                   const struct outgoing *outgoing)
{
    void *const mark = outgoing->saga_id == NULL ? (void *)outgoing->receipt : &a_command;
    if (outgoing->receipt != NULL) receipt_add(outgoing->receipt);
    const rd_kafka_resp_err_t status = rd_kafka_producev(
        kafka, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(lend(outgoing->key), outgoing->key.size),
        RD_KAFKA_V_VALUE(lend(outgoing->value), outgoing->value.size),
        RD_KAFKA_V_HEADERS(outgoing->headers), RD_KAFKA_V_OPAQUE(mark), RD_KAFKA_V_END);
    if (status != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (outgoing->headers != NULL) rd_kafka_headers_destroy(outgoing->headers);
        if (outgoing->receipt != NULL) receipt_settle(outgoing->receipt, false);
    }
    return status;
}

/* True when only this record is the trouble; the next one may well be taken. */
static bool is_about_the_record(rd_kafka_resp_err_t status)
{
    return status != RD_KAFKA_RESP_ERR__QUEUE_FULL && status != RD_KAFKA_RESP_ERR__FATAL;
}

bool producer_send(struct producer *producer, const struct outgoing *outgoing)
{
    char topic[TOPIC_NAME_MAX + 1];
    rd_kafka_resp_err_t status = RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    const size_t size =
        outgoing->topic.size < TOPIC_NAME_MAX ? outgoing->topic.size : TOPIC_NAME_MAX;
    memcpy(topic, outgoing->topic.data, size);
    topic[size] = '\0';
    if (outgoing->topic.size <= TOPIC_NAME_MAX) {
        rd_kafka_t *kafka = producer_hold(producer);
        status = produce(kafka, topic, outgoing);
        producer_release(producer, kafka);
    } else if (outgoing->headers != NULL) {
        rd_kafka_headers_destroy(outgoing->headers);
    }
    if (status == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
    if (!is_about_the_record(status)) return false;
    client_warn(&producer->client, "record_refused", "topic=%s error=\"%s\"", topic,
                rd_kafka_err2str(status));
    if (outgoing->saga_id == NULL) return false;
    refuse(producer, outgoing->saga_id);
    return true;
}

/* ---- the poller ---- */

static void report_refusals(struct producer *producer)
{
    pthread_mutex_lock(&producer->lock);
    struct refusal *refusal = producer->refusals;
    producer->refusals = NULL;
    pthread_mutex_unlock(&producer->lock);
    while (refusal != NULL) {
        struct refusal *next = refusal->next;
        if (!atomic_load(&producer->stopping)) {
            producer->callbacks->on_undelivered(producer->callbacks->context, &refusal->saga_id);
        }
        free(refusal);
        refusal = next;
    }
}

static void set_up(struct producer *producer, bool up)
{
    if (atomic_exchange(&producer->up, up) == up) return;
    log_event(up ? LOG_INFO : LOG_WARNING, up ? "broker_up" : "broker_down", "brokers=%s",
              producer->options->brokers);
    producer->callbacks->on_broker(producer->callbacks->context, up);
}

static bool broker_answers(rd_kafka_t *kafka)
{
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(kafka, 0, NULL, &metadata, PROBE_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return false;
    }
    rd_kafka_metadata_destroy(metadata);
    return true;
}

static void watch_broker(struct producer *producer)
{
    const int64_t now_ms = clock_monotonic_ms();
    if (atomic_exchange(&producer->delivered, false)) {
        atomic_store(&producer->probe_now, false);
        producer->next_probe_ms = now_ms + PROBE_UP_MS;
        set_up(producer, true);
        return;
    }
    if (!atomic_exchange(&producer->probe_now, false) && now_ms < producer->next_probe_ms) return;
    const bool up = broker_answers(producer->kafka);
    producer->next_probe_ms = clock_monotonic_ms() + (up ? PROBE_UP_MS : PROBE_DOWN_MS);
    set_up(producer, up);
}

/* What is left in it counts as undelivered. */
static void discard(rd_kafka_t *kafka)
{
    rd_kafka_purge(kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(kafka) > 0) {
        rd_kafka_poll(kafka, POLL_MS);
    }
    rd_kafka_destroy(kafka);
}

static void replace_if_fatal(struct producer *producer)
{
    char reason[200];
    const rd_kafka_resp_err_t code = rd_kafka_fatal_error(producer->kafka, reason, sizeof reason);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    client_warn(&producer->client, "producer_replaced", "code=%s reason=\"%s\"",
                rd_kafka_err2name(code), reason);
    rd_kafka_t *fresh = NULL;
    struct err err;
    if (!create(producer, &fresh, &err)) {
        /* The same settings worked before, so this is a lack of threads or files: try again. */
        client_warn(&producer->client, "producer_failed", "reason=\"%s\"", err.text);
        rd_kafka_poll(producer->kafka, REPLACE_RETRY_MS);
        return;
    }
    pthread_mutex_lock(&producer->lock);
    while (producer->holders > 0) {
        pthread_cond_wait(&producer->idle, &producer->lock);
    }
    rd_kafka_t *broken = producer->kafka;
    producer->kafka = fresh;
    pthread_mutex_unlock(&producer->lock);
    discard(broken);
}

/* Only this thread replaces the handle, so it may use it without holding it. */
static void *poll_producer(void *argument)
{
    struct producer *producer = argument;
    const struct timespec gather = {.tv_nsec = GATHER_MS * 1000 * 1000};
    while (!atomic_load(&producer->stopping)) {
        if (rd_kafka_poll(producer->kafka, POLL_MS) > 0) nanosleep(&gather, NULL);
        report_refusals(producer);
        replace_if_fatal(producer);
        watch_broker(producer);
    }
    return NULL;
}

/* ---- the flusher ---- */

void producer_flush_soon(struct producer *producer)
{
    pthread_mutex_lock(&producer->lock);
    producer->flush_wanted = true;
    pthread_cond_signal(&producer->flush);
    pthread_mutex_unlock(&producer->lock);
}

/* While rd_kafka_flush waits, nothing lingers. A thread of its own, because it does wait. */
static void *flush_producer(void *argument)
{
    struct producer *producer = argument;
    pthread_mutex_lock(&producer->lock);
    while (!atomic_load(&producer->stopping)) {
        if (!producer->flush_wanted) {
            pthread_cond_wait(&producer->flush, &producer->lock);
            continue;
        }
        producer->flush_wanted = false;
        pthread_mutex_unlock(&producer->lock);
        rd_kafka_t *kafka = producer_hold(producer);
        rd_kafka_flush(kafka, FLUSH_MS);
        producer_release(producer, kafka);
        pthread_mutex_lock(&producer->lock);
    }
    pthread_mutex_unlock(&producer->lock);
    return NULL;
}

bool producer_open(const struct bus_options *options, const struct bus_callbacks *callbacks,
                   struct producer **ret_producer, struct err *err)
{
    struct producer *producer = calloc(1, sizeof *producer);
    if (producer == NULL) abort();
    client_init(&producer->client, "producer", producer);
    producer->options = options;
    producer->callbacks = callbacks;
    if (!create(producer, &producer->kafka, err)) {
        client_done(&producer->client);
        free(producer);
        return false;
    }
    pthread_mutex_init(&producer->lock, NULL);
    pthread_cond_init(&producer->idle, NULL);
    pthread_cond_init(&producer->flush, NULL);
    producer->flusher = client_thread(flush_producer, producer);
    producer->poller = client_thread(poll_producer, producer);
    *ret_producer = producer;
    return true;
}

bool producer_is_up(struct producer *producer)
{
    return atomic_load(&producer->up);
}

void producer_close(struct producer *producer, uint32_t flush_ms)
{
    if (producer == NULL) return;
    atomic_store(&producer->stopping, true);
    producer_flush_soon(producer); /* wakes it up */
    pthread_join(producer->flusher, NULL);
    pthread_join(producer->poller, NULL);
    report_refusals(producer);
    rd_kafka_flush(producer->kafka, (int)flush_ms);
    discard(producer->kafka);
    pthread_mutex_destroy(&producer->lock);
    pthread_cond_destroy(&producer->idle);
    client_done(&producer->client);
    free(producer);
}
