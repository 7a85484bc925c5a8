/*
 * api/start_read.h
 *   A start as it is asked for: the body of POST /v1/sagas, or one item of a bulk.
 */
#ifndef API_START_READ_H
#define API_START_READ_H

#include "api/exchange.h"
#include "orchestrator/engine/engine.h"

enum start_read {
    START_READY,
    START_REFUSED,
    START_NEEDS_STORE, /* `store` was NULL and the definition is not in memory */
};

/*
 * Pointers of faults begin with `base`. Bytes borrow from the body. A definition given inline is
 * stored here, so that the start can name it.
 */
enum start_read start_read(struct exchange *exchange, struct store *store,
                           const struct json_view *body, struct bytes base, struct refusal *refusal,
                           struct start_request *ret_start);

#endif
