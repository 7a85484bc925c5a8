#include "orchestrator/engine/flow/retry_budget.h"

enum { TOKEN = 1000 };

void retry_budget_note(struct retry_budget *budget, int64_t now_ms, uint32_t firsts)
{
    const int64_t most = (int64_t)BUDGET_SAVED_MAX * TOKEN;
    int64_t passed_ms = now_ms - budget->at_ms;
    if (budget->at_ms == 0) {
        budget->thousandths = most;
        passed_ms = 0;
    }
    if (passed_ms > 1000) passed_ms = 1000;
    if (passed_ms < 0) passed_ms = 0;
    budget->at_ms = now_ms;
    budget->thousandths += (int64_t)firsts * TOKEN * BUDGET_PER_HUNDRED / 100;
    budget->thousandths += passed_ms * TOKEN * BUDGET_TRICKLE_PER_S / 1000;
    if (budget->thousandths > most) budget->thousandths = most;
}

bool retry_budget_take(struct retry_budget *budget)
{
    if (budget->thousandths < TOKEN) return false;
    budget->thousandths -= TOKEN;
    return true;
}
