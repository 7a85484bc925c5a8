/*
 * participants/c/participant.c
 *   See participant.h.
 */
#include "participants/c/participant.h"

#include "participants/c/barrier.h"

#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    POLL_MS = 100,
    COMMIT_MS = 1000,
    CONNECT_MS = 10,
    FLUSH_MS = 10 * 1000,
    TEXT_MAX = 300,
    LINGER_FROM = 8, /* replies at once that may wait a moment for more */
    HURRY_MS = 1,    /* long enough for librdkafka's threads to see it */
};

struct participant {
    const struct participant_options *options;
    rd_kafka_t *consumer, *producer;
    struct barrier *barrier; /* NULL: none */
    bool handled;            /* something since the last commit */
    int64_t next_commit_ms;
};

struct participant_promise {
    struct participant *participant;
    char *topic, *token;
    void *key;
    size_t key_size;
};

/* What a reply needs of its command. */
struct address {
    const char *topic, *token;
    const void *key;
    size_t key_size;
};

/* A command with what the library keeps to itself; the handler sees the first member. */
struct delivery {
    struct participant_command command;
    struct address address;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *must(void *memory)
{
    if (memory == NULL) abort();
    return memory;
}

/* ---- making replies ---- */

struct participant_reply participant_succeed(const char *format, ...)
{
    struct participant_reply reply = {.outcome = PARTICIPANT_SUCCESS};
    if (format == NULL) return reply;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int size = vsnprintf(NULL, 0, format, args);
    if (size < 0) abort();
    reply.value = must(malloc((size_t)size + 1));
    vsnprintf(reply.value, (size_t)size + 1, format, again);
    va_end(again);
    va_end(args);
    return reply;
}

struct participant_reply participant_fail(const char *code, const char *detail)
{
    struct participant_reply reply = {.outcome = PARTICIPANT_FAILURE};
    snprintf(reply.code, sizeof reply.code, "%s", code);
    if (detail == NULL) return reply;
    json_t *problem =
        json_pack("{s:s, s:s, s:s}", "type", "about:blank", "title", code, "detail", detail);
    reply.value = json_dumps(problem, JSON_COMPACT);
    json_decref(problem);
    return reply;
}

struct participant_reply participant_retry(const char *code, unsigned after_ms)
{
    struct participant_reply reply = {.outcome = PARTICIPANT_RETRY, .retry_after_ms = after_ms};
    snprintf(reply.code, sizeof reply.code, "%s", code);
    return reply;
}

struct participant_reply participant_say(enum participant_outcome outcome)
{
    return (struct participant_reply){.outcome = outcome};
}

/* ---- sending them ---- */

static const char *const OUTCOMES[] = {
    [PARTICIPANT_SUCCESS] = "success", [PARTICIPANT_FAILURE] = "failure",
    [PARTICIPANT_RETRY] = "retry",     [PARTICIPANT_PROGRESS] = "progress",
    [PARTICIPANT_PENDING] = "pending",
};

static rd_kafka_headers_t *reply_headers(const char *token, const struct participant_reply *reply)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    rd_kafka_header_add(headers, "ce_sagatoken", -1, token, -1);
    rd_kafka_header_add(headers, "ce_sagaoutcome", -1, OUTCOMES[reply->outcome], -1);
    if (reply->code[0] != '\0') rd_kafka_header_add(headers, "ce_sagaerror", -1, reply->code, -1);
    if (reply->retry_after_ms > 0) {
        char text[32];
        snprintf(text, sizeof text, "%ums", reply->retry_after_ms);
        rd_kafka_header_add(headers, "ce_sagaretryafter", -1, text, -1);
    }
    return headers;
}

static rd_kafka_resp_err_t produce(struct participant *participant, const struct address *to,
                                   const char *value, rd_kafka_headers_t *headers)
{
    const size_t size = value == NULL ? 0 : strlen(value);
    return rd_kafka_producev(participant->producer, RD_KAFKA_V_TOPIC(to->topic),
                             RD_KAFKA_V_KEY((void *)(uintptr_t)to->key, to->key_size),
                             RD_KAFKA_V_VALUE((void *)(uintptr_t)value, size),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
                             RD_KAFKA_V_END);
}

static void send_reply(struct participant *participant, const struct address *to,
                       struct participant_reply reply)
{
    rd_kafka_headers_t *headers = reply_headers(to->token, &reply);
    rd_kafka_resp_err_t status = produce(participant, to, reply.value, headers);
    while (status == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(participant->producer, POLL_MS);
        status = produce(participant, to, reply.value, headers);
    }
    if (status != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(stderr, "no reply to %s: %s\n", to->topic, rd_kafka_err2str(status));
        rd_kafka_headers_destroy(headers);
    }
    free(reply.value);
}

/* ---- reading commands ---- */

/* Copies the header into `room`, which ends where the next one goes; "" when it is missing. */
static const char *read_header(const rd_kafka_headers_t *headers, const char *name, char **room)
{
    const void *value = NULL;
    size_t size = 0;
    char *text = *room;
    if (headers == NULL ||
        rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        size > TEXT_MAX) {
        size = 0;
    }
    if (size > 0) memcpy(text, value, size);
    text[size] = '\0';
    *room = text + size + 1;
    return text;
}

