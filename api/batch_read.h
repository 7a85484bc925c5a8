/*
 * api/batch_read.h
 *   What a batch is asked to do, and to what.
 */
#ifndef API_BATCH_READ_H
#define API_BATCH_READ_H

#include "api/exchange.h"
#include "api/step_map.h"
#include "orchestrator/store/failure.h"
#include "orchestrator/store/operator_batch.h"
#include "orchestrator/store/store.h"

enum { BATCH_ITEMS_MAX = 10 * 1000 * 1000, BATCH_IDS_MAX = 100 * 1000 };

struct batch_wish {
    struct operator_batch batch; /* without id and counts */
    struct batch_source source;
    bool replays; /* dead letters, not sagas */
    bool matches_nothing;
    bool migrates;
    uint32_t version;    /* migrate */
    struct step_map map; /* migrate */
    /* what `source` points at */
    struct saga_filter sagas;
    struct letter_filter letters;
    struct failure_group failure;
};

/* The body; false: refused. Everything borrows from the exchange. */
bool batch_read(struct exchange *exchange, struct batch_wish *ret_wish);

/* batch_migrate.c: what is to be done is written into the batch. False: the exchange is answered.
 */
bool batch_plan_migration(struct exchange *exchange, struct store *store, struct batch_wish *wish);

#endif
