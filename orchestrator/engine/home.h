/*
 * orchestrator/engine/home.h
 *   Ids of new sagas, drawn so that their replies come to this node.
 *
 * A reply has its command's key, the saga's id, and a key has its partition. Where the node that
 * started a saga also reads its partition, the saga is in memory when the reply comes. That saves
 * work, and nothing depends on it. A node that takes in more than its share of the starts draws
 * ids of other nodes' partitions too, so that no node and no participant is left without work.
 * Thread-safe.
 */
#ifndef ORCHESTRATOR_ENGINE_HOME_H
#define ORCHESTRATOR_ENGINE_HOME_H

#include "sagas/base/uuid.h"

#include <stdint.h>

struct home;

struct home *home_new(void);
void home_free(struct home *home);
/* The topic of replies has so many partitions; not known below 1. */
void home_set_count(struct home *home, int32_t count);
/* The partition is ours from now on, or no more. */
void home_set(struct home *home, int32_t partition, bool is_ours);
/* Of all starts, `own` were taken in here and `others` by other nodes, in the same time. */
void home_set_starts(struct home *home, uint64_t own, uint64_t others);
/* The id of a saga that starts now. */
struct uuid home_draw(struct home *home, int64_t now_ms);
/* How many were drawn so far. */
uint64_t home_drawn(struct home *home);

#endif
