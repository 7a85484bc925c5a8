/*
 * orchestrator/engine/schedules.h
 *   Sagas that start by the clock.
 */
#ifndef ORCHESTRATOR_ENGINE_SCHEDULES_H
#define ORCHESTRATOR_ENGINE_SCHEDULES_H

#include "orchestrator/store/schedule_rows.h"
#include "orchestrator/store/store.h"

/*
 * The saga that a schedule starts for one of its times: the same on every node, however often it
 * is tried. `uid` is not shown to anybody, so that nobody can take the id before.
 */
struct uuid schedule_saga_id(const struct uuid *uid, int64_t scheduled_at_ms);

/* The times that wait, to and from the bytes of their column. */
struct bytes schedule_pack_waiting(const struct schedule_state *state, struct arena *arena);
void schedule_unpack(const struct schedule_row *row, struct schedule_state *ret_state);

#endif
