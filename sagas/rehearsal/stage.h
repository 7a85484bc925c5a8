/* sagas/rehearsal/stage.h: one run and what its participants did. For sagas/rehearsal/ only. */
#ifndef SAGAS_REHEARSAL_STAGE_H
#define SAGAS_REHEARSAL_STAGE_H

#include "sagas/rehearsal/rehearsal.h"

/*
 * Play one run; what it shows lives in `arena`. Adds the events that it took to *events. False: the
 * start is refused.
 */
bool stage_play(const struct definition *definition, const struct rehearsal_plan *plan,
                struct rehearsal_run *run, struct arena *arena, size_t *events,
                struct expression_error *ret_error);

#endif
