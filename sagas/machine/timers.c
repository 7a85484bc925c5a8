/* What comes with time: the start, the saga's deadline, the ends of attempts, the next attempts. */
#include "sagas/machine/fork.h"
#include "sagas/machine/turn.h"

#include <stdio.h>

/* ---- the saga's own times ---- */

static void start_now(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    if (must_wait_for_lock(turn)) return;
    saga->started_at_ms = turn->context->now_ms;
    restart_deadline(turn);
    move_saga(turn, SAGA_GO, &(struct detail){.deadline_at_ms = saga->deadline_at_ms});
}

void restart_deadline(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    if (saga->definition->timeout_ms == 0) return;
    saga->deadline_at_ms = turn->context->now_ms + (int64_t)saga->definition->timeout_ms;
}

static bool waits_for_start(const struct saga *saga)
{
    return saga->state == SAGA_PENDING && saga->revision > 0 && !saga->paused &&
           saga->lock != LOCK_AWAITED;
}

/* While paused or stuck it does not fire; past the pivot it fires once. */
static bool waits_for_deadline(const struct saga *saga)
{
    return saga->state == SAGA_RUNNING && !saga->paused && saga->deadline_at_ms != 0 &&
           (saga->attention & ATTENTION_OVERDUE) == 0;
}

static void fire_deadline(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    if (saga_is_past_pivot(saga)) {
        saga->attention |= ATTENTION_OVERDUE;
        move_saga(turn, SAGA_OVERDUE, &(struct detail){.deadline_at_ms = saga->deadline_at_ms});
        return;
    }
    if (saga->definition->on_timeout == ON_TIMEOUT_PAUSE && !saga_is_turning(saga)) {
        saga->paused = saga->paused_by_timeout = true;
        move_saga(turn, SAGA_HOLD,
                  &(struct detail){.reason = BYTES("on_timeout"),
                                   .deadline_at_ms = saga->deadline_at_ms});
        return;
    }
    turn_back(turn, NULL,
              &(struct saga_error){.code = "saga_timeout",
                                   .detail = BYTES("the saga did not end within its timeout")});
    if (!saga_is_turning(saga)) return;
    saga->attention |= ATTENTION_OVERDUE;
    move_saga(turn, SAGA_OVERDUE,
              &(struct detail){.reason = BYTES("the pivot is under way"),
                               .deadline_at_ms = saga->deadline_at_ms});
}

/* ---- runs ---- */

/* Where its command is, or waits to be sent, time stands still. */
static bool is_held_back(const struct decide_context *context, const struct run_ref *ref)
{
    if (context->held_topic_count == 0 || run_only_waits(ref)) return false;
    const struct bytes topic = run_send(ref->step, ref->run->op)->topic;
    for (size_t i = 0; i < context->held_topic_count; i++) {
        if (bytes_equal(context->held_topics[i], topic)) return true;
    }
    return false;
}

static void fire_ends(struct turn *turn)
{
    for (struct run_walk walk = walk_of(turn->saga); walk_on(&walk);) {
        const struct step_run *const run = walk.ref.run;
        if (run_is_out(run) && run->deadline_at_ms <= turn->context->now_ms &&
            !is_held_back(turn->context, &walk.ref)) {
            fall_due(turn, &walk.ref);
        }
    }
}

void fire_attempts(struct turn *turn)
{
    for (struct run_walk walk = walk_of(turn->saga); walk_on(&walk);) {
        const int64_t at_ms = walk.ref.run->next_attempt_at_ms;
        if (at_ms == 0 || at_ms > turn->context->now_ms) continue;
        /* One whose attempt could not be made just now ends those of the other items. */
        if (walk.ref.run->op == OP_ACTION && step_is_doomed(walk.ref.runs)) continue;
        if (may_send_next(turn->saga, &walk.ref)) begin(turn, &walk.ref, walk.ref.run->op);
    }
}

void start_due(struct turn *turn)
{
    const struct saga *const saga = turn->saga;
    if (waits_for_start(saga) && saga->start_at_ms <= turn->context->now_ms) start_now(turn);
}

static void fire_saga(struct turn *turn)
{
    const struct saga *const saga = turn->saga;
    const int64_t now_ms = turn->context->now_ms;
    start_due(turn);
    if (waits_for_deadline(saga) && saga->deadline_at_ms <= now_ms) fire_deadline(turn);
}

/* What is over first: it may be the reason why nothing more is sent. */
static void fire_all(struct turn *turn)
{
    fire_saga(turn);
    fire_ends(turn);
    carry_on(turn);
}

/* The sooner of two instants, of which 0 is none and those up to `after_ms` do not count. */
static int64_t sooner(int64_t due_ms, int64_t at_ms, int64_t after_ms)
{
    if (at_ms == 0 || at_ms <= after_ms) return due_ms;
    return due_ms == 0 || at_ms < due_ms ? at_ms : due_ms;
}

