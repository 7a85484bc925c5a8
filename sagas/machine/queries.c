/* What follows from a saga's state. Nothing here changes anything. */
#include "sagas/machine/turn.h"

#include <stdlib.h>

struct run_ref run_ref_at(const struct saga *saga, size_t position, uint32_t item)
{
    struct step_runs *const runs = &saga->steps[position];
    return (struct run_ref){
        .step = &saga->definition->steps[position],
        .runs = runs,
        .run = &runs->run[item],
        .index = runs->expanded && runs->count > 0 ? (int32_t)item : INDEX_NONE,
    };
}

struct run_walk walk_of(const struct saga *saga)
{
    return (struct run_walk){.saga = saga};
}

bool walk_on(struct run_walk *walk)
{
    const struct saga *const saga = walk->saga;
    while (walk->position < saga->definition->step_count &&
           walk->next >= runs_shown(&saga->steps[walk->position])) {
        walk->position++;
        walk->next = 0;
    }
    if (walk->position == saga->definition->step_count) return false;
    walk->ref = run_ref_at(saga, walk->position, walk->next++);
    return true;
}

uint32_t runs_shown(const struct step_runs *runs)
{
    return runs->count == 0 ? 1 : runs->count;
}

const struct send *run_send(const struct step *step, enum op op)
{
    switch (op) {
    case OP_ACTION: return &step->action;
    case OP_COMPENSATE: return &step->compensation;
    case OP_PROBE: return step->probe;
    }
    abort();
}

const struct send *saga_send_of(const struct step *step, enum op op)
{
    return run_send(step, op);
}

enum saga_state saga_direction(const struct saga *saga)
{
    return saga->state == SAGA_STUCK ? saga->stuck_in : saga->state;
}

bool run_is_out(const struct step_run *run)
{
    return run->deadline_at_ms != 0;
}

bool run_only_waits(const struct run_ref *ref)
{
    return step_only_waits(ref->step) && ref->run->op == OP_ACTION &&
           ref->run->state == STEP_DISPATCHED;
}

bool run_is_on_hold(const struct run_ref *ref)
{
    return ref->run->state == STEP_UNKNOWN && ref->step->on_unknown == ON_UNKNOWN_HOLD;
}

/* ---- going forward ---- */

struct tally {
    uint32_t count[STEP_STATE_COUNT];
};

static struct tally tally_of(const struct step_runs *runs)
{
    struct tally tally = {0};
    for (uint32_t i = 0; i < runs_shown(runs); i++) {
        tally.count[runs->run[i].state]++;
    }
    return tally;
}

static bool is_doomed(const struct tally *tally)
{
    return tally->count[STEP_FAILED] + tally->count[STEP_UNKNOWN] > 0;
}

bool step_is_doomed(const struct step_runs *runs)
{
    const struct tally tally = tally_of(runs);
    return is_doomed(&tally);
}

bool step_has_unknown(const struct step_runs *runs)
{
    return tally_of(runs).count[STEP_UNKNOWN] > 0;
}

enum standing step_standing(const struct step_runs *runs)
{
    const struct tally tally = tally_of(runs);
    if (tally.count[STEP_WAITING] > 0) return STANDING_UNREACHED;
    if (tally.count[STEP_DISPATCHED] + tally.count[STEP_RETRYING] > 0) return STANDING_OPEN;
    if (is_doomed(&tally)) return STANDING_FAILED;
    return tally.count[STEP_READY] > 0 ? STANDING_OPEN : STANDING_DONE;
}

bool saga_is_past_pivot(const struct saga *saga)
{
    if (saga->definition->pivot < 0) return false;
    const struct step_runs *const runs = &saga->steps[saga->definition->pivot];
    const struct tally tally = tally_of(runs);
    return tally.count[STEP_SUCCEEDED] > 0 &&
           tally.count[STEP_SUCCEEDED] + tally.count[STEP_SKIPPED] == runs_shown(runs);
}

bool pivot_is_open(const struct saga *saga)
{
    const int pivot = saga->definition->pivot;
    if (pivot < 0 || step_only_waits(&saga->definition->steps[pivot])) return false;
    const struct step_runs *const runs = &saga->steps[pivot];
    for (uint32_t i = 0; i < runs->count; i++) {
        const struct step_run *const run = &runs->run[i];
        const bool waits = run->state == STEP_RETRYING || run->state == STEP_READY;
        if (run->state == STEP_DISPATCHED || run->state == STEP_UNKNOWN) return true;
        if (waits && run->unanswered) return true;
    }
    return false;
}

bool saga_is_turning(const struct saga *saga)
{
    const struct saga_error *const cause = saga->state == SAGA_STUCK ? &saga->cause : &saga->error;
    return saga_direction(saga) == SAGA_RUNNING && cause->code[0] != '\0';
}

bool may_send(const struct saga *saga, const struct step *step)
{
    return !saga->paused && (step->pivot || !saga_is_turning(saga));
}

bool may_send_next(const struct saga *saga, const struct run_ref *ref)
{
    return ref->run->op == OP_PROBE ? !saga->paused : may_send(saga, ref->step);
}

