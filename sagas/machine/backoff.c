#include "sagas/machine/backoff.h"

#include "sagas/machine/machine.h"

#include <assert.h>

uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* The wait without jitter. Doubles hold whole milliseconds exactly for far longer than any policy.
 */
static uint64_t capped_wait_ms(const struct retry_policy *policy, uint32_t failures)
{
    const double cap = (double)(policy->max_ms > 0 ? policy->max_ms : policy->initial_ms);
    double wait = (double)policy->initial_ms;
    for (uint32_t i = 1; i < failures && wait < cap && policy->multiplier > 1; i++) {
        wait *= policy->multiplier;
    }
    if (wait > cap) wait = cap;
    return wait < 1 ? 1 : (uint64_t)wait;
}

uint64_t backoff_delay_ms(const struct retry_policy *policy, uint32_t failures, uint64_t *random)
{
    assert(failures > 0);
    const uint64_t wait_ms = capped_wait_ms(policy, failures);
    const uint64_t fixed_ms = policy->jitter == JITTER_FULL    ? 0
                              : policy->jitter == JITTER_EQUAL ? wait_ms / 2
                                                               : wait_ms;
    if (fixed_ms == wait_ms) return wait_ms;
    return fixed_ms + 1 + random_next(random) % (wait_ms - fixed_ms);
}
