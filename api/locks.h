/* api/locks.h: sagas that wait for each other, for other handlers. */
#ifndef API_LOCKS_H
#define API_LOCKS_H

#include "api/exchange.h"
#include "api/render.h"
#include "orchestrator/store/lock.h"

/* Add its place and who is before it, where `why` says that the saga waits for a lock. */
MUST_CHECK bool locks_tell_line(struct exchange *exchange, struct store *store,
                                const struct saga *saga, struct why *why, struct why_more *more,
                                struct err *err);

#endif
