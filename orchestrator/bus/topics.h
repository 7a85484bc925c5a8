/*
 * orchestrator/bus/topics.h
 *   `sagad topics plan|apply`: the topics that should exist, and making them.
 */
#ifndef ORCHESTRATOR_BUS_TOPICS_H
#define ORCHESTRATOR_BUS_TOPICS_H

#include "orchestrator/base/err.h"
#include "sagas/base/bytes.h"

#include <stdint.h>

struct topic_plan {
    struct bytes name;
    int32_t partitions; /* wanted for a new one; what it has for one that exists */
    int16_t replication;
    bool exists;
    bool made;            /* by topics_apply */
    struct bytes problem; /* absent: fine */
};

/* sagad's own topics (saga.replies saga.events saga.signals saga.replies.dlt), prefixed; `extra`
 * are others. */
MUST_CHECK bool topics_plan(const char *brokers, const char *prefix, const struct bytes *extra,
                            size_t extra_count, int32_t partitions, int16_t replication,
                            struct arena *arena, struct topic_plan **ret_plan, size_t *ret_count,
                            struct err *err);
/* Creates those that do not exist. False when one could not be made; its `problem` says why. */
MUST_CHECK bool topics_apply(const char *brokers, struct topic_plan *plan, size_t count,
                             struct arena *arena, struct err *err);

#endif
