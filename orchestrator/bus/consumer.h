/*
 * orchestrator/bus/consumer.h
 *   Replies and signals in. Private to orchestrator/bus.
 *
 * One thread waits for one record and then drains without waiting. Offsets are committed only
 * when consumer_store said so. A topic that is missing is waited for; a consumer that failed for
 * good (its static id was taken over) is made anew.
 */
#ifndef ORCHESTRATOR_BUS_CONSUMER_H
#define ORCHESTRATOR_BUS_CONSUMER_H

#include "orchestrator/bus/client.h"

enum { CONSUMER_TOPICS = 2 }; /* replies, signals */

struct consumer;

/* What it is given stays valid until consumer_close. Checks the settings, connects to nothing. */
MUST_CHECK bool consumer_open(const struct bus_options *options,
                              const struct bus_callbacks *callbacks,
                              const char *const topics[CONSUMER_TOPICS],
                              struct consumer **ret_consumer, struct err *err);
void consumer_start(struct consumer *consumer);
/* No more callbacks; offsets may still be stored. */
void consumer_stop(struct consumer *consumer);
/* Commits what was stored and leaves the group. NULL is fine. */
void consumer_close(struct consumer *consumer);

/* Thread-safe. A partition that is no longer ours is left alone. */
void consumer_store(struct consumer *consumer, struct bytes topic, int32_t partition,
                    int64_t offset);

#endif
