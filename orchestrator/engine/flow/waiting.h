/*
 * orchestrator/engine/flow/waiting.h
 *   Commands that are held back: by topic and urgency, in the order in which they came.
 * Thread-safe.
 *
 * Ids of sagas are all that is kept, the commands are made again from the saga. What is taken to be
 * sent still counts as held until waiting_done, so that its time does not run meanwhile.
 */
#ifndef ORCHESTRATOR_ENGINE_FLOW_WAITING_H
#define ORCHESTRATOR_ENGINE_FLOW_WAITING_H

#include "sagas/base/uuid.h"

#include <stddef.h>

enum { WAITING_TOPICS_MAX = 1000 };

/* Undo before what is in flight before what is new; of each the first attempts before retries. */
enum line {
    LINE_UNDO,
    LINE_UNDO_RETRY,
    LINE_IN_FLIGHT,
    LINE_IN_FLIGHT_RETRY,
    LINE_START,
    LINE_START_RETRY,
    LINE_COUNT,
};

struct waiting;

struct waiting *waiting_new(void);
void waiting_free(struct waiting *waiting);
/* What is held already moves to the more urgent of the two lines. */
void waiting_add(struct waiting *waiting, uint16_t topic, const struct uuid *id, enum line line);
/* The same of what left before and is to be sent again. */
void waiting_add_again(struct waiting *waiting, uint16_t topic, const struct uuid *id,
                       enum line line);
/* The first of the line. It stays held until waiting_done. */
bool waiting_take(struct waiting *waiting, uint16_t topic, enum line line, struct uuid *ret_id);
void waiting_done(struct waiting *waiting, uint16_t topic, const struct uuid *id);
/* Held and never sent. */
bool waiting_is_unsent(struct waiting *waiting, uint16_t topic, const struct uuid *id);
/* Held, or about to be sent. */
bool waiting_has(struct waiting *waiting, uint16_t topic, const struct uuid *id);
/* How many stand in the topic's lines from the first to this one. */
size_t waiting_up_to(struct waiting *waiting, uint16_t topic, enum line line);
/* Held or about to be sent, of all topics. Reads one number. */
size_t waiting_count(struct waiting *waiting);

#endif
