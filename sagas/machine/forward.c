/* Going forward: reach what can be reached, send what may be sent, end when all is through. */
#include "sagas/machine/turn.h"

/* ---- reaching a step ---- */

static void fail_unsent(struct turn *turn, const struct run_ref *ref, const char *code,
                        const struct expression_error *error)
{
    if (ref->run->started_at_ms == 0) ref->run->started_at_ms = turn->context->now_ms;
    run_refuse(turn, ref,
               &(struct trouble){.code = bytes_of(code), .text = bytes_of(error->detail)});
}

/* One run for each item, ready to be sent. */
static void expand(struct turn *turn, const struct run_ref *ref, uint32_t count)
{
    struct step_runs *const runs = ref->runs;
    runs->expanded = true;
    runs->count = count;
    if (count == 0) {
        runs->run[0].started_at_ms = turn->context->now_ms;
        runs->run[0].finished_at_ms = turn->context->now_ms;
        move_run(turn, ref, RUN_DONE, &(struct detail){.counts_items = true});
        return;
    }
    runs->run = arena_array(turn->saga->arena, count, sizeof(*runs->run));
    for (uint32_t i = 0; i < count; i++) {
        const struct run_ref item = run_ref_at(turn->saga, ref->step->position, i);
        move_run(turn, &item, RUN_REACHED, &(struct detail){0});
    }
}

static void reach(struct turn *turn, const struct run_ref *ref)
{
    struct expression_error error;
    const char *code = "expression_error";
    bool holds = false;
    if (!condition_holds(turn, ref->step, &holds, &error)) {
        fail_unsent(turn, ref, code, &error);
        return;
    }
    if (!holds) {
        run_skip(turn, ref, (struct bytes){0}, BYTES("its condition does not hold"));
        return;
    }
    if (ref->step->foreach == NULL) {
        move_run(turn, ref, RUN_REACHED, &(struct detail){0});
        return;
    }
    uint32_t count = 0;
    if (list_items(turn, ref->step, &count, &code, &error)) {
        expand(turn, ref, count);
    } else {
        fail_unsent(turn, ref, code, &error);
    }
}

/* ---- sending ---- */

static uint32_t free_places(const struct step *step, const struct step_runs *runs)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < runs_shown(runs); i++) {
        const enum step_state state = runs->run[i].state;
        if (state == STEP_DISPATCHED || state == STEP_RETRYING) used++;
    }
    const uint32_t places = step->foreach == NULL ? 1 : step->foreach->concurrency;
    return used < places ? places - used : 0;
}

static void send_ready(struct turn *turn, size_t position)
{
    struct step_runs *const runs = &turn->saga->steps[position];
    const struct step *const step = &turn->saga->definition->steps[position];
    uint32_t places = free_places(step, runs);
    if (!may_send(turn->saga, step) || step_is_doomed(runs)) return;
    for (uint32_t i = 0; i < runs_shown(runs) && places > 0; i++) {
        const struct run_ref ref = run_ref_at(turn->saga, position, i);
        if (ref.run->state != STEP_READY) continue;
        begin(turn, &ref, OP_ACTION);
        /* Its command could not be made: the step fails, nothing more of it is sent. */
        if (step_is_doomed(runs)) return;
        if (ref.run->state == STEP_DISPATCHED) places--;
    }
}

/* ---- a step that failed ---- */

void stop_attempts(struct turn *turn, size_t position)
{
    struct step_runs *const runs = &turn->saga->steps[position];
    for (uint32_t i = 0; i < runs_shown(runs); i++) {
        const struct run_ref ref = run_ref_at(turn->saga, position, i);
        const bool waits = ref.run->state == STEP_RETRYING ||
                           (ref.run->state == STEP_READY && ref.run->attempt > 0);
        if (waits && ref.run->op == OP_ACTION) run_ask_or_give_up(turn, &ref);
    }
}

