/*
 * orchestrator/engine/flow/retry_budget.h
 *   How many retries a topic may get: a tenth of its first attempts. Pure.
 *
 * A bucket of tokens. What is saved up is little, so that an hour of good traffic does not pay for
 * a storm; a trickle keeps a lone saga going where there are no first attempts at all.
 */
#ifndef ORCHESTRATOR_ENGINE_FLOW_RETRY_BUDGET_H
#define ORCHESTRATOR_ENGINE_FLOW_RETRY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BUDGET_PER_HUNDRED = 10, /* retries for so many first attempts */
    BUDGET_SAVED_MAX = 100,
    BUDGET_TRICKLE_PER_S = 5,
};

struct retry_budget {
    int64_t thousandths; /* of a token */
    int64_t at_ms;       /* up to which the trickle is counted; 0: it has not begun */
};

/* `firsts` first attempts were sent since the last call. */
void retry_budget_note(struct retry_budget *budget, int64_t now_ms, uint32_t firsts);
/* True: a retry may go; it is paid for. */
bool retry_budget_take(struct retry_budget *budget);

#endif
