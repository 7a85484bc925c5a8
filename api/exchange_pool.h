/*
 * api/exchange_pool.h
 *   Exchanges that are used again, with a bounded amount of memory each.
 */
#ifndef API_EXCHANGE_POOL_H
#define API_EXCHANGE_POOL_H

#include "api/exchange.h"

struct exchange_pool;

struct exchange_pool *exchange_pool_new(void);
/* All exchanges must be back. */
void exchange_pool_free(struct exchange_pool *pool);
/* A fresh exchange with one reference. Thread-safe. */
struct exchange *exchange_take(struct exchange_pool *pool);
/* Give up one reference; the last one ends the exchange. Thread-safe. */
void exchange_release(struct exchange_pool *pool, struct exchange *exchange);
/* Exchanges that are out. */
uint32_t exchange_pool_out(struct exchange_pool *pool);

#endif
