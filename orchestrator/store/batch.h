/*
 * orchestrator/store/batch.h
 *   The round of statements that writes a batch.
 */
#ifndef ORCHESTRATOR_STORE_BATCH_H
#define ORCHESTRATOR_STORE_BATCH_H

#include "orchestrator/store/store_private.h"

/* Place of SQL_WRITER_BATCH in the round: its parameters are given at each try. */
enum { BATCH_NUMBER = 1 };

/* Begin ... commit; parameters live in the scratch arena. */
void batch_make(struct store *store, const struct store_batch *batch, struct round *round);

/* event_rows.c: its history once more. */
void batch_add_events(struct store *store, struct round *round, const struct store_batch *batch);
/* failure.c: after the rows of the sagas, which hold the locks. */
void batch_add_failures(struct store *store, struct round *round, const struct store_batch *batch);

/* exposure.c: likewise. */
void batch_add_effects(struct store *store, struct round *round, const struct store_batch *batch);
/* lock.c: likewise. */
void batch_add_locks(struct store *store, struct round *round, const struct store_batch *batch);

#endif
