/* Which runs there are: faults where an earlier run made a command. */
#include "sagas/rehearsal/stage.h"

#include "sagas/schema/schema.h"

#include <stdio.h>
#include <string.h>

enum { RUNS_MAX = 20000 };

struct tour {
    const struct definition *definition;
    const struct rehearsal_plan *plan;
    struct arena *arena;
    struct rehearsal_run *runs;
    size_t run_count, run_room;
    size_t problem_count;
    size_t events;
    bool truncated;
};

static bool is_over(struct tour *tour)
{
    const size_t most = tour->plan->events_max;
    if (tour->run_count >= RUNS_MAX || (most > 0 && tour->events >= most)) tour->truncated = true;
    return tour->truncated;
}

static bool same_calls(const struct rehearsal_run *a, const struct rehearsal_run *b)
{
    if (a->call_count != b->call_count) return false;
    for (size_t i = 0; i < a->call_count; i++) {
        const struct rehearsal_call *const x = &a->calls[i];
        const struct rehearsal_call *const y = &b->calls[i];
        if (x->step != y->step || x->index != y->index || x->op != y->op ||
            x->attempts != y->attempts) {
            return false;
        }
    }
    return true;
}

/* A fault makes nothing of what comes twice: the same commands, the same end. */
static void play_twice(struct tour *tour, struct rehearsal_run *run)
{
    struct expression_error error;
    if (run->end == REHEARSAL_GOES_ON) return; /* where it was stopped says nothing */
    struct rehearsal_run again = {.fault_count = run->fault_count, .twice = true};
    memcpy(again.faults, run->faults, sizeof(again.faults));
    (void)stage_play(tour->definition, tour->plan, &again, tour->arena, &tour->events, &error);
    if (run->problem.data != NULL) return;
    if (again.end != run->end || again.state != run->state || !same_calls(&again, run)) {
        run->problem = BYTES("everything delivered twice does not come out the same");
    }
}

static bool play(struct tour *tour, const struct rehearsal_fault *faults, size_t count,
                 struct expression_error *ret_error)
{
    if (tour->run_count == tour->run_room) {
        tour->run_room = tour->run_room == 0 ? 16 : tour->run_room * 2;
        struct rehearsal_run *const more =
            arena_array(tour->arena, tour->run_room, sizeof(*tour->runs));
        if (tour->run_count > 0) memcpy(more, tour->runs, tour->run_count * sizeof(*more));
        tour->runs = more;
    }
    struct rehearsal_run *const run = &tour->runs[tour->run_count];
    *run = (struct rehearsal_run){.fault_count = count};
    if (count > 0) memcpy(run->faults, faults, count * sizeof(*faults));
    if (!stage_play(tour->definition, tour->plan, run, tour->arena, &tour->events, ret_error)) {
        return false;
    }
    play_twice(tour, run);
    if (run->problem.data != NULL) tour->problem_count++;
    tour->run_count++;
    return true;
}

/* ---- where the next fault may be ---- */

static bool makes_call(const struct rehearsal_run *run, const struct rehearsal_call *call)
{
    for (size_t i = 0; i < run->call_count; i++) {
        if (run->calls[i].step == call->step && run->calls[i].op == call->op) return true;
    }
    return false;
}

static bool has_fault_at(const struct rehearsal_run *run, const struct rehearsal_call *call)
{
    for (size_t i = 0; i < run->fault_count; i++) {
        if (run->faults[i].step == call->step && run->faults[i].op == call->op) return true;
    }
    return false;
}

/*
 * The first fault is at a command of the run without faults. The second is at one that there was
 * none of before: what the first fault led to.
 */
static bool is_worth_a_fault(const struct tour *tour, const struct rehearsal_run *run,
                             const struct rehearsal_call *call)
{
    if (call->index > 0 || has_fault_at(run, call)) return false;
    return run->fault_count == 0 || !makes_call(&tour->runs[0], call);
}

static bool can_happen(const struct definition *definition, const struct rehearsal_call *call,
                       enum fault_kind kind)
{
    if (call->op == OP_PROBE) return kind != FAULT_REFUSAL; /* that says "never ran" */
    const bool is_signal =
        call->op == OP_ACTION && definition->steps[call->step].kind == STEP_SIGNAL;
    return !is_signal || kind == FAULT_NO_EFFECT;
}

static void branch(struct tour *tour, size_t number, const struct rehearsal_call *call)
{
    for (enum fault_kind kind = FAULT_REFUSAL; kind <= FAULT_NO_ANSWER; kind++) {
        const struct rehearsal_run *const run = &tour->runs[number];
        struct rehearsal_fault faults[REHEARSAL_FAULTS_MAX];
        struct expression_error error;
        if (!can_happen(tour->definition, call, kind)) continue;
        if (is_over(tour)) return;
        memcpy(faults, run->faults, sizeof(faults));
        faults[run->fault_count] = (struct rehearsal_fault){call->step, call->op, kind};
        (void)play(tour, faults, run->fault_count + 1, &error);
    }
}

static bool explore(struct tour *tour, struct expression_error *ret_error)
{
    if (!play(tour, NULL, 0, ret_error)) return false;
    for (size_t i = 0; i < tour->run_count && !tour->truncated; i++) {
        if (tour->runs[i].fault_count == REHEARSAL_FAULTS_MAX) continue;
        for (size_t k = 0; k < tour->runs[i].call_count; k++) {
            const struct rehearsal_call *const call = &tour->runs[i].calls[k];
            if (is_worth_a_fault(tour, &tour->runs[i], call)) branch(tour, i, call);
        }
    }
    return true;
}

/* The first fault is enough: the start says all of them. */
static bool fits_schema(const struct definition *definition, const struct rehearsal_plan *plan,
                        struct arena *arena, struct expression_error *ret_error)
{
    struct schema_report report;
    const struct bytes input = plan->input.data == NULL ? BYTES("{}") : plan->input;
    if (definition->input_schema == NULL ||
        schema_check_text(definition->input_schema, input, arena, &report)) {
        return true;
    }
    const struct schema_fault *const fault = &report.fault[0];
    (void)snprintf(ret_error->detail, sizeof(ret_error->detail), "input%.*s %.*s",
                   (int)fault->pointer.size, fault->pointer.data, (int)fault->detail.size,
                   fault->detail.data);
    return false;
}

bool rehearse(const struct definition *definition, const struct rehearsal_plan *plan,
              struct arena *arena, struct rehearsal *ret_rehearsal,
              struct expression_error *ret_error)
{
    struct tour tour = {.definition = definition, .plan = plan, .arena = arena};
    if (!fits_schema(definition, plan, arena, ret_error)) return false;
    const bool played = plan->explore ? explore(&tour, ret_error)
                                      : play(&tour, plan->faults, plan->fault_count, ret_error);
    *ret_rehearsal = (struct rehearsal){
        .runs = tour.runs,
        .run_count = tour.run_count,
        .problem_count = tour.problem_count,
        .truncated = tour.truncated,
    };
    return played;
}
