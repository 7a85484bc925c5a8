/*
 * orchestrator/engine/inbox.h
 *   Which records of each partition are dealt with.
 *
 * Workers finish records out of order; only the run without a gap may be committed to
 * Kafka, so that nothing is lost when the node dies. The same runs are stored in
 * PostgreSQL as ranges (processed_message): a record that the broker delivers again, even a
 * whole topic read again, is recognised by offset and time stamp and passed over. What is
 * not recognised is settled by the state machine as a duplicate. Thread-safe.
 */
#ifndef ORCHESTRATOR_ENGINE_INBOX_H
#define ORCHESTRATOR_ENGINE_INBOX_H

#include "orchestrator/store/store.h"

#include <stddef.h>

enum { INBOX_TOPIC_MAX = 250 };

struct inbox;

struct inbox *inbox_new(void);
void inbox_free(struct inbox *inbox);
/* A partition is ours: start anew with what was processed before. Rows are copied. */
void inbox_assign(struct inbox *inbox, struct bytes topic, int32_t number,
                  const struct processed_row *rows, size_t count);
void inbox_revoke(struct inbox *inbox, struct bytes topic, int32_t number);
/* A record came. False: it was processed before and is settled already. */
bool inbox_begin(struct inbox *inbox, struct bytes topic, int32_t number, int64_t offset,
                 int64_t at_ms);
/* It is durable. */
void inbox_done(struct inbox *inbox, struct bytes topic, int32_t number, int64_t offset);
/*
 * Call `store` for each partition whose run without a gap has grown, with the last offset of it.
 * One caller at a time, so that what is stored never goes back. `store` must not call the inbox.
 */
typedef void inbox_store(void *context, struct bytes topic, int32_t partition, int64_t offset);
void inbox_store_grown(struct inbox *inbox, inbox_store *store, void *context);
/*
 * Ranges to store with the next batch, at most one a partition and not more often than every 200
 * ms; the bytes of `topic` stay valid while the inbox lives.
 */
size_t inbox_ranges(struct inbox *inbox, int64_t monotonic_ms, struct processed_write *ret_ranges,
                    size_t limit);

#endif
