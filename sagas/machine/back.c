/* Going back: wait for what is out, undo over the reversed graph, end when nothing is left. */
#include "sagas/machine/turn.h"

#include <stdlib.h>

/* ---- turning ---- */

static struct saga_error *cause_of(struct saga *saga)
{
    return saga->state == SAGA_STUCK ? &saga->cause : &saga->error;
}

static void keep_cause(struct turn *turn, const struct step *step, const struct saga_error *cause)
{
    struct saga *const saga = turn->saga;
    const bool stuck = saga->state == SAGA_STUCK;
    struct saga_error *const error = cause_of(saga);
    if (error->code[0] != '\0') return;
    set_error(turn, error, bytes_of(cause->code), cause->detail);
    *(stuck ? &saga->cause_step : &saga->error_step) = step == NULL ? (struct bytes){0} : step->id;
    *(stuck ? &saga->cause_op : &saga->error_op) = OP_ACTION;
}

static void drop_waits(struct turn *turn)
{
    for (struct run_walk walk = walk_of(turn->saga); walk_on(&walk);) {
        if (run_only_waits(&walk.ref)) run_drop(turn, &walk.ref, BYTES("the saga is being undone"));
    }
}

void turn_back(struct turn *turn, const struct step *step, const struct saga_error *cause)
{
    struct saga *const saga = turn->saga;
    keep_cause(turn, step, cause);
    if (pivot_is_open(saga)) return;
    if (saga->state == SAGA_STUCK) saga->stuck_in = SAGA_COMPENSATING;
    saga->attention &= ~(uint32_t)ATTENTION_OVERDUE;
    const struct detail detail = detail_of_error(cause_of(saga));
    move_saga(turn, SAGA_TURN_BACK, &detail);
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        stop_attempts(turn, i);
    }
    drop_waits(turn);
}

static void forget_turn(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    *cause_of(saga) = (struct saga_error){0};
    *(saga->state == SAGA_STUCK ? &saga->cause_step : &saga->error_step) = (struct bytes){0};
    move_saga(turn, SAGA_PIVOT_WON,
              &(struct detail){.reason = BYTES("the pivot succeeded: there is no way back"),
                               .state = saga_state_name(saga->state),
                               .paused = saga->paused});
}

void settle_turn(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    if (!saga_is_turning(saga) || pivot_is_open(saga)) return;
    if (saga_is_past_pivot(saga)) {
        forget_turn(turn);
        return;
    }
    const struct saga_error cause = *cause_of(saga);
    turn_back(turn, NULL, &cause);
}

/* ---- undoing one run ---- */

static bool is_to_undo(const struct run_ref *ref)
{
    switch (ref->step->undo) {
    case UNDO_COMMAND:
    case UNDO_NOTHING:
        return ref->run->state == STEP_SUCCEEDED ||
               /* An unknown pivot is neither undone nor passed over, a held step not undone. */
               (ref->run->state == STEP_UNKNOWN && !ref->step->pivot && !run_is_on_hold(ref));
    case UNDO_UNDECLARED: return ref->run->state == STEP_SUCCEEDED;
    }
    abort();
}

static void undo(struct turn *turn, const struct run_ref *ref)
{
    switch (ref->step->undo) {
    case UNDO_COMMAND: begin(turn, ref, OP_COMPENSATE); break;
    case UNDO_NOTHING:
        run_face(ref->run, OP_COMPENSATE);
        ref->run->finished_at_ms = turn->context->now_ms;
        move_run(turn, ref, RUN_UNDONE, &(struct detail){.reason = BYTES("nothing to undo")});
        break;
    case UNDO_UNDECLARED:
        run_face(ref->run, OP_COMPENSATE);
        set_error(turn, &ref->run->error, BYTES("failed"),
                  BYTES("the definition does not say how to undo this step"));
        run_give_up(turn, ref);
        break;
    }
}

/* ---- whose turn it is ---- */

/* Reverse of start order, where the graph leaves a choice. */
static int compare_undo(const void *left, const void *right)
{
    const struct run_ref *const a = left;
    const struct run_ref *const b = right;
    if (a->run->started_at_ms != b->run->started_at_ms) {
        return a->run->started_at_ms > b->run->started_at_ms ? -1 : 1;
    }
    if (a->step->position != b->step->position) {
        return a->step->position > b->step->position ? -1 : 1;
    }
    return a->index > b->index ? -1 : 1;
}

/* The places of a foreach hold for its undo as well. */
static uint32_t free_undo_places(const struct step *step, const struct step_runs *runs)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < runs->count; i++) {
        if (runs->run[i].state == STEP_COMPENSATING) used++;
    }
    const uint32_t places = step->foreach == NULL ? 1 : step->foreach->concurrency;
    return used < places ? places - used : 0;
}

/* Runs of one step to undo now, the last item first. */
static size_t gather(struct turn *turn, size_t position, struct run_ref *ret)
{
    const struct step *const step = &turn->saga->definition->steps[position];
    struct step_runs *const runs = &turn->saga->steps[position];
    const bool sends = step->undo == UNDO_COMMAND;
    uint32_t places = free_undo_places(step, runs);
    size_t found = 0;
    if (sends && turn->saga->paused) return 0;
    for (uint32_t i = runs->count; i-- > 0 && (!sends || places > 0);) {
        const struct run_ref ref = run_ref_at(turn->saga, position, i);
        if (!is_to_undo(&ref)) continue;
        ret[found++] = ref;
        if (sends) places--;
    }
    return found;
}

static size_t count_runs(const struct saga *saga)
{
    size_t count = 0;
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        count += saga->steps[i].count;
    }
    return count;
}

static bool all_settled(const struct saga *saga)
{
    for (struct run_walk walk = walk_of(saga); walk_on(&walk);) {
        const bool is_empty_foreach = walk.ref.runs->count == 0;
        if (!is_empty_foreach && !run_is_settled_back(walk.ref.run)) return false;
    }
    return true;
}

void go_back(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    const size_t count = saga->definition->step_count;
    if (all_settled(saga)) {
        if (saga->state == SAGA_COMPENSATING) finish(turn, SAGA_ALL_UNDONE, &(struct detail){0});
        return;
    }
    fire_attempts(turn);
    struct arena *const arena = turn->context->arena;
    bool *const clear = arena_array(arena, count, sizeof(*clear));
    struct run_ref *const refs = arena_array(arena, count_runs(saga), sizeof(*refs));
    find_clear(saga, clear);
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (clear[i]) found += gather(turn, i, &refs[found]);
    }
    qsort(refs, found, sizeof(*refs), compare_undo);
    for (size_t i = 0; i < found; i++) {
        undo(turn, &refs[i]);
    }
}
