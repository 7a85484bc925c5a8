/*
 * tests/simulation/checks.h
 *   What the files of the checks share.
 */
#ifndef TESTS_SIMULATION_CHECKS_H
#define TESTS_SIMULATION_CHECKS_H

#include "tests/simulation/world.h"

/* One decision of one node on one saga: what it saw and what it made of it. */
struct decided {
    int node, number;
    const struct saga *before, *after;
    const struct event *event;
    const struct decision *decision;
};

bool is_operator(const struct event *event);
/* A foreach that has been reached and is not empty: its runs have an index. */
bool has_items(const struct step_runs *runs);
/* A signal or a delay that has begun and is not over. */
bool run_waits(const struct saga *saga, size_t step, uint32_t k);
/* The run of (step, index); NULL when there is none. */
const struct step_run *run_named(const struct saga *saga, int step, int32_t index);
struct ledger *ledger_of_run(struct world *world, const struct decided *decided, size_t step,
                             uint32_t k);

/* check_commands.c: S5, S6, S11, S12, S14, and when a command may be sent at all. */
void check_commands(struct world *world, const struct decided *decided);
/* check_waits.c: signals, delays, probes and holds. */
void check_waits(struct world *world, const struct decided *decided);
/* check_exposure.c: S9 while the saga is open, and that what an effect is worth is kept. */
void check_exposure(struct world *world, const struct decided *decided);

#endif