static participant_handle *find_handler(const struct participant_options *options, const char *type)
{
    participant_handle *other = NULL;
    for (size_t i = 0; i < options->handler_count; i++) {
        if (strcmp(options->handlers[i].type, type) == 0) return options->handlers[i].handle;
        if (strcmp(options->handlers[i].type, "*") == 0) other = options->handlers[i].handle;
    }
    return other;
}

static void carry_out(struct participant *participant, struct delivery *delivery)
{
    const struct participant_options *options = participant->options;
    struct participant_command *command = &delivery->command;
    struct participant_reply reply;
    participant_handle *handle = find_handler(options, command->type);
    if (handle == NULL) {
        reply = participant_retry("no_handler", 0); /* an older version of us may be running */
    } else if (participant->barrier == NULL) {
        reply = handle(command, options->context);
    } else if (!barrier_handle(participant->barrier, command, handle, options->context, &reply)) {
        return;
    }
    if (reply.outcome == PARTICIPANT_LATER) {
        free(reply.value);
    } else {
        send_reply(participant, &delivery->address, reply);
    }
}

static void take(struct participant *participant, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) headers = NULL;
    char texts[8 * (TEXT_MAX + 1)];
    char *room = texts;
    struct delivery delivery = {
        .command = {.saga = read_header(headers, "ce_subject", &room),
                    .step = read_header(headers, "ce_sagastep",      &room),
                    .op = read_header(headers,                 "ce_sagaop",      &room),
                    .type = read_header(headers, "ce_type", &room),
                    .key = read_header(headers, "ce_idempotencykey", &room),
                    .attempt =
                        (unsigned)strtoul(read_header(headers, "ce_sagaattempt", &room), NULL, 10),
                    .value_size = message->len,
                    .participant = participant},
        .address = {.token = read_header(headers, "ce_sagatoken",    &room),
                    .topic = read_header(headers,  "ce_sagareplyto", &room),
                    .key = message->key,
                    .key_size = message->key_len},
    };
    if (delivery.address.token[0] == '\0' || delivery.address.topic[0] == '\0') return;
    char *value = must(malloc(message->len + 1));
    if (message->len > 0) memcpy(value, message->payload, message->len);
    value[message->len] = '\0';
    delivery.command.value = value;
    carry_out(participant, &delivery);
    free(value);
}

/* ---- answering later ---- */

struct participant_promise *participant_keep(const struct participant_command *command)
{
    const struct delivery *delivery = (const struct delivery *)command;
    const struct address *address = &delivery->address;
    struct participant_promise *promise = must(calloc(1, sizeof *promise));
    promise->participant = command->participant;
    promise->topic = must(strdup(address->topic));
    promise->token = must(strdup(address->token));
    promise->key_size = address->key_size;
    promise->key = must(malloc(address->key_size + 1));
    if (address->key_size > 0) memcpy(promise->key, address->key, address->key_size);
    return promise;
}

void participant_answer(struct participant_promise *promise, struct participant_reply reply)
{
    const struct address address = {promise->topic, promise->token, promise->key,
                                    promise->key_size};
    send_reply(promise->participant, &address, reply);
}

void participant_promise_free(struct participant_promise *promise)
{
    if (promise == NULL) return;
    free(promise->topic);
    free(promise->token);
    free(promise->key);
    free(promise);
}

/* ---- running ---- */

/* What was handled counts as read once the broker has all replies. */
static void commit_handled(struct participant *participant)
{
    if (!participant->handled) return;
    if (rd_kafka_flush(participant->producer, FLUSH_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    rd_kafka_topic_partition_list_t *at = NULL;
    if (rd_kafka_assignment(participant->consumer, &at) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    if (rd_kafka_position(participant->consumer, at) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)rd_kafka_commit(participant->consumer, at, 1);
    }
    rd_kafka_topic_partition_list_destroy(at);
    participant->handled = false;
}

static void on_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        const struct participant_options *options = ((struct participant *)opaque)->options;
        rd_kafka_assign(consumer, partitions);
        if (options->on_assigned != NULL) options->on_assigned(options->context);
    } else {
        commit_handled(opaque);
        rd_kafka_assign(consumer, NULL);
    }
}

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[200];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK) return true;
    fprintf(stderr, "setting %s: %s\n", name, text);
    return false;
}

/* "name=value,name=value" */
static bool set_list(rd_kafka_conf_t *conf, const char *settings)
{
    if (settings == NULL) return true;
    char *copy = must(strdup(settings)), *rest = copy;
    bool done = true;
    for (char *pair; done && (pair = strtok_r(rest, ",", &rest)) != NULL;) {
        char *value = strchr(pair, '=');
        if (value != NULL) *value++ = '\0';
        done = value != NULL && set(conf, pair, value);
    }
    free(copy);
    return done;
}

