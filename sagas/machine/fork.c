#include "sagas/machine/fork.h"

#include "sagas/machine/turn.h"

/* ---- what may be taken over ---- */

/* A step that never ran in a saga that has ended is skipped without an end of its own. */
static bool never_ran(const struct step_run *run)
{
    return run->state == STEP_SKIPPED && run->finished_at_ms == 0;
}

/* Everything that the step shows is through: succeeded, skipped on purpose, or passed over. */
static bool is_through(const struct step *step, const struct step_runs *runs)
{
    for (uint32_t i = 0; i < runs->count; i++) {
        const struct step_run *const run = &runs->run[i];
        const bool failed = run->state == STEP_FAILED || run->state == STEP_UNKNOWN;
        if (failed && step->on_failure == ON_FAILURE_IGNORE) continue;
        if (run->state != STEP_SUCCEEDED && run->state != STEP_SKIPPED) return false;
        if (never_ran(run) && !step_is_doomed(runs)) return false;
    }
    return true;
}

static bool was_undone(const struct step_runs *runs)
{
    for (uint32_t i = 0; i < runs->count; i++) {
        if (runs->run[i].op == OP_COMPENSATE) return true;
    }
    return false;
}

/* Of a step that is through; what was passed over has none. */
static struct bytes output_of(const struct step_runs *runs, struct arena *arena)
{
    if (step_is_doomed(runs)) return (struct bytes){0};
    if (!runs->expanded) return runs->run[0].output;
    struct buffer list = buffer_in(arena);
    buffer_add_char(&list, '[');
    for (uint32_t i = 0; i < runs->count; i++) {
        const struct bytes output = runs->run[i].output;
        if (i > 0) buffer_add_char(&list, ',');
        buffer_add_bytes(&list, output.data == NULL ? BYTES("null") : output);
    }
    buffer_add_char(&list, ']');
    return buffer_bytes(&list);
}

enum way { WAY_BACK, WAY_AHEAD };

/* Mark `from` and all that it depends on, or all that comes of it; `ret` has step_count places. */
static void mark(const struct definition *definition, int from, enum way way, struct arena *arena,
                 bool *ret)
{
    uint16_t *const open = arena_array(arena, definition->step_count, sizeof(*open));
    size_t count = 1;
    open[0] = (uint16_t)from;
    ret[from] = true;
    while (count > 0) {
        const struct step *const step = &definition->steps[open[--count]];
        const uint16_t *const next = way == WAY_BACK ? step->needs : step->feeds;
        const size_t next_count = way == WAY_BACK ? step->need_count : step->feed_count;
        for (size_t i = 0; i < next_count; i++) {
            if (ret[next[i]]) continue;
            ret[next[i]] = true;
            open[count++] = next[i];
        }
    }
}

/* ---- the plan ---- */

struct planning {
    const struct saga *saga;
    struct arena *arena;
    struct bytes *ret_why;
};

static bool refuse(struct planning *planning, const char *what, const char *allowed)
{
    struct buffer why = buffer_in(planning->arena);
    buffer_add_format(&why, "fork is not allowed: %s. Allowed now: %s.", what, allowed);
    *planning->ret_why = buffer_bytes(&why);
    return false;
}

/* "step charge, which comes before it, was undone" */
static bool refuse_step(struct planning *planning, const struct step *step, const char *what)
{
    struct buffer text = buffer_in(planning->arena);
    buffer_add_text(&text, "step ");
    buffer_add_bytes(&text, step->id);
    buffer_add_text(&text, what);
    return refuse(planning, text.data,
                  "a fork from the beginning, or from that step or one before it");
}

static bool refuse_state(struct planning *planning, const char *what, const char *allowed)
{
    struct buffer text = buffer_in(planning->arena);
    buffer_add_format(&text, "the saga is %s%s", saga_state_name(planning->saga->state), what);
    return refuse(planning, text.data, allowed);
}

static bool check_taken(struct planning *planning, const struct step *step, struct bytes output)
{
    const struct step_runs *const runs = &planning->saga->steps[step->position];
    if (step->pivot && runs->run[0].state == STEP_SUCCEEDED) {
        return refuse_step(planning, step,
                           ", the pivot, would be taken over, and there is no way back from it");
    }
    return output.size <= PAYLOAD_SIZE_MAX ||
           refuse_step(planning, step, " has an output that is larger than 256 KiB");
}

static bool plan_steps(struct planning *planning, int from, struct fork *fork)
{
    const struct definition *const definition = planning->saga->definition;
    const size_t count = definition->step_count;
    struct fork_step *const taken = arena_array(planning->arena, count, sizeof(*taken));
    bool *const before = arena_array(planning->arena, count, sizeof(*before));
    bool *const after = arena_array(planning->arena, count, sizeof(*after));
    mark(definition, from, WAY_BACK, planning->arena, before);
    mark(definition, from, WAY_AHEAD, planning->arena, after);
    for (size_t i = 0; i < count; i++) {
        const struct step *const step = &definition->steps[i];
        const struct step_runs *const runs = &planning->saga->steps[i];
        if (after[i]) continue;
        if (!is_through(step, runs)) {
            if (!before[i]) continue;
            return refuse_step(planning, step,
                               was_undone(runs) ? ", which comes before it, was undone"
                                                : ", which comes before it, is not done");
        }
        const struct bytes output = output_of(runs, planning->arena);
        if (!check_taken(planning, step, output)) return false;
        taken[fork->taken_count++] = (struct fork_step){(int)i, output};
    }
    fork->taken = taken;
    fork->from = definition->steps[from].id;
    return true;
}

bool fork_plan(const struct saga *saga, int from, struct arena *arena, struct fork *ret_fork,
               struct bytes *ret_why)
{
    struct planning planning = {saga, arena, ret_why};
    *ret_fork = (struct fork){.saga = saga->id};
    if (!saga_is_finished(saga->state) && saga->state != SAGA_STUCK) {
        return refuse_state(&planning, "", "cancel or terminate it, and fork it when it is over");
    }
    if (from < 0) return true;
    if (!saga_is_finished(saga->state)) {
        return refuse_state(&planning, ", and what it did may still be undone",
                            "a fork from the beginning, or terminate before one from a step");
    }
    return plan_steps(&planning, from, ret_fork);
}

/* ---- the events ---- */

/* It starts held, takes over what is taken over, and goes. */
size_t fork_event_count(const struct fork *fork)
{
    return fork->taken_count == 0 ? 1 : fork->taken_count + (fork->held ? 1 : 2);
}

struct event fork_event(const struct fork *fork, size_t number)
{
    struct event event = {
        .kind = EVENT_START,
        .step = -1,
        .index = INDEX_NONE,
        .actor = fork->actor,
        .reason = fork->reason,
        .fork = fork,
        .held = fork->held || fork->taken_count > 0,
    };
    if (number == 0) return event;
    event.fork = NULL;
    if (number <= fork->taken_count) {
        const struct fork_step *const taken = &fork->taken[number - 1];
        event.kind = EVENT_STEP_SKIP;
        event.step = taken->step;
        event.payload = taken->output;
        event.reason = BYTES("taken over from the saga that this one was forked from");
        event.held = false;
        return event;
    }
    event.kind = EVENT_RESUME;
    event.reason = BYTES("the steps before are taken over");
    event.held = true; /* an operator's own pause is none of this */
    return event;
}
