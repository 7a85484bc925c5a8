/*
 * orchestrator/engine/locks.h
 *   Sagas that wait for each other, for the files of the engine.
 */
#ifndef ORCHESTRATOR_ENGINE_LOCKS_H
#define ORCHESTRATOR_ENGINE_LOCKS_H

#include "orchestrator/engine/internal.h"
#include "orchestrator/store/lock.h"

/* What is stored of its lock now; at load, and after each commit. */
void locks_remember(struct cached *cached);

/* How far the sweep has come. All zero: it begins. */
struct lock_sweep {
    struct lock_name after; /* absent: from the first line */
    struct arena arena;     /* of it */
};
/* One page of lines, and those that were not told. Any node at any time. */
MUST_CHECK bool locks_sweep(struct engine *engine, struct store *store, struct lock_sweep *sweep,
                            struct arena *arena, struct err *err);

#endif
