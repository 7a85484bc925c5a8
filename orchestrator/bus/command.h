/*
 * orchestrator/bus/command.h
 *   A command as a Kafka record: CloudEvents 1.0, binary mode (contracts, section 2).
 *   Private to orchestrator/bus.
 */
#ifndef ORCHESTRATOR_BUS_COMMAND_H
#define ORCHESTRATOR_BUS_COMMAND_H

#include "orchestrator/bus/bus.h"

#include <librdkafka/rdkafka.h>

/* What is the same for every command of this node. */
struct command_origin {
    const char *source;      /* ce_source */
    const char *reply_topic; /* ce_sagareplyto */
    const struct token_keys *keys;
};

/* The caller owns the headers. */
rd_kafka_headers_t *command_headers(const struct command_origin *origin,
                                    const struct command *command, const struct bus_saga *saga);

#endif