int64_t saga_next_due_after_ms(const struct saga *saga, int64_t now_ms)
{
    int64_t due_ms = 0;
    if (saga_is_finished(saga->state)) return 0;
    if (waits_for_start(saga)) due_ms = sooner(due_ms, saga->start_at_ms, now_ms);
    if (waits_for_deadline(saga)) due_ms = sooner(due_ms, saga->deadline_at_ms, now_ms);
    for (struct run_walk walk = walk_of(saga); walk_on(&walk);) {
        const struct step_run *const run = walk.ref.run;
        due_ms = sooner(due_ms, run->deadline_at_ms, now_ms);
        if (may_send_next(saga, &walk.ref)) {
            due_ms = sooner(due_ms, run->next_attempt_at_ms, now_ms);
        }
    }
    return due_ms;
}

int64_t saga_next_due_ms(const struct saga *saga)
{
    return saga_next_due_after_ms(saga, INT64_MIN);
}

/* ---- the end of a pause ---- */

void end_pause(struct turn *turn, struct bytes reason)
{
    struct saga *const saga = turn->saga;
    saga->paused = saga->paused_by_timeout = false;
    saga->paused_by = (struct bytes){0};
    move_saga(turn, SAGA_RESUME,
              &(struct detail){.reason = reason, .state = saga_state_name(saga->state)});
}

/* Steps that failed into a pause are sent again with fresh attempts. */
static void reopen(struct turn *turn, size_t position)
{
    struct saga *const saga = turn->saga;
    const struct step_runs *const runs = &saga->steps[position];
    for (uint32_t i = 0; i < runs->count; i++) {
        const struct run_ref ref = run_ref_at(saga, position, i);
        if (ref.run->state != STEP_FAILED && ref.run->state != STEP_UNKNOWN) continue;
        const bool unreached = ref.run->attempt == 0 && !runs->expanded;
        run_renew(ref.run);
        move_run(turn, &ref, unreached ? RUN_RESET : RUN_REOPENED,
                 &(struct detail){.reason = BYTES("resumed with fresh attempts")});
    }
}

static void reopen_held(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        const struct step *const step = &saga->definition->steps[i];
        if (step_is_doomed(&saga->steps[i]) && step_reaction(saga, step) == REACT_PAUSE) {
            reopen(turn, i);
        }
    }
}

void resume(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    const bool by_timeout = saga->paused_by_timeout;
    end_pause(turn, turn->event->reason);
    if (by_timeout) restart_deadline(turn);
    fire_saga(turn);
    if (!saga->paused && saga_direction(saga) == SAGA_RUNNING) reopen_held(turn);
    fire_all(turn);
}

/* ---- events ---- */

static void create_fork(struct turn *turn)
{
    const struct fork *const fork = turn->event->fork;
    struct saga *const saga = turn->saga;
    char id[UUID_TEXT_SIZE];
    uuid_print(&fork->saga, id);
    saga->forked = true;
    saga->forked_from = fork->saga;
    if (fork->from.data != NULL) saga->fork_step = bytes_copy(saga->arena, fork->from);
    record(turn, "saga.created", NULL,
           &(struct detail){.forked_from = bytes_of(id), .from_step = fork->from});
    record(turn, "operator.command", NULL,
           &(struct detail){.verb = BYTES("fork"), .reason = turn->event->reason});
}

enum verdict take_start(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    if (saga->revision != 0) {
        (void)snprintf(turn->decision->why, sizeof(turn->decision->why),
                       "The saga has been started already.");
        return VERDICT_ILLEGAL;
    }
    if (turn->event->fork == NULL) {
        record(turn, "saga.created", NULL, &(struct detail){.start_at_ms = saga->start_at_ms});
    } else {
        create_fork(turn);
    }
    turn->changed = true;
    if (turn->event->held) {
        const bool takes_over = turn->event->fork != NULL && !turn->event->fork->held;
        saga->paused = true;
        move_saga(turn, SAGA_HOLD,
                  &(struct detail){.reason = takes_over ? BYTES("steps are taken over")
                                                        : BYTES("the definition is paused")});
    } else if (saga->start_at_ms <= turn->context->now_ms) {
        start_now(turn);
    }
    return VERDICT_APPLIED;
}

enum verdict take_timer(struct turn *turn)
{
    fire_all(turn);
    return VERDICT_NOTHING;
}

enum verdict take_resend(struct turn *turn)
{
    const struct bytes topic = turn->event->name;
    for (struct run_walk walk = walk_of(turn->saga); walk_on(&walk);) {
        const struct run_ref *const ref = &walk.ref;
        if (!run_is_out(ref->run)) continue;
        if (topic.data != NULL && (run_only_waits(ref) ||
                                   !bytes_equal(run_send(ref->step, ref->run->op)->topic, topic))) {
            continue;
        }
        begin_again(turn, ref);
    }
    return VERDICT_NOTHING;
}
