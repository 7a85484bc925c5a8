/*
 * orchestrator/bus/event.h
 *   The headers of a record of saga.events. Private to orchestrator/bus.
 */
#ifndef ORCHESTRATOR_BUS_EVENT_H
#define ORCHESTRATOR_BUS_EVENT_H

#include "orchestrator/bus/bus.h"

#include <librdkafka/rdkafka.h>

/* CloudEvents 1.0, Kafka binding, binary mode. The caller owns them. */
rd_kafka_headers_t *event_headers(const char *source, const struct bus_event *event);

#endif
