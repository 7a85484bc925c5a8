/*
 * api/waiters.h
 *   Long polls: exchanges that wait until their saga changes, or ends.
 *
 * The engine says what changed on this node (waiters_changed); what another node changed is found
 * by looking once a second. An exchange that waits holds no thread.
 *
 * A handler adds the exchange before it reads the saga and parks it after, so that a change between
 * the two is not missed.
 */
#ifndef API_WAITERS_H
#define API_WAITERS_H

#include "api/exchange.h"
#include "api/readers.h"
#include "sagas/machine/saga.h"

struct waiters;

enum { WAIT_MS_MAX = 60 * 1000 };

/* An exchange whose time has come is given to the readers with `handle`. */
struct waiters *waiters_new(struct readers *readers, route_handler *handle);
void waiters_free(struct waiters *waiters);

/* exchange->wait says what for; the deadline of its answer moves. Thread: a reader or the engine.
 */
void waiters_add(struct waiters *waiters, struct exchange *exchange);
/*
 * Sleep until the change or the end; the exchange is gone from here then. False: it happened
 * already, read again.
 */
bool waiters_park(struct waiters *waiters, struct exchange *exchange, uint32_t seen_revision);
/* It need not wait any more. */
void waiters_remove(struct waiters *waiters, struct exchange *exchange);

/* Is what the entry waits for the case in this revision and state? */
bool waiters_is_met(const struct wait_entry *entry, uint32_t revision, enum saga_state state);

/* engine_changed; context is the waiters. Cheap when nobody waits. */
void waiters_changed(void *context, const struct uuid *id, uint32_t revision,
                     enum saga_state state);
/* Wake those whose time is up; once a second look after what other nodes did. Thread: the clock. */
void waiters_tick(struct waiters *waiters, int64_t now_ms);
/* Wake all, now and from now on. */
void waiters_expire_all(struct waiters *waiters);

#endif
