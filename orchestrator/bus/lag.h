/*
 * orchestrator/bus/lag.h
 *   Questions about topics of others: partitions and consumer lag. Private to orchestrator/bus.
 *
 * Answers are kept for seconds, so that a page that asks about a hundred sagas asks the broker
 * once.
 */
#ifndef ORCHESTRATOR_BUS_LAG_H
#define ORCHESTRATOR_BUS_LAG_H

#include "orchestrator/bus/producer.h"

struct lag;

/* `producer` stays valid until lag_close. */
struct lag *lag_open(struct producer *producer);
void lag_close(struct lag *lag);

/* Both thread-safe. Partitions: -1 not known; lag: as bus_topic_lag. */
int32_t lag_partitions(struct lag *lag, struct bytes topic, uint32_t timeout_ms);
int64_t lag_of(struct lag *lag, struct bytes topic, uint32_t timeout_ms);
int64_t lag_readers(struct lag *lag, struct bytes topic, uint32_t timeout_ms, int64_t *ret_members);

#endif
