/*
 * What operators may do, and what is done. One table for each kind of verb: an empty cell is
 * refused with a sentence that names what would be allowed instead.
 */
#include "sagas/machine/turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- saying no ---- */

static void add_to_list(struct buffer *list, const char *name)
{
    if (list->size > 0) buffer_add_text(list, ", ");
    buffer_add_text(list, name);
}

static enum verdict refuse(struct turn *turn, const struct buffer *stands,
                           const struct buffer *allowed)
{
    struct buffer why = buffer_in(turn->context->arena);
    buffer_add_text(&why, event_kind_name(turn->event->kind));
    buffer_add_text(&why, " is not allowed: ");
    buffer_add_bytes(&why, buffer_bytes(stands));
    buffer_add_text(&why, ". Allowed now: ");
    buffer_add_text(&why, allowed->size > 0 ? allowed->data : "nothing");
    buffer_add_char(&why, '.');
    const size_t room = sizeof(turn->decision->why) - 1;
    memcpy(turn->decision->why, why.data, why.size < room ? why.size : room);
    return VERDICT_ILLEGAL;
}

static void record_command(struct turn *turn, const struct run_ref *ref)
{
    record(turn, "operator.command", ref,
           &(struct detail){.verb = bytes_of(event_kind_name(turn->event->kind)),
                            .reason = turn->event->reason,
                            .code = turn->event->code});
}

/* ---- verbs on the saga ---- */

static bool has_something_to_send(const struct run_ref *ref)
{
    return ref->run->op == OP_ACTION || ref->step->undo == UNDO_COMMAND;
}

static void do_cancel(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    saga->cancel_requested = true;
    move_saga(turn, SAGA_CANCEL, &(struct detail){.reason = turn->event->reason});
    /* A cancel is an answer to a pause. */
    if (saga->paused) end_pause(turn, BYTES("cancelled"));
    const struct bytes reason = turn->event->reason;
    turn_back(turn, NULL,
              &(struct saga_error){.code = "cancelled",
                                   .detail = reason.size > 0 ? reason
                                                             : BYTES("an operator cancelled it")});
}

static void do_pause(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    const struct bytes actor = turn->event->actor;
    saga->paused = true;
    saga->paused_by = bytes_copy(saga->arena, actor.size > 0 ? actor : BYTES("operator"));
    move_saga(turn, SAGA_PAUSE, &(struct detail){.reason = turn->event->reason});
}

/* Send what needs an operator again, in its own direction, with fresh counters. */
static void send_once_more(struct turn *turn, const struct run_ref *ref)
{
    if (ref->run->attempt == 0 && ref->run->op == OP_ACTION && !ref->runs->expanded) {
        move_run(turn, ref, RUN_RESET, &(struct detail){.reason = BYTES("retry")});
        return;
    }
    run_renew(ref->run);
    begin(turn, ref, ref->run->op);
}

/* On to the next run that is stuck and can be sent again; false: there is none. */
static bool walk_on_to_retry(struct run_walk *walk)
{
    while (walk_on(walk)) {
        if (!has_something_to_send(&walk->ref)) continue;
        if (run_needs_operator(walk->saga, &walk->ref)) return true;
    }
    return false;
}

/* Every stuck step at once: an operator asked for it, so places of a foreach do not hold it back.
 */
static void do_retry(struct turn *turn)
{
    for (struct run_walk walk = walk_of(turn->saga); walk_on_to_retry(&walk);) {
        send_once_more(turn, &walk.ref);
    }
}

static void terminate_run(struct turn *turn, const struct run_ref *ref)
{
    const enum step_state state = ref->run->state;
    if (state != STEP_DISPATCHED && state != STEP_RETRYING && state != STEP_COMPENSATING) return;
    if (run_only_waits(ref)) {
        run_drop(turn, ref, BYTES("the saga was terminated"));
        return;
    }
    if (run_is_out(ref->run)) ref->run->unanswered = true;
    set_error(turn, &ref->run->error, BYTES("terminated"),
              BYTES("the saga was terminated while this was under way"));
    run_give_up(turn, ref);
}

static void do_terminate(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    const struct bytes reason = turn->event->reason;
    for (struct run_walk walk = walk_of(saga); walk_on(&walk);) {
        terminate_run(turn, &walk.ref);
    }
    if (saga->error.code[0] == '\0') {
        set_error(turn, &saga->error, BYTES("terminated"),
                  reason.size > 0 ? reason : BYTES("an operator terminated it"));
    }
    saga->cause = (struct saga_error){0};
    saga->cause_step = (struct bytes){0};
    finish(turn, SAGA_TERMINATE, &(struct detail){.reason = reason});
}

