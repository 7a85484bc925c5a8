/*
 * orchestrator/base/clock.h
 *   The two clocks: wall time for what is stored, monotonic time for waiting.
 */
#ifndef ORCHESTRATOR_BASE_CLOCK_H
#define ORCHESTRATOR_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void);      /* Unix ms, UTC */
int64_t clock_monotonic_ms(void); /* never goes back */
int64_t clock_monotonic_us(void);

#endif
