/*
 * api/preview.h
 *   What a command would do, as dry_run shows it: {"would": [..], "state"}.
 */
#ifndef API_PREVIEW_H
#define API_PREVIEW_H

#include "sagas/machine/machine.h"

/* `decision` is the one that made `after` of `before`; the text is the arena's. */
struct bytes preview_text(const struct saga *before, const struct saga *after,
                          const struct decision *decision, struct arena *arena);

#endif