/* Items of an ignored step that were never sent: one entry speaks for all of them. */
static void skip_unsent(struct turn *turn, size_t position)
{
    struct step_runs *const runs = &turn->saga->steps[position];
    uint32_t skipped = 0;
    for (uint32_t i = 0; i < runs_shown(runs); i++) {
        const struct run_ref ref = run_ref_at(turn->saga, position, i);
        if (ref.run->state != STEP_READY) continue;
        move_run(turn, &ref, RUN_NEVER_RAN, &(struct detail){0});
        skipped++;
    }
    if (skipped == 0) return;
    record(turn, "step.skipped",
           &(struct run_ref){.step = &turn->saga->definition->steps[position], .index = INDEX_NONE},
           &(struct detail){
               .reason = BYTES("another item failed"), .counts_items = true, .items = skipped});
}

static const struct saga_error *first_error(const struct step_runs *runs)
{
    for (uint32_t i = 0; i < runs_shown(runs); i++) {
        const enum step_state state = runs->run[i].state;
        if (state == STEP_FAILED || state == STEP_UNKNOWN) return &runs->run[i].error;
    }
    return &runs->run[0].error;
}

static void hold(struct turn *turn, const struct step *step)
{
    struct saga *const saga = turn->saga;
    if (saga->paused) return;
    struct detail detail = detail_of_error(first_error(&saga->steps[step->position]));
    detail.reason = BYTES("on_failure");
    saga->paused = true;
    saga->paused_by = (struct bytes){0};
    move_saga(turn, SAGA_HOLD, &detail);
}

static void react(struct turn *turn, size_t position)
{
    struct saga *const saga = turn->saga;
    const struct step *const step = &saga->definition->steps[position];
    struct step_runs *const runs = &saga->steps[position];
    if (!step_is_doomed(runs)) return;
    stop_attempts(turn, position);
    const enum reaction reaction = step_reaction(saga, step);
    /* Nothing is out of items that only wait: when the saga turns, they are not waited for. */
    const bool drops = reaction == REACT_TURN_BACK && step_only_waits(step);
    if (step_standing(runs) != STANDING_FAILED && !drops) return;
    switch (reaction) {
    case REACT_PASS: skip_unsent(turn, position); break;
    case REACT_PAUSE: hold(turn, step); break;
    case REACT_TURN_BACK: turn_back(turn, step, first_error(runs)); break;
    case REACT_HOLD:
    case REACT_OPERATOR: break; /* carry_on finds it */
    }
}

/* ---- all of it ---- */

static void end_well(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    struct expression_error error;
    struct detail detail = {0};
    if (saga_output(turn, &saga->output, &error)) {
        turn->decision->saga_output = saga->output;
        if (saga->output.data != NULL) saga->output_seq = turn->decision->history_first_seq;
    } else {
        set_error(turn, &saga->error, BYTES("expression_error"), bytes_of(error.detail));
        detail = detail_of_error(&saga->error);
    }
    finish(turn, SAGA_ALL_DONE, &detail);
}

void go_forward(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    const size_t count = saga->definition->step_count;
    for (size_t i = 0; i < count; i++) {
        react(turn, i);
        if (saga_direction(saga) != SAGA_RUNNING) return;
    }
    settle_turn(turn);
    if (saga_direction(saga) == SAGA_RUNNING) fire_attempts(turn);
    deliver_signals(turn);
    if (saga_direction(saga) != SAGA_RUNNING || saga_is_turning(saga)) return;
    bool *const passed = arena_array(turn->context->arena, count, sizeof(*passed));
    find_passed(saga, passed);
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        const struct run_ref ref = run_ref_at(saga, i, 0);
        bool reachable = ref.run->state == STEP_WAITING;
        for (uint16_t k = 0; k < ref.step->need_count && reachable; k++) {
            reachable = passed[ref.step->needs[k]];
        }
        if (reachable) reach(turn, &ref);
        send_ready(turn, i);
        all = all && passed[i];
    }
    if (all && saga->state == SAGA_RUNNING) end_well(turn);
}
