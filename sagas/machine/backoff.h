/*
 * sagas/machine/backoff.h
 *   How long to wait between two attempts.
 */
#ifndef SAGAS_MACHINE_BACKOFF_H
#define SAGAS_MACHINE_BACKOFF_H

#include "sagas/definition/definition.h"

/*
 * Wait after the `failures`-th counted attempt (1 is the first): initial x multiplier^(failures -
 * 1), at most `max_ms`, then jitter: full is uniform in (0, wait], equal in (wait / 2, wait], none
 * is the wait itself. Never less than 1 ms. All chance comes from `random`, a splitmix64 state.
 */
uint64_t backoff_delay_ms(const struct retry_policy *policy, uint32_t failures, uint64_t *random);

#endif
