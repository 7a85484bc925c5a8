/*
 * api/saga_filter.h
 *   Which sagas a query asks for: the parameters that lists and counts share.
 */
#ifndef API_SAGA_FILTER_H
#define API_SAGA_FILTER_H

#include "api/exchange.h"
#include "orchestrator/store/store.h"

/*
 * The filter without page and limit; its arrays live in the exchange. *ret_matches_nothing: no saga
 * can match. False: refused. Parameters that are no filter are passed over.
 */
bool saga_filter_read(struct exchange *exchange, struct saga_filter *ret_filter,
                      bool *ret_matches_nothing);
/* The same of parameters that a body's /filter holds: refused at their place there. */
bool saga_filter_of(struct exchange *exchange, const struct parameter *parameters, size_t count,
                    struct saga_filter *ret_filter, bool *ret_matches_nothing);

#endif
