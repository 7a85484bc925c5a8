/*
 * orchestrator/engine/outbox.h
 *   Sagas whose committed commands the broker has not taken. Their ids are all that is kept: the
 *   commands are made again from the saga. Thread-safe.
 *
 * An id comes in (outbox_add), is taken to be sent again, and is done (outbox_sent) when its
 * commands are with the bus. It is remembered for a minute more: what comes back by then waits
 * longer each time, so that a topic that does not exist does not keep the node busy.
 */
#ifndef ORCHESTRATOR_ENGINE_OUTBOX_H
#define ORCHESTRATOR_ENGINE_OUTBOX_H

#include "sagas/base/uuid.h"

#include <stddef.h>

struct outbox;

struct outbox *outbox_new(void);
void outbox_free(struct outbox *outbox);
void outbox_add(struct outbox *outbox, const struct uuid *id);
/* Take up to `limit` ids whose time has come, any order. They stay unsent until outbox_sent. */
size_t outbox_take(struct outbox *outbox, int64_t monotonic_ms, struct uuid *ret_ids, size_t limit);
void outbox_sent(struct outbox *outbox, const struct uuid *id);
/* The broker is back: nobody waits any longer. */
void outbox_hurry(struct outbox *outbox);

enum outbox_place {
    OUTBOX_NOT,      /* nothing unsent */
    OUTBOX_WAITING,  /* not sent yet, or about to be sent again */
    OUTBOX_BOUNCING, /* waits after it was sent in vain */
};
enum outbox_place outbox_find(struct outbox *outbox, const struct uuid *id);
/* How many are unsent. */
size_t outbox_count(struct outbox *outbox);
/* Since when there has been anything unsent without a break, monotonic ms; 0: empty. */
int64_t outbox_since_ms(struct outbox *outbox);

#endif
