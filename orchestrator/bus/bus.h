/*
 * orchestrator/bus/bus.h
 *   Commands out, replies and signals in. The only door to Kafka.
 *
 * The same code speaks to a real broker and to the embedded one (embedded.h). Sending never
 * blocks; what the broker did not take is reported, and the engine sends it again from
 * PostgreSQL. Nothing here decides anything about a saga.
 */
#ifndef ORCHESTRATOR_BUS_BUS_H
#define ORCHESTRATOR_BUS_BUS_H

#include "orchestrator/base/err.h"
#include "orchestrator/bus/token.h"
#include "sagas/base/bytes.h"
#include "sagas/machine/machine.h"

#include <stdint.h>

struct bus;

struct bus_header {
    struct bytes name, value;
};

/* A record as it came; borrowed for the time of the call. */
struct bus_record {
    struct bytes topic;
    int32_t partition;
    int64_t offset;
    int64_t at_ms; /* the record's timestamp */
    struct bytes key, value;
    const struct bus_header *headers;
    size_t header_count;
};

struct bus_callbacks {
    void *context;
    /* Thread: bus consumer, one at a time: a reply or a signal. May block to push back. */
    void (*on_record)(void *context, const struct bus_record *record);
    /* Thread: bus consumer. No more records are there at the moment. NULL: nobody wants to know. */
    void (*on_records_end)(void *context);
    /* Thread: bus consumer. Partitions of the two topics that are ours from now on / no more. */
    void (*on_assigned)(void *context, const char *topic, int32_t partition);
    void (*on_revoked)(void *context, const char *topic, int32_t partition);
    /* Thread: bus poller. The broker did not take a command of this saga: send it again later. */
    void (*on_undelivered)(void *context, const struct uuid *saga_id);
    /* Thread: bus poller. up: at least one broker answers. */
    void (*on_broker)(void *context, bool up);
};

struct bus_options {
    const char *brokers;
    const char *cluster;      /* ce_source is /sagad/<cluster> */
    const char *topic_prefix; /* precedes saga.replies, saga.signals, ...; "" by default */
    const char *group;        /* consumer group of the nodes */
    const char *instance;     /* group.instance.id (static membership); NULL: none */
    const char *extra;        /* further librdkafka settings "name=value,name=value"; NULL */
    bool embedded;            /* the broker is our own: fetch.wait.max.ms 1 or 2 */
    struct token_keys keys;
};

MUST_CHECK bool bus_open(const struct bus_options *options, const struct bus_callbacks *callbacks,
                         struct bus **ret_bus, struct err *err);
/* Begin to consume. Until then nothing is called back but on_broker. */
void bus_start(struct bus *bus);
/* No more callbacks of the consumer; offsets stored so far are committed. */
void bus_stop_consuming(struct bus *bus);
/* Waits up to flush_ms for what is in flight, then closes. NULL is fine. */
void bus_close(struct bus *bus, uint32_t flush_ms);

/* What a command says about its saga besides `struct command`. */
struct bus_saga {
    struct bytes definition; /* ce_sagadef: name/version */
    struct bytes trace;      /* traceparent of the caller or absent: derived from the saga id */
    struct bytes trace_state;
    int64_t now_ms; /* ce_time */
};

/*
 * Queue one command with all headers of contracts section 2. Thread-safe. False: the queue is
 * full or the producer is broken; the caller keeps the saga for later.
 */
bool bus_send_command(struct bus *bus, const struct command *command, const struct bus_saga *saga);
/* Queue any record (dead letters, replays). Thread-safe. False: not taken. */
bool bus_send_record(struct bus *bus, const struct bus_record *record);

/*
 * What became of a set of records: the sender adds them one by one and looks now and then. May be
 * given up while some are still under way.
 */
struct bus_receipt;
struct bus_receipt *bus_receipt_new(void);
void bus_receipt_free(struct bus_receipt *receipt); /* NULL is fine */
/* False: some are under way yet. *ret_all: the broker has every one of them. */
bool bus_receipt_is_complete(const struct bus_receipt *receipt, bool *ret_all);

/* Something that happened to a saga, for saga.events. */
struct bus_event {
    struct uuid saga_id;
    uint32_t seq;            /* of the history; ce_id is <saga>/<seq> */
    struct bytes type;       /* ce_type */
    struct bytes step;       /* absent: none */
    struct bytes definition; /* ce_sagadef: name/version */
    int64_t at_ms;           /* ce_time */
    struct bytes value;
};
/* Queue it, the saga's id as key. Thread-safe. False: not taken. */
bool bus_send_event(struct bus *bus, const struct bus_event *event, struct bus_receipt *receipt);
/*
 * Records wait some 4 ms for others to go with them. After a small batch this sends them at once;
 * after a large one the wait pays: the broker has fewer requests.
 */
void bus_flush_soon(struct bus *bus);

/* All records of the partition up to `offset` are dealt with. Thread-safe. */
void bus_store_offset(struct bus *bus, struct bytes topic, int32_t partition, int64_t offset);

bool bus_is_up(struct bus *bus);
const char *bus_reply_topic(const struct bus *bus);       /* prefixed */
const char *bus_signal_topic(const struct bus *bus);      /* prefixed */
const char *bus_dead_letter_topic(const struct bus *bus); /* prefixed */

/* The partition that a key of this topic goes to, -1 when not known. For `why`. */
int32_t bus_partition_of(struct bus *bus, struct bytes topic, struct bytes key);
/* How many partitions the topic of replies has, -1 when not known. Asks the broker now and then. */
int32_t bus_reply_partitions(struct bus *bus, uint32_t timeout_ms);
/* The partition of a key where a topic has so many, at least 1. */
int32_t bus_partition_among(struct bytes key, int32_t count);
/*
 * Records of the topic that no group has read yet: the lowest lag among the groups that commit
 * offsets for it; below 0 where there is none. Asks the broker: blocks up to timeout_ms.
 */
enum { BUS_LAG_UNKNOWN = -1, BUS_LAG_UNREAD = -2 /* the broker says that no group reads it */ };
int64_t bus_topic_lag(struct bus *bus, struct bytes topic, uint32_t timeout_ms);
/* The same, and how many members of groups have partitions of it assigned; below 0: not known. */
int64_t bus_topic_readers(struct bus *bus, struct bytes topic, uint32_t timeout_ms,
                          int64_t *ret_members);

#endif
