/*
 * cli/demo/updates.h
 *   Content-state updates as JSON lines: inputs of content-publish.
 *
 * A pure function of count and seed: the same bytes on every machine. Each update is about a title
 * of its own; about one in twenty names a region that will refuse.
 */
#ifndef CLI_DEMO_UPDATES_H
#define CLI_DEMO_UPDATES_H

#include "sagas/base/bytes.h"

#include <stdint.h>

enum { UPDATES_COUNT = 2000, UPDATES_SEED = 7, UPDATES_COUNT_MAX = 1000000 };

/* Appends `count` lines; the number of those that will be refused. */
size_t updates_write(size_t count, uint64_t seed, struct buffer *buffer);

#endif