static rd_kafka_t *connect_to(struct participant *participant, rd_kafka_type_t type,
                              const char *const (*settings)[2], size_t count)
{
    char text[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool done = set(conf, "bootstrap.servers", participant->options->brokers) &&
                set(conf, "socket.nagle.disable", "true") && set(conf, "log_level", "4");
    for (size_t i = 0; done && i < count; i++) {
        done = set(conf, settings[i][0], settings[i][1]);
    }
    done = done && set_list(conf, participant->options->settings);
    rd_kafka_conf_set_opaque(conf, participant);
    if (type == RD_KAFKA_CONSUMER) rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_t *kafka = done ? rd_kafka_new(type, conf, text, sizeof text) : NULL;
    if (kafka != NULL) return kafka;
    if (done) fprintf(stderr, "Kafka: %s\n", text);
    rd_kafka_conf_destroy(conf);
    return NULL;
}

static bool subscribe(struct participant *participant)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    char *copy = must(strdup(participant->options->topics)), *rest = copy;
    for (char *topic; (topic = strtok_r(rest, ",", &rest)) != NULL;) {
        rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
    }
    const rd_kafka_resp_err_t status = rd_kafka_subscribe(participant->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    free(copy);
    if (status == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
    fprintf(stderr, "topics %s: %s\n", participant->options->topics, rd_kafka_err2str(status));
    return false;
}

/* A producer that was not asked anything yet connects at the first reply, which then takes a
 * second. */
static void connect_now(rd_kafka_t *producer)
{
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(producer, 0, NULL, &metadata, CONNECT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
    }
}

static bool open_all(struct participant *participant)
{
    const char *const reading[][2] = {
        {"group.id",                           participant->options->group},
        {"enable.auto.commit",                 "false"                    },
        {"auto.offset.reset",                  "earliest"                 },
        {"session.timeout.ms",                 "6000"                     },
        {"heartbeat.interval.ms",              "2000"                     },
        {"partition.assignment.strategy",      "range"                    },
        {"topic.metadata.refresh.interval.ms", "2000"                     }, /* a topic may be made after we started */
        {"fetch.wait.max.ms",                  "10"                       },
        {"queued.min.messages",                "10000"                    },
    };
    const char *const writing[][2] = {
        {"acks",        "all"           },
 /* Java's: by the key of its command a reply comes to the node that started the saga. */
        {"partitioner", "murmur2_random"},
 /* Many replies share requests, which are the broker's work. Few go at once: hurry. */
        {"linger.ms",   "2"             }
    };
    participant->consumer =
        connect_to(participant, RD_KAFKA_CONSUMER, reading, sizeof reading / sizeof reading[0]);
    if (participant->consumer == NULL) return false;
    rd_kafka_poll_set_consumer(participant->consumer);
    participant->producer =
        connect_to(participant, RD_KAFKA_PRODUCER, writing, sizeof writing / sizeof writing[0]);
    if (participant->producer == NULL || !subscribe(participant)) return false;
    connect_now(participant->producer);
    if (participant->options->database == NULL) return true;
    participant->barrier = barrier_open(participant->options->database);
    return participant->barrier != NULL;
}

void participant_close(struct participant *participant)
{
    if (participant == NULL) return;
    if (participant->consumer != NULL) rd_kafka_consumer_close(participant->consumer);
    if (participant->producer != NULL) {
        rd_kafka_flush(participant->producer, FLUSH_MS);
        rd_kafka_destroy(participant->producer);
    }
    if (participant->consumer != NULL) rd_kafka_destroy(participant->consumer);
    barrier_close(participant->barrier);
    free(participant);
}

struct participant *participant_open(const struct participant_options *options)
{
    struct participant *participant = must(calloc(1, sizeof *participant));
    participant->options = options;
    if (open_all(participant)) return participant;
    participant_close(participant);
    return NULL;
}

/* While rd_kafka_flush waits, nothing lingers. */
static void hurry(struct participant *participant)
{
    if (rd_kafka_outq_len(participant->producer) >= LINGER_FROM) return;
    (void)rd_kafka_flush(participant->producer, HURRY_MS);
}

/* Wait for one command, then drain without waiting. */
static void turn(struct participant *participant)
{
    const volatile sig_atomic_t *stop = participant->options->stop;
    size_t taken = 0;
    for (int wait_ms = POLL_MS; stop == NULL || *stop == 0; wait_ms = 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(participant->consumer, wait_ms);
        if (message == NULL) break;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            take(participant, message);
            participant->handled = true;
            taken++;
        }
        rd_kafka_message_destroy(message);
        if (now_ms() >= participant->next_commit_ms) break;
    }
    rd_kafka_poll(participant->producer, 0);
    if (taken > 0 && taken < LINGER_FROM) hurry(participant);
    if (now_ms() < participant->next_commit_ms) return;
    commit_handled(participant);
    participant->next_commit_ms = now_ms() + COMMIT_MS;
}

void participant_loop(struct participant *participant)
{
    const volatile sig_atomic_t *stop = participant->options->stop;
    while (stop == NULL || *stop == 0) {
        turn(participant);
    }
}

int participant_run(const struct participant_options *options)
{
    struct participant *participant = participant_open(options);
    if (participant == NULL) return 1;
    participant_loop(participant);
    participant_close(participant);
    return 0;
}