struct saga_verb {
    enum event_kind kind;
    void (*carry_out)(struct turn *turn);
};

static const struct saga_verb SAGA_VERBS[] = {
    {EVENT_CANCEL,    do_cancel   },
    {EVENT_PAUSE,     do_pause    },
    {EVENT_RESUME,    resume      },
    {EVENT_RETRY,     do_retry    },
    {EVENT_TERMINATE, do_terminate},
};
enum { SAGA_VERB_COUNT = sizeof(SAGA_VERBS) / sizeof(SAGA_VERBS[0]) };

static bool has_retry(const struct saga *saga)
{
    struct run_walk walk = walk_of(saga);
    return walk_on_to_retry(&walk);
}

/* Fold what the saga's state does not say into the event. */
static enum saga_event fold(const struct saga *saga, enum event_kind kind)
{
    switch ((int)kind) {
    case EVENT_CANCEL:
        return saga->state == SAGA_RUNNING && saga_is_past_pivot(saga) ? SAGA_CANCEL_PAST_PIVOT
                                                                       : SAGA_CANCEL;
    case EVENT_PAUSE: return saga->paused ? SAGA_PAUSE_PAUSED : SAGA_PAUSE;
    case EVENT_RESUME: return saga->paused ? SAGA_RESUME : SAGA_RESUME_UNPAUSED;
    case EVENT_RETRY: return has_retry(saga) ? SAGA_RETRY : SAGA_RETRY_NOTHING;
    case EVENT_TERMINATE: return SAGA_TERMINATE;
    default: abort();
    }
}

static bool saga_allows(const struct saga *saga, enum event_kind kind)
{
    return saga->revision > 0 && saga_transition(saga->state, fold(saga, kind)).entry != NULL;
}

static enum verdict refuse_saga_verb(struct turn *turn)
{
    const struct saga *const saga = turn->saga;
    struct buffer allowed = buffer_in(turn->context->arena);
    struct buffer stands = buffer_in(turn->context->arena);
    for (size_t i = 0; i < SAGA_VERB_COUNT; i++) {
        if (saga_allows(saga, SAGA_VERBS[i].kind)) {
            add_to_list(&allowed, event_kind_name(SAGA_VERBS[i].kind));
        }
    }
    buffer_add_text(&stands, "the saga is ");
    buffer_add_text(&stands, saga_state_name(saga->state));
    if (saga->state == SAGA_RUNNING && saga_is_past_pivot(saga)) {
        buffer_add_text(&stands, ", past-pivot");
    }
    if (saga->paused) buffer_add_text(&stands, ", paused");
    return refuse(turn, &stands, &allowed);
}

/* The definition was resumed: what an operator paused stays paused. */
static enum verdict release(struct turn *turn)
{
    const struct saga *const saga = turn->saga;
    if (saga->state != SAGA_PENDING || !saga->paused || saga->paused_by.data != NULL) {
        return VERDICT_NOTHING;
    }
    resume(turn);
    turn->changed = true;
    return VERDICT_APPLIED;
}

enum verdict take_saga_verb(struct turn *turn)
{
    if (turn->event->kind == EVENT_RESUME && turn->event->held) return release(turn);
    if (!saga_allows(turn->saga, turn->event->kind)) return refuse_saga_verb(turn);
    record_command(turn, NULL);
    for (size_t i = 0; i < SAGA_VERB_COUNT; i++) {
        if (SAGA_VERBS[i].kind == turn->event->kind) SAGA_VERBS[i].carry_out(turn);
    }
    turn->changed = true;
    return VERDICT_APPLIED;
}

/* ---- verbs on a step ---- */

static void do_step_retry(struct turn *turn, const struct run_ref *ref)
{
    begin(turn, ref, ref->run->op);
}

static void do_step_skip(struct turn *turn, const struct run_ref *ref)
{
    run_skip(turn, ref, turn->event->payload, BYTES("an operator said so"));
}

static void do_step_complete(struct turn *turn, const struct run_ref *ref)
{
    run_succeed(turn, ref, turn->event->payload);
}

