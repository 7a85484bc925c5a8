/* After each event: whatever has become possible, until nothing moves any more. */
#include "sagas/machine/turn.h"

/* ---- stuck ---- */

static bool is_blamed(const struct saga *saga, const struct run_ref *ref)
{
    return saga->error_op == ref->run->op && bytes_equal(saga->error_step, ref->step->id);
}

/* Going forward, what holds for one failed run of a step holds for all of them. */
static bool find_blocker_of(const struct saga *saga, size_t position, struct run_ref *ret_ref)
{
    for (uint32_t k = 0; k < runs_shown(&saga->steps[position]); k++) {
        *ret_ref = run_ref_at(saga, position, k);
        if (run_needs_operator(saga, ret_ref)) return true;
        const enum step_state state = ret_ref->run->state;
        const bool failed = state == STEP_FAILED || state == STEP_UNKNOWN;
        if (failed && saga_direction(saga) == SAGA_RUNNING) return false;
    }
    return false;
}

/* The run that an operator has to decide about; the one that is blamed already comes first. */
static bool find_blocker(const struct saga *saga, struct run_ref *ret_ref)
{
    bool found = false;
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        struct run_ref ref;
        if (!find_blocker_of(saga, i, &ref)) continue;
        if (!found || is_blamed(saga, &ref)) *ret_ref = ref;
        found = true;
    }
    return found;
}

static void blame(struct turn *turn, const struct run_ref *ref)
{
    struct saga *const saga = turn->saga;
    saga->error = ref->run->error;
    saga->error_step = ref->step->id;
    saga->error_op = ref->run->op;
}

static void become_stuck(struct turn *turn, const struct run_ref *ref)
{
    struct saga *const saga = turn->saga;
    saga->stuck_in = saga->state;
    saga->cause = saga->error;
    saga->cause_step = saga->error_step;
    saga->cause_op = saga->error_op;
    blame(turn, ref);
    const struct detail detail = detail_of_error(&saga->error);
    move_saga(turn, SAGA_BLOCKED, &detail);
}

static void come_unstuck(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    const bool ahead = saga->stuck_in == SAGA_RUNNING;
    saga->error = saga->cause;
    saga->error_step = saga->cause_step;
    saga->error_op = saga->cause_op;
    saga->cause = (struct saga_error){0};
    saga->cause_step = (struct bytes){0};
    move_saga(turn, ahead ? SAGA_UNBLOCKED_AHEAD : SAGA_UNBLOCKED_BACK,
              &(struct detail){.reason = BYTES("no step needs an operator any more"),
                               .state = saga_state_name(saga->stuck_in),
                               .paused = saga->paused});
    /* The time that the operator took is not the saga's. */
    if (ahead && saga->deadline_at_ms != 0 && saga->deadline_at_ms <= turn->context->now_ms) {
        saga->deadline_at_ms = turn->context->now_ms + (int64_t)saga->definition->timeout_ms;
    }
}

static void look_for_blocker(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    struct run_ref ref;
    const bool found = find_blocker(saga, &ref);
    if (found && saga->state != SAGA_STUCK) {
        become_stuck(turn, &ref);
    } else if (found && !is_blamed(saga, &ref)) {
        blame(turn, &ref);
    } else if (!found && saga->state == SAGA_STUCK) {
        come_unstuck(turn);
    }
}

/* ---- the end ---- */

void finish(struct turn *turn, enum saga_event event, const struct detail *detail)
{
    struct saga *const saga = turn->saga;
    move_saga(turn, event, detail);
    for (struct run_walk walk = walk_of(saga); walk_on(&walk);) {
        struct step_run *const run = walk.ref.run;
        run->bad_reply = false;
        if (run->state == STEP_WAITING || run->state == STEP_READY) {
            move_run(turn, &walk.ref, RUN_NEVER_RAN, &(struct detail){0});
        }
    }
    saga->finished_at_ms = turn->context->now_ms;
    saga->paused = saga->paused_by_timeout = false;
    saga->paused_by = (struct bytes){0};
    release_lock(saga);
}

void carry_on(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    do {
        turn->moved = false;
        if (saga->state == SAGA_PENDING || saga_is_finished(saga->state)) return;
        look_for_blocker(turn);
        if (saga_direction(saga) == SAGA_RUNNING) {
            go_forward(turn);
        } else {
            go_back(turn);
        }
    } while (turn->moved);
}
