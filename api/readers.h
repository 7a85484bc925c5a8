/*
 * api/readers.h
 *   Threads that read: each has a connection to the database of its own. GETs and previews run
 * here, and whatever else needs a look at the database, so that no HTTP thread ever waits for one.
 */
#ifndef API_READERS_H
#define API_READERS_H

#include "api/exchange.h"
#include "orchestrator/base/err.h"

struct readers;

enum { READERS_QUEUE_MAX = 2000 };

/* The connections are made when they are first needed: the database may be away. */
struct readers *readers_start(const char *database_url, const char *namespace_name,
                              const char *role, uint32_t count);
/* What is queued is carried out first. */
void readers_stop(struct readers *readers);
/*
 * Run `handle` on a reader thread, then exchange_done unless it returns LATER. The exchange is
 * suspended; when READERS_QUEUE_MAX wait it is answered with 429 instead. Thread-safe.
 */
void readers_put(struct readers *readers, struct exchange *exchange, route_handler *handle);
/* The same, never refused: for exchanges that waited already. */
void readers_put_waiting(struct readers *readers, struct exchange *exchange, route_handler *handle);
/* Run `task(context, store)` on a reader thread, store NULL while the database is away. False: too
 * much waits. */
typedef void reader_task(void *context, struct store *store);
bool readers_run(struct readers *readers, reader_task *task, void *context);

#endif
