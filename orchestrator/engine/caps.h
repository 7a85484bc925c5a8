/*
 * orchestrator/engine/caps.h
 *   How many sagas may be open, of a definition and of the namespace. Thread-safe.
 *
 * What this node starts and ends it knows at once, what other nodes do it learns with each count of
 * PostgreSQL: several nodes together may go over a cap by what they start within some seconds.
 */
#ifndef ORCHESTRATOR_ENGINE_CAPS_H
#define ORCHESTRATOR_ENGINE_CAPS_H

#include "orchestrator/store/store.h"

struct caps;
struct cap; /* of one definition, all versions */

/* 0: as many as there may be. NULL where both are 0: nothing is counted. */
struct caps *caps_new(uint32_t open_max, uint32_t open_max_per_definition);
void caps_free(struct caps *caps);

/* Room for one more: it counts until caps_leave. NULL: full, *ret_why says of what. */
struct cap *caps_enter(struct caps *caps, struct bytes definition, const char **ret_why);
/* What came of it is known: it is counted as open by now, or never began. */
void caps_leave(struct cap *cap);
/* A saga was started, or ended. `caps` may be NULL. */
void caps_opened(struct caps *caps, struct bytes definition);
void caps_closed(struct caps *caps, struct bytes definition);

/* Before PostgreSQL is asked, and with what it said. */
uint64_t caps_count_begin(struct caps *caps);
void caps_counted(struct caps *caps, uint64_t begin, const struct state_count *rows, size_t count);

#endif
