/* What counts as done and not undone, held against what the participants really did. */
#include "tests/simulation/checks.h"

#include "sagas/machine/exposure.h"

struct exposure {
    const struct step *step;
    const struct step_run *run;
    struct ledger *ledger;
    enum exposed exposed;
};

/* Nobody has heard yet what became of its command. */
static bool is_under_way(const struct step_run *run)
{
    return run->state == STEP_READY || run->state == STEP_DISPATCHED || run->state == STEP_RETRYING;
}

static bool is_let_be(const struct exposure *at)
{
    return at->run->state == STEP_COMPENSATION_SKIPPED ||
           (at->run->state == STEP_COMPENSATED && at->step->undo == UNDO_NOTHING);
}

static bool fits(const struct exposure *at)
{
    const int64_t net =
        (int64_t)at->ledger->effects[OP_ACTION] - (int64_t)at->ledger->effects[OP_COMPENSATE];
    if (net < 0 || net > 1) return false;
    if (at->exposed == EXPOSED_DONE && at->run->state == STEP_SUCCEEDED) return net == 1;
    if (at->exposed == EXPOSED_NOT && !is_under_way(at->run) && !is_let_be(at)) return net == 0;
    return true;
}

/* What it is worth is settled when it is sent, and kept whatever crashes. */
static void check_worth(struct world *world, const struct decided *decided,
                        const struct exposure *at)
{
    const struct run_effect *const effect = at->run->effect;
    if (at->ledger->attempts_committed[OP_ACTION] == 0) return;
    if (effect == NULL) {
        violate(world, "S3", "saga %d forgets what step %s is worth", decided->number,
                at->step->id.data);
    }
    if (at->ledger->is_worth_known && !bytes_equal(at->ledger->worth, effect->amount)) {
        violate(world, "S3", "saga %d: step %s is worth %s and was worth %s", decided->number,
                at->step->id.data, effect->amount.data, at->ledger->worth.data);
    }
    if (at->ledger->is_worth_known) return;
    at->ledger->is_worth_known = true;
    at->ledger->worth = bytes_copy(&world->arena, effect->amount);
}

static void check_run(struct world *world, const struct decided *decided, size_t i, uint32_t k)
{
    const struct saga *const after = decided->after;
    const struct step *const step = &after->definition->steps[i];
    struct exposure at = {
        .step = step,
        .run = &after->steps[i].run[k],
        .ledger = ledger_of_run(world, decided, i, k),
        .exposed = run_exposed(after, step, &after->steps[i].run[k]),
    };
    check_worth(world, decided, &at);
    if (at.exposed != EXPOSED_NOT) counters[COUNT_EXPOSED]++;
    if (at.exposed == EXPOSED_UNKNOWN) counters[COUNT_EXPOSED_UNKNOWN]++;
    const bool is_sure = !at.ledger->tainted && !is_operator(decided->event);
    if (!is_sure || saga_is_finished(after->state) || fits(&at)) return;
    violate(world, "S9", "saga %d step %s[%u] is %s with %u effects and %u undone", decided->number,
            step->id.data, k, step_state_name(at.run->state), at.ledger->effects[OP_ACTION],
            at.ledger->effects[OP_COMPENSATE]);
}

void check_exposure(struct world *world, const struct decided *decided)
{
    const struct saga *const after = decided->after;
    /* What changed nothing is not known to be the newest. */
    if (decided->decision->verdict != VERDICT_APPLIED) return;
    for (size_t i = 0; i < after->definition->step_count; i++) {
        if (after->definition->steps[i].effect == NULL) continue;
        for (uint32_t k = 0; k < after->steps[i].count; k++) {
            check_run(world, decided, i, k);
        }
    }
}
