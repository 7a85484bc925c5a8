/*
 * orchestrator/bus/embedded.h
 *   The in-process broker of `sagad dev` and of the tests: librdkafka's mock cluster, which
 *   speaks the real protocol. Memory only.
 */
#ifndef ORCHESTRATOR_BUS_EMBEDDED_H
#define ORCHESTRATOR_BUS_EMBEDDED_H

#include "orchestrator/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct embedded_broker;

MUST_CHECK bool embedded_start(struct embedded_broker **ret_broker, struct err *err);
void embedded_stop(struct embedded_broker *broker); /* NULL is fine */
/* "127.0.0.1:port"; borrowed. */
const char *embedded_brokers(const struct embedded_broker *broker);
/* Makes the topic; one that exists stays as it is. */
MUST_CHECK bool embedded_topic(struct embedded_broker *broker, const char *topic,
                               int32_t partitions, struct err *err);
/* Fault injection: the broker stops answering / answers again. */
void embedded_down(struct embedded_broker *broker);
void embedded_up(struct embedded_broker *broker);

enum embedded_fault {
    EMBEDDED_FEW_REPLICAS,  /* NOT_ENOUGH_REPLICAS: passes by itself */
    EMBEDDED_LOST_SEQUENCE, /* OUT_OF_ORDER_SEQUENCE_NUMBER: fatal to an idempotent producer */
};
enum { EMBEDDED_FAULTS_MAX = 64 };
/* Fault injection: the next `count` produce requests, at most EMBEDDED_FAULTS_MAX, are refused. */
void embedded_refuse_produce(struct embedded_broker *broker, enum embedded_fault fault,
                             size_t count);

#endif
