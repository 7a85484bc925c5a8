/*
 * api/saga_read.h
 *   Sagas out of the database, as the core knows them.
 */
#ifndef API_SAGA_READ_H
#define API_SAGA_READ_H

#include "api/exchange.h"
#include "orchestrator/store/store.h"

/* With payloads. ERR_NOT_FOUND. */
MUST_CHECK bool saga_read(struct exchange *exchange, struct store *store, const struct uuid *id,
                          struct saga **ret_saga, struct err *err);
/* A row of store_load or store_list. */
MUST_CHECK bool saga_of_row(struct exchange *exchange, struct store *store,
                            const struct saga_row *row, struct saga **ret_saga, struct err *err);

#endif