static void do_step_fail(struct turn *turn, const struct run_ref *ref)
{
    const struct bytes code = turn->event->code;
    const struct bytes reason = turn->event->reason;
    run_refuse(turn, ref,
               &(struct trouble){
                   .code = code.size > 0 ? code : BYTES("failed"),
                   .text = reason.size > 0 ? reason : BYTES("an operator said that it failed"),
               });
}

/* How a run stands for an operator. */
enum stand {
    STAND_UNSENT,
    STAND_OUT,
    STAND_RETRYING,
    STAND_HELD,    /* failed or unknown, and paused */
    STAND_FAILED,  /* failed past the pivot: stuck */
    STAND_UNKNOWN, /* stuck: neither undone nor passed over */
    STAND_ON_HOLD, /* unknown, and the definition leaves it to an operator */
    STAND_UNDO_OUT,
    STAND_UNDO_WAITING, /* its undo waits for the next attempt */
    STAND_UNDO_FAILED,
    STAND_UNDO_MISSING, /* the definition does not say how */
    STAND_SETTLED,
    STAND_COUNT,
};

enum { STEP_VERB_COUNT = EVENT_STEP_FAIL - EVENT_STEP_RETRY + 1 };

typedef void step_verb(struct turn *turn, const struct run_ref *ref);

/* clang-format off */
static step_verb *const STEP_VERBS[STAND_COUNT][STEP_VERB_COUNT] = {
    /*                        retry            skip           complete           fail         */
    [STAND_UNSENT]       = {  NULL,            do_step_skip,  NULL,              NULL          },
    [STAND_OUT]          = {  NULL,            NULL,          do_step_complete,  do_step_fail  },
    [STAND_RETRYING]     = {  do_step_retry,   do_step_skip,  do_step_complete,  do_step_fail  },
    [STAND_HELD]         = {  send_once_more,  do_step_skip,  do_step_complete,  NULL          },
    [STAND_FAILED]       = {  send_once_more,  do_step_skip,  do_step_complete,  NULL          },
    [STAND_UNKNOWN]      = {  send_once_more,  NULL,          do_step_complete,  NULL          },
    [STAND_ON_HOLD]      = {  send_once_more,  do_step_skip,  do_step_complete,  do_step_fail  },
    [STAND_UNDO_WAITING] = {  do_step_retry,   NULL,          NULL,              NULL          },
    [STAND_UNDO_FAILED]  = {  send_once_more,  do_step_skip,  NULL,              NULL          },
    [STAND_UNDO_MISSING] = {  NULL,            do_step_skip,  NULL,              NULL          },
    /* out to be undone, settled: nothing */
};
/* clang-format on */

static enum stand stand_of_closed(const struct saga *saga, const struct run_ref *ref)
{
    if (run_is_on_hold(ref)) return STAND_ON_HOLD;
    if (run_is_held(saga, ref)) return STAND_HELD;
    if (!run_needs_operator(saga, ref)) return STAND_SETTLED;
    return ref->run->state == STEP_UNKNOWN ? STAND_UNKNOWN : STAND_FAILED;
}

static enum stand stand_of(const struct saga *saga, const struct run_ref *ref)
{
    switch (ref->run->state) {
    case STEP_WAITING:
    case STEP_READY: return STAND_UNSENT;
    case STEP_DISPATCHED: return STAND_OUT;
    case STEP_RETRYING: return STAND_RETRYING;
    case STEP_FAILED:
    case STEP_UNKNOWN: return stand_of_closed(saga, ref);
    case STEP_COMPENSATING: return run_is_out(ref->run) ? STAND_UNDO_OUT : STAND_UNDO_WAITING;
    case STEP_COMPENSATION_FAILED:
        return has_something_to_send(ref) ? STAND_UNDO_FAILED : STAND_UNDO_MISSING;
    case STEP_SUCCEEDED:
    case STEP_SKIPPED:
    case STEP_COMPENSATED:
    case STEP_COMPENSATION_SKIPPED: return STAND_SETTLED;
    case STEP_STATE_COUNT: break;
    }
    abort();
}

static const char *stand_text(enum stand stand)
{
    switch (stand) {
    case STAND_HELD: return " and the saga paused";
    case STAND_FAILED:
    case STAND_UNKNOWN: return " and stuck";
    case STAND_ON_HOLD: return " and held";
    case STAND_UNDO_MISSING: return ", and no compensation is declared";
    case STAND_UNDO_WAITING: return ", between two attempts";
    case STAND_UNSENT:
    case STAND_OUT:
    case STAND_RETRYING:
    case STAND_UNDO_OUT:
    case STAND_UNDO_FAILED:
    case STAND_SETTLED:
    case STAND_COUNT: break;
    }
    return "";
}

