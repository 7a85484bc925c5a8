/*
 * orchestrator/engine/topics.h
 *   The topics that this node sends commands to, so that somebody looks whether they are read.
 *
 * At most TOPICS_MAX of them, the first ones; what comes after is not watched. Thread-safe.
 */
#ifndef ORCHESTRATOR_ENGINE_TOPICS_H
#define ORCHESTRATOR_ENGINE_TOPICS_H

#include "sagas/base/bytes.h"

#include <stdint.h>

enum { TOPICS_MAX = 100, TOPIC_SIZE = 250 };

struct topics;

struct topics *topics_new(void);
void topics_free(struct topics *topics);
void topics_note(struct topics *topics, struct bytes topic);
/* One that has not been looked at for `every_ms`; it counts as looked at now. False: none. */
bool topics_next(struct topics *topics, int64_t monotonic_ms, int64_t every_ms,
                 char ret_topic[TOPIC_SIZE]);
/* Remember whether somebody reads the topic. True: this is news. */
bool topics_set_read(struct topics *topics, const char *topic, bool is_read);

#endif
