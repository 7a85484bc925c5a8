/*
 * orchestrator/engine/topic_view.h
 *   How topics do, as this node sees them. Thread-safe, blocks nobody.
 */
#ifndef ORCHESTRATOR_ENGINE_TOPIC_VIEW_H
#define ORCHESTRATOR_ENGINE_TOPIC_VIEW_H

#include "orchestrator/base/err.h"
#include "sagas/base/bytes.h"
#include "sagas/base/uuid.h"

#include <stddef.h>
#include <stdint.h>

struct engine;
struct store;

struct topic_view {
    struct bytes name;
    bool paused;
    struct bytes paused_by, paused_why; /* absent: not paused, no reason given */
    int64_t paused_at_ms;
    const char *circuit;
    bool circuit_closed;
    int64_t circuit_since_ms;  /* 0: closed all the time */
    int64_t lag, participants; /* below 0: not known */
    int64_t last_reply_at_ms;  /* 0: none was seen by this node */
    int bad_percent;           /* of what was answered or timed out lately; -1: nothing */
    uint32_t window, outstanding;
    uint64_t waiting;
};

/* Those that this node sends to and those that are paused, by name. */
void engine_topics(struct engine *engine, struct arena *arena, struct topic_view **ret_views,
                   size_t *ret_count);
/* False: this node does not know it. */
bool engine_topic(struct engine *engine, struct bytes name, struct arena *arena,
                  struct topic_view *ret_view);
/* A command of that saga that never left waits here for the topic. */
bool engine_waits_for_topic(struct engine *engine, struct bytes name, const struct uuid *saga_id);
/*
 * A topic was paused or resumed: this node follows before the call returns, others do within a
 * second. `store` is the caller's own connection.
 */
MUST_CHECK bool engine_read_pauses(struct engine *engine, struct store *store, struct err *err);

#endif
