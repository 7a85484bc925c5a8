/*
 * orchestrator/engine/outbox.h
 *   Sagas whose committed commands the broker has not taken. Their ids are all that is kept: the
 *   commands are made again from the saga. Thread-safe.
 */
#ifndef ORCHESTRATOR_ENGINE_OUTBOX_H
#define ORCHESTRATOR_ENGINE_OUTBOX_H

#include "sagas/base/uuid.h"

#include <stddef.h>

struct outbox;

struct outbox *outbox_new(void);
void outbox_free(struct outbox *outbox);
void outbox_add(struct outbox *outbox, const struct uuid *id);
bool outbox_has(struct outbox *outbox, const struct uuid *id);
/* Take up to `limit` ids out, any order. */
size_t outbox_take(struct outbox *outbox, struct uuid *ret_ids, size_t limit);
size_t outbox_count(struct outbox *outbox);
/* Since when there has been anything in it without a break, monotonic ms; 0: empty. */
int64_t outbox_since_ms(struct outbox *outbox);

#endif