enum reaction step_reaction(const struct saga *saga, const struct step *step)
{
    const bool unknown = step_has_unknown(&saga->steps[step->position]);
    if (unknown && step->on_unknown == ON_UNKNOWN_HOLD) return REACT_HOLD;
    if (unknown && step->pivot) return REACT_OPERATOR;
    if (step->on_failure == ON_FAILURE_IGNORE) return REACT_PASS;
    if (step->on_failure == ON_FAILURE_PAUSE) return REACT_PAUSE;
    if (saga_is_past_pivot(saga)) return REACT_OPERATOR;
    if (unknown && step->undo == UNDO_UNDECLARED) return REACT_OPERATOR;
    return REACT_TURN_BACK;
}

static bool is_through(const struct saga *saga, const struct step *step)
{
    const enum standing standing = step_standing(&saga->steps[step->position]);
    return standing == STANDING_DONE ||
           (standing == STANDING_FAILED && step_reaction(saga, step) == REACT_PASS);
}

static bool all_of(const bool *flags, const uint16_t *positions, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        if (!flags[positions[i]]) return false;
    }
    return true;
}

/* Definitions nearly always list a step after what it needs: then one round finds all. */
void find_passed(const struct saga *saga, bool *ret)
{
    const struct definition *const definition = saga->definition;
    for (size_t i = 0; i < definition->step_count; i++) {
        ret[i] = false;
    }
    bool found = true;
    while (found) {
        found = false;
        for (size_t i = 0; i < definition->step_count; i++) {
            const struct step *const step = &definition->steps[i];
            if (ret[i] || !all_of(ret, step->needs, step->need_count)) continue;
            if (!is_through(saga, step)) continue;
            ret[i] = found = true;
        }
    }
}

/* ---- going back ---- */

bool run_is_settled_back(const struct step_run *run)
{
    switch (run->state) {
    case STEP_WAITING:
    case STEP_READY:
    case STEP_FAILED:
    case STEP_SKIPPED:
    case STEP_COMPENSATED:
    case STEP_COMPENSATION_SKIPPED: return true;
    case STEP_DISPATCHED:
    case STEP_RETRYING:
    case STEP_SUCCEEDED:
    case STEP_UNKNOWN:
    case STEP_COMPENSATING:
    case STEP_COMPENSATION_FAILED:
    case STEP_STATE_COUNT: break;
    }
    return false;
}

static bool is_settled_back(const struct step_runs *runs)
{
    for (uint32_t i = 0; i < runs->count; i++) {
        if (!run_is_settled_back(&runs->run[i])) return false;
    }
    return true;
}

/* What `step` depends on has to wait for it; false: it did already. */
static bool block_needs(const struct step *step, bool *clear)
{
    bool found = false;
    for (uint16_t k = 0; k < step->need_count; k++) {
        found = found || clear[step->needs[k]];
        clear[step->needs[k]] = false;
    }
    return found;
}

void find_clear(const struct saga *saga, bool *ret)
{
    const struct definition *const definition = saga->definition;
    for (size_t i = 0; i < definition->step_count; i++) {
        ret[i] = true;
    }
    bool found = true;
    while (found) {
        found = false;
        for (size_t i = definition->step_count; i-- > 0;) {
            if (ret[i] && is_settled_back(&saga->steps[i])) continue;
            found = block_needs(&definition->steps[i], ret) || found;
        }
    }
}

bool run_needs_operator(const struct saga *saga, const struct run_ref *ref)
{
    const enum step_state state = ref->run->state;
    if (state == STEP_COMPENSATION_FAILED) return true;
    if (saga_direction(saga) == SAGA_COMPENSATING) {
        return state == STEP_UNKNOWN && (ref->step->pivot || ref->step->undo == UNDO_UNDECLARED ||
                                         ref->step->on_unknown == ON_UNKNOWN_HOLD);
    }
    if (state != STEP_FAILED && state != STEP_UNKNOWN) return false;
    /* Of a stuck foreach one item may be out again while the others still wait for a decision. */
    const bool ended = saga->state == SAGA_STUCK || step_standing(ref->runs) == STANDING_FAILED;
    return ended && step_reaction(saga, ref->step) == REACT_OPERATOR;
}

bool run_is_held(const struct saga *saga, const struct run_ref *ref)
{
    return saga->paused && saga_direction(saga) == SAGA_RUNNING &&
           (ref->run->state == STEP_FAILED || ref->run->state == STEP_UNKNOWN) &&
           step_reaction(saga, ref->step) == REACT_PAUSE;
}

enum step_state step_shown_state(const struct step_runs *runs)
{
    static const enum step_state BY_WEIGHT[] = {STEP_FAILED, STEP_UNKNOWN, STEP_SUCCEEDED};
    const struct tally tally = tally_of(runs);
    for (size_t i = 0; i < sizeof(BY_WEIGHT) / sizeof(BY_WEIGHT[0]); i++) {
        if (tally.count[BY_WEIGHT[i]] > 0) return BY_WEIGHT[i];
    }
    return runs->run[0].state;
}
