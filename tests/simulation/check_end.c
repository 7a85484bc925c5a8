/* How sagas ended: S5, S9. */
#include "tests/simulation/checks.h"

struct ended {
    const struct step *step;
    const struct step_run *run;
    const struct ledger *ledger;
    int number;
    uint32_t item;
};

static void check_effects(struct world *world, const struct ended *at, uint32_t least,
                          uint32_t most)
{
    const int64_t net =
        (int64_t)at->ledger->effects[OP_ACTION] - (int64_t)at->ledger->effects[OP_COMPENSATE];
    if (at->ledger->tainted || (net >= least && net <= most)) return;
    violate(world, "S9", "saga %d step %s[%u] is %s with %u effects and %u undone", at->number,
            at->step->id.data, at->item, step_state_name(at->run->state),
            at->ledger->effects[OP_ACTION], at->ledger->effects[OP_COMPENSATE]);
}

static void check_succeeded(struct world *world, const struct ended *at)
{
    const bool ignored = at->step->on_failure == ON_FAILURE_IGNORE;
    const enum step_state state = at->run->state;
    if (state == STEP_FAILED || state == STEP_UNKNOWN) counters[COUNT_IGNORED_FAILURES]++;
    if (state == STEP_SUCCEEDED && at->step->pivot) counters[COUNT_PAST_PIVOT]++;
    if (at->ledger->undo_committed) {
        violate(world, "S5", "saga %d succeeded and undid %s", at->number, at->step->id.data);
    }
    if (state == STEP_SUCCEEDED) {
        const uint32_t effects = step_only_waits(at->step) ? 0 : 1;
        check_effects(world, at, effects, effects);
    } else if (state == STEP_SKIPPED || (state == STEP_FAILED && ignored)) {
        check_effects(world, at, 0, 0);
    } else if (state == STEP_UNKNOWN && ignored) {
        check_effects(world, at, 0, 1);
    } else {
        violate(world, "S5", "saga %d succeeded with step %s %s", at->number, at->step->id.data,
                step_state_name(state));
    }
}

static void check_compensated(struct world *world, const struct ended *at)
{
    const enum step_state state = at->run->state;
    if (state == STEP_COMPENSATED) {
        check_effects(world, at, 0, at->step->undo == UNDO_NOTHING ? 1 : 0);
    } else if (state == STEP_SKIPPED || state == STEP_FAILED) {
        check_effects(world, at, 0, 0);
    } else if (state == STEP_COMPENSATION_SKIPPED) {
        check_effects(world, at, 0, 1);
    } else {
        violate(world, "S5", "saga %d is compensated with step %s %s", at->number,
                at->step->id.data, step_state_name(state));
    }
}

static void check_run(struct world *world, const struct saga *saga, const struct ended *at)
{
    if (saga->state == SAGA_SUCCEEDED) {
        check_succeeded(world, at);
    } else if (saga->state == SAGA_COMPENSATED) {
        check_compensated(world, at);
    }
}

static void check_saga_end(struct world *world, int number, struct arena *arena)
{
    const struct saga *const saga = load_row(world, number, arena);
    if (!saga_is_finished(saga->state)) {
        violate(world, "L1", "saga %d is %s", number, saga_state_name(saga->state));
    }
    if (saga->attention != 0) violate(world, "S4", "saga %d has ended with attention", number);
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        const struct step_runs *const runs = &saga->steps[i];
        if (has_items(runs)) counters[COUNT_ITEMS] += runs->count;
        for (uint32_t k = 0; k < runs->count; k++) {
            check_run(world, saga,
                      &(struct ended){.step = &saga->definition->steps[i],
                                      .run = &runs->run[k],
                                      .ledger = ledger_of(world, number, (uint16_t)i,
                                                          has_items(runs) ? (int32_t)k : -1),
                                      .number = number,
                                      .item = k});
        }
    }
    check_history(world, number, saga);
    if (saga->state == SAGA_SUCCEEDED) counters[COUNT_SUCCEEDED]++;
    if (saga->state == SAGA_COMPENSATED) counters[COUNT_COMPENSATED]++;
    if (saga->state == SAGA_TERMINATED) counters[COUNT_TERMINATED]++;
    counters[COUNT_SAGAS]++;
}

void check_end(struct world *world)
{
    struct arena arena = {0};
    for (int i = 0; i < world->saga_count; i++) {
        check_saga_end(world, i, &arena);
        arena_reset(&arena);
    }
    arena_done(&arena);
}
