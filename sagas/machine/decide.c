#include "sagas/machine/turn.h"

#include <assert.h>

bool find_run(const struct turn *turn, struct run_ref *ret_ref)
{
    const struct event *const event = turn->event;
    const struct saga *const saga = turn->saga;
    if (event->step < 0 || event->step >= saga->definition->step_count) return false;
    const struct step_runs *const runs = &saga->steps[event->step];
    const bool has_items = runs->expanded && runs->count > 0;
    if (has_items ? event->index < 0 || (uint32_t)event->index >= runs->count
                  : event->index != INDEX_NONE) {
        return false;
    }
    *ret_ref = run_ref_at(saga, (size_t)event->step, has_items ? (uint32_t)event->index : 0);
    return true;
}

/* ---- attention: derived from the runs, but for what somebody has to have seen ---- */

static uint32_t attention_of_run(const struct run_ref *ref)
{
    const struct step_run *const run = ref->run;
    uint32_t attention = 0;
    if (run->bad_reply) attention |= ATTENTION_BAD_REPLY;
    if (run_is_on_hold(ref)) attention |= ATTENTION_HELD;
    const bool out = run->state == STEP_DISPATCHED || run->state == STEP_COMPENSATING;
    const bool again = out && (run->attempt > 1 || run->op == OP_PROBE) && !run_only_waits(ref);
    if (run->state == STEP_RETRYING || run->next_attempt_at_ms != 0 || again) {
        attention |= ATTENTION_RETRYING;
    }
    return attention;
}

uint32_t attention_of(const struct saga *saga)
{
    if (saga_is_finished(saga->state)) return 0;
    uint32_t attention = saga->attention & (ATTENTION_NO_HANDLER | ATTENTION_OVERDUE);
    if (saga->paused) attention |= ATTENTION_PAUSED;
    if (saga->state == SAGA_STUCK) attention |= ATTENTION_STUCK;
    for (struct run_walk walk = walk_of(saga); walk_on(&walk);) {
        attention |= attention_of_run(&walk.ref);
    }
    return attention;
}

/* ---- one event ---- */

typedef enum verdict take(struct turn *turn);

static take *taker_of(enum event_kind kind)
{
    static take *const TAKERS[EVENT_KIND_COUNT] = {
        [EVENT_START] = take_start,
        [EVENT_TIMER] = take_timer,
        [EVENT_REPLY] = take_reply,
        [EVENT_BAD_REPLY] = take_bad_reply,
        [EVENT_RESEND] = take_resend,
        [EVENT_SIGNAL] = take_signal,
        [EVENT_GRANTED] = take_granted,
        [EVENT_CANCEL] = take_saga_verb,
        [EVENT_PAUSE] = take_saga_verb,
        [EVENT_RESUME] = take_saga_verb,
        [EVENT_RETRY] = take_saga_verb,
        [EVENT_TERMINATE] = take_saga_verb,
        [EVENT_STEP_RETRY] = take_step_verb,
        [EVENT_STEP_SKIP] = take_step_verb,
        [EVENT_STEP_COMPLETE] = take_step_verb,
        [EVENT_STEP_FAIL] = take_step_verb,
        [EVENT_MIGRATE] = take_migrate,
    };
    assert(kind < EVENT_KIND_COUNT);
    return TAKERS[kind];
}

void saga_decide(struct saga *saga, const struct event *event, struct decide_context *context,
                 struct decision *ret_decision)
{
    *ret_decision = (struct decision){.history_first_seq = saga->history_seq + 1};
    struct turn turn = {
        .saga = saga,
        .event = event,
        .context = context,
        .decision = ret_decision,
        .history = buffer_in(context->arena),
    };
    ret_decision->verdict = taker_of(event->kind)(&turn);
    if (turn.changed) {
        carry_on(&turn);
        ret_decision->verdict = VERDICT_APPLIED;
        saga->revision++;
        saga->updated_at_ms = context->now_ms;
        saga->attention = attention_of(saga);
    }
    close_history(&turn);
}
