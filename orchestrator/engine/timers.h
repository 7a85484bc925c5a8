/*
 * orchestrator/engine/timers.h
 *   When each saga of a worker is next due: a heap with an index by saga id.
 *
 * One entry a saga, moved or removed as the saga moves on, so that nothing stale ever fires.
 * Only what is due within TIMERS_HORIZON_MS is held, and nowhere else: some 40 bytes a saga. What
 * lies beyond is found in PostgreSQL when its time comes (store_due). Belongs to one thread.
 */
#ifndef ORCHESTRATOR_ENGINE_TIMERS_H
#define ORCHESTRATOR_ENGINE_TIMERS_H

#include "sagas/base/uuid.h"

#include <stddef.h>

enum { TIMERS_HORIZON_MS = 10 * 60 * 1000 };

struct timers;

struct timers *timers_new(void);
void timers_free(struct timers *timers);
/* due_at_ms 0, or beyond the horizon: removed. */
void timers_set(struct timers *timers, const struct uuid *id, int64_t due_at_ms, int64_t now_ms);
/* Earliest due time; 0: none. */
int64_t timers_next(const struct timers *timers);
/* Remove the earliest entry that is due at `now_ms`. False: none is. */
bool timers_pop(struct timers *timers, int64_t now_ms, struct uuid *ret_id, int64_t *ret_due_at_ms);
size_t timers_count(const struct timers *timers);

#endif
