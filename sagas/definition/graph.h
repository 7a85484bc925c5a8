/*
 * sagas/definition/graph.h
 *   Who depends on whom.
 *
 * `depends_on` left out means the step before; `[]` means at once. The closure (all that must
 * have ended before a step starts) is kept as one bit per pair: at most 32 KiB.
 */
#ifndef SAGAS_DEFINITION_GRAPH_H
#define SAGAS_DEFINITION_GRAPH_H

#include "sagas/definition/definition.h"

struct draft;

struct graph {
    size_t count;
    size_t words;    /* of one row */
    uint64_t *above; /* row by row: the steps that come before, directly or not */
    bool *unsure;    /* by step: something before it is wrong, so anything may come before */
    bool sound;      /* every edge is right */
};

/* Fill draft->graph, the definition's by_id, and needs and feeds of its steps. */
void graph_build(struct draft *draft);

/* True when `other` has always ended before `step` starts. */
static inline bool graph_is_above(const struct graph *graph, size_t step, size_t other)
{
    return (graph->above[step * graph->words + other / 64] >> (other % 64) & 1U) != 0;
}

#endif
