/*
 * orchestrator/bus/producer.h
 *   Records out. Private to orchestrator/bus.
 *
 * The idempotent producer may go fatal (after some disconnects): it is then replaced, and what
 * was in flight is reported as undelivered. Doubles are harmless: participants dedup.
 */
#ifndef ORCHESTRATOR_BUS_PRODUCER_H
#define ORCHESTRATOR_BUS_PRODUCER_H

#include "orchestrator/bus/client.h"

struct producer;

struct outgoing {
    struct bytes topic, key, value; /* absent key or value: null */
    rd_kafka_headers_t *headers;    /* taken, whatever comes of it; may be NULL */
    /* A command's: reported when undelivered; its headers have it as ce_subject. NULL: only logged.
     */
    const struct uuid *saga_id;
    struct bus_receipt *receipt; /* hears what became of it; NULL: nobody does */
};

/* `options` and `callbacks` stay valid until producer_close. Starts the poller thread. */
MUST_CHECK bool producer_open(const struct bus_options *options,
                              const struct bus_callbacks *callbacks, struct producer **ret_producer,
                              struct err *err);
void producer_close(struct producer *producer, uint32_t flush_ms);

/* Thread-safe, never blocks. False: the queue is full or the producer is broken. */
bool producer_send(struct producer *producer, const struct outgoing *outgoing);
/* What was sent so far does not wait for more to go with it. Thread-safe, does not wait. */
void producer_flush_soon(struct producer *producer);
bool producer_is_up(struct producer *producer);

/* The handle for questions to the broker; keeps it from being replaced until given back. */
rd_kafka_t *producer_hold(struct producer *producer);
void producer_release(struct producer *producer, rd_kafka_t *kafka);

#endif
