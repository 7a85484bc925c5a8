/*
 * sagas/machine/fork.h
 *   A new saga out of one that is over or stuck: what it takes over, and the events that make it.
 *
 * A fork has a key of its own for every command, so nothing that it does is what the first saga
 * did. What it takes over it only reads: such a step is skipped with the output that it had, and a
 * skipped step is never undone. Its effect stays the first saga's, which for that has to be over:
 * while a saga is open its steps may still be undone.
 */
#ifndef SAGAS_MACHINE_FORK_H
#define SAGAS_MACHINE_FORK_H

#include "sagas/machine/machine.h"

struct fork_step {
    int step;            /* position */
    struct bytes output; /* absent: null */
};

struct fork {
    struct uuid saga;  /* the first one */
    struct bytes from; /* id of the step; absent: from the beginning */
    const struct fork_step *taken;
    size_t taken_count;
    /* filled by whoever asks */
    struct bytes actor, reason;
    bool held; /* the definition is paused */
};

/*
 * Plan a fork of `saga` from step `from` (-1: from the beginning). Bytes are the saga's and the
 * arena's. False: the state does not allow it; the text says why, and what would be.
 */
bool fork_plan(const struct saga *saga, int from, struct arena *arena, struct fork *ret_fork,
               struct bytes *ret_why);

/* The events that make the fork out of a new saga, all in one transaction: each is APPLIED. */
size_t fork_event_count(const struct fork *fork);
struct event fork_event(const struct fork *fork, size_t number);

#endif