static enum verdict refuse_step_verb(struct turn *turn, const struct run_ref *ref, enum stand stand)
{
    struct buffer allowed = buffer_in(turn->context->arena);
    struct buffer stands = buffer_in(turn->context->arena);
    for (size_t i = 0; i < STEP_VERB_COUNT; i++) {
        if (STEP_VERBS[stand][i] != NULL) {
            add_to_list(&allowed, event_kind_name((enum event_kind)(EVENT_STEP_RETRY + i)));
        }
    }
    buffer_add_text(&stands, "step ");
    buffer_add_bytes(&stands, ref->step->id);
    buffer_add_text(&stands, " is ");
    buffer_add_text(&stands, step_state_name(ref->run->state));
    buffer_add_text(&stands, stand_text(stand));
    return refuse(turn, &stands, &allowed);
}

/*
 * Another input under the same key would be a lie where an attempt may have had its effect: the
 * participant answers with what it did then.
 */
static bool may_change_input(const struct run_ref *ref)
{
    const struct step_run *const run = ref->run;
    if (step_only_waits(ref->step) && run->op == OP_ACTION) return false;
    return run->state != STEP_UNKNOWN && !(run->state == STEP_RETRYING && run->unanswered);
}

static enum verdict refuse_input(struct turn *turn, const struct run_ref *ref)
{
    if (step_only_waits(ref->step)) {
        (void)snprintf(turn->decision->why, sizeof(turn->decision->why),
                       "retry with another input is not allowed: step %.*s only waits and sends "
                       "nothing. Allowed now: retry without input.",
                       (int)ref->step->id.size, ref->step->id.data);
        return VERDICT_ILLEGAL;
    }
    (void)snprintf(turn->decision->why, sizeof(turn->decision->why),
                   "retry with another input is not allowed: whether step %.*s had an effect is "
                   "unknown. Allowed now: retry without input.",
                   (int)ref->step->id.size, ref->step->id.data);
    return VERDICT_ILLEGAL;
}

static void keep_input(struct turn *turn, const struct run_ref *ref)
{
    ref->run->input = bytes_copy(turn->saga->arena, turn->event->payload);
    ref->run->input_seq = turn->decision->history_first_seq;
    turn->decision->payload = ref->run->input;
}

static bool any_held(const struct saga *saga)
{
    for (struct run_walk walk = walk_of(saga); walk_on(&walk);) {
        if (run_is_held(saga, &walk.ref)) return true;
    }
    return false;
}

/* A verb is an answer to the definition's pause, once no other step waits for one. */
static void end_answered_pause(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    if (turn->event->kind == EVENT_STEP_FAIL) return;
    if (!saga->paused || saga->paused_by.data != NULL) return;
    if (saga_direction(saga) != SAGA_RUNNING || any_held(saga)) return;
    end_pause(turn, BYTES("an operator decided"));
    if (saga->deadline_at_ms <= turn->context->now_ms) restart_deadline(turn);
}

enum verdict take_step_verb(struct turn *turn)
{
    const struct saga *const saga = turn->saga;
    struct run_ref ref;
    if (!find_run(turn, &ref)) return VERDICT_UNKNOWN;
    if (saga->revision == 0 || saga_transition(saga->state, SAGA_STEP_VERB).entry == NULL) {
        return refuse_step_verb(turn, &ref, STAND_SETTLED);
    }
    const enum stand stand = stand_of(saga, &ref);
    step_verb *const verb = STEP_VERBS[stand][turn->event->kind - EVENT_STEP_RETRY];
    if (verb == NULL) return refuse_step_verb(turn, &ref, stand);
    const bool has_input =
        turn->event->kind == EVENT_STEP_RETRY && turn->event->payload.data != NULL;
    if (has_input && !may_change_input(&ref)) return refuse_input(turn, &ref);
    if (has_input) keep_input(turn, &ref);
    record_command(turn, &ref);
    move_saga(turn, SAGA_STEP_VERB, &(struct detail){0});
    verb(turn, &ref);
    end_answered_pause(turn);
    return VERDICT_APPLIED;
}
