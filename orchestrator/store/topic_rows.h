/* orchestrator/store/topic_rows.h: topics that people paused (topic_rows.c) */
#ifndef ORCHESTRATOR_STORE_TOPIC_ROWS_H
#define ORCHESTRATOR_STORE_TOPIC_ROWS_H

#include "orchestrator/store/store.h"

enum { TOPIC_PAUSES_MAX = 1000 };

struct topic_pause_row {
    struct bytes name;
    int64_t at_ms;
    struct bytes by;
    struct bytes reason; /* absent: none was given */
};
/* All of the namespace, by name. */
MUST_CHECK bool store_topic_pauses(struct store *store, struct arena *arena,
                                   struct topic_pause_row **ret_rows, size_t *ret_count,
                                   struct err *err);

enum topic_verb { TOPIC_PAUSE, TOPIC_RESUME };
/*
 * The change, and who made it and why, in one transaction. False in *ret_changed: it was so already
 * (or TOPIC_PAUSES_MAX are paused), and nothing is written.
 */
MUST_CHECK bool store_topic_set(struct store *store, enum topic_verb verb, struct bytes name,
                                struct bytes actor, struct bytes reason, bool *ret_changed,
                                struct err *err);

struct topic_act_row {
    int64_t at_ms;
    struct bytes verb, actor, reason;
};
/* The latest first. */
MUST_CHECK bool store_topic_acts(struct store *store, struct bytes name, size_t limit,
                                 struct arena *arena, struct topic_act_row **ret_rows,
                                 size_t *ret_count, struct err *err);

#endif
