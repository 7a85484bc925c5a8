/*
 * Sending: what each kind of step does when it starts, is sent again, and falls due.
 *
 * A further kind of step (a child saga) is a further row. Undoing and probing are commands,
 * whatever the kind.
 */
#include "sagas/machine/turn.h"

#include <assert.h>
#include <string.h>

enum { UNSENT_MAX_MS = 1000 };

/* ---- steps that send commands ---- */

static void add_command(struct turn *turn, const struct command *command)
{
    struct decision *const decision = turn->decision;
    if (decision->command_count == turn->command_room) {
        const size_t room = turn->command_room == 0 ? 4 : turn->command_room * 2;
        struct command *const more = arena_array(turn->context->arena, room, sizeof(*more));
        if (decision->command_count > 0) {
            memcpy(more, turn->commands, decision->command_count * sizeof(*more));
        }
        turn->commands = more;
        turn->command_room = room;
    }
    turn->commands[decision->command_count++] = *command;
    decision->commands = turn->commands;
}

static bool command_begin(struct turn *turn, const struct run_ref *ref, enum op op,
                          struct expression_error *ret_error)
{
    const int64_t now_ms = turn->context->now_ms;
    struct step_run *const run = ref->run;
    struct command command;
    if (!make_command(turn, ref, op, &command, ret_error)) return false;
    run->attempt++;
    run->promised = false;
    run->sent_at_ms = now_ms;
    run->next_attempt_at_ms = 0;
    run->deadline_at_ms = now_ms + (int64_t)command.send->timeout_ms;
    if (run->first_sent_at_ms == 0) run->first_sent_at_ms = now_ms;
    if (run->started_at_ms == 0) run->started_at_ms = now_ms;
    run->finished_at_ms = 0;
    command.attempt = run->attempt;
    command.expires_at_ms = run->deadline_at_ms;
    add_command(turn, &command);
    return true;
}

/* It never left, and so much of its time is gone that whoever is to answer would miss it. */
static bool has_waited(const struct turn *turn, const struct step_run *run, const struct send *send)
{
    const int64_t tenth_ms = (int64_t)(send->timeout_ms / 10);
    const int64_t much_ms = tenth_ms < UNSENT_MAX_MS ? tenth_ms : UNSENT_MAX_MS;
    return turn->event->held && turn->context->now_ms - run->sent_at_ms > much_ms;
}

static void command_again(struct turn *turn, const struct run_ref *ref)
{
    const int64_t now_ms = turn->context->now_ms;
    struct step_run *const run = ref->run;
    struct command command;
    struct expression_error error;
    if (!make_command(turn, ref, run->op, &command, &error)) return;
    const bool waited = has_waited(turn, run, command.send);
    if (waited) { /* max_elapsed does not count that either */
        run->first_sent_at_ms += now_ms - run->sent_at_ms;
        run->sent_at_ms = now_ms;
    }
    if (waited || run->deadline_at_ms <= now_ms) {
        run->deadline_at_ms = now_ms + (int64_t)command.send->timeout_ms;
        record(turn, "step.dispatched", ref,
               &(struct detail){.again = true, .deadline_at_ms = run->deadline_at_ms});
        turn->changed = true;
    }
    command.attempt = run->attempt;
    command.expires_at_ms = run->deadline_at_ms;
    command.again = true;
    add_command(turn, &command);
}

/* A timeout is not a failure: nobody knows whether the attempt had an effect. */
static void command_due(struct turn *turn, const struct run_ref *ref)
{
    ref->run->unanswered = true;
    run_retry(turn, ref,
              &(struct trouble){
                  .code = BYTES("timeout"),
                  .text = BYTES("no reply came in time: the effect of this attempt is unknown"),
              });
}

/* ---- steps that only wait ---- */

static void begin_wait(struct turn *turn, struct step_run *run, int64_t until_ms)
{
    const int64_t now_ms = turn->context->now_ms;
    run->attempt++;
    run->sent_at_ms = now_ms;
    run->deadline_at_ms = until_ms;
    if (run->first_sent_at_ms == 0) run->first_sent_at_ms = now_ms;
    if (run->started_at_ms == 0) run->started_at_ms = now_ms;
    run->finished_at_ms = 0;
}

static bool delay_begin(struct turn *turn, const struct run_ref *ref, enum op op,
                        struct expression_error *ret_error)
{
    int64_t end_ms = 0;
    (void)op;
    if (!delay_end(turn, ref, &end_ms, ret_error)) return false;
    begin_wait(turn, ref->run, end_ms > turn->context->now_ms ? end_ms : turn->context->now_ms);
    return true;
}

static void delay_due(struct turn *turn, const struct run_ref *ref)
{
    run_end_wait(turn, ref, &(struct detail){0});
}

/* What was kept for it is delivered by carry_on. */
static bool signal_begin(struct turn *turn, const struct run_ref *ref, enum op op,
                         struct expression_error *ret_error)
{
    const uint64_t timeout_ms = ref->step->signal->timeout_ms;
    (void)op;
    (void)ret_error;
    begin_wait(turn, ref->run, timeout_ms == 0 ? 0 : turn->context->now_ms + (int64_t)timeout_ms);
    return true;
}

static void signal_due(struct turn *turn, const struct run_ref *ref)
{
    if (ref->step->signal->continues_on_timeout) {
        run_end_wait(turn, ref,
                     &(struct detail){.reason = BYTES("the signal did not come in time")});
        return;
    }
    run_refuse(turn, ref,
               &(struct trouble){.code = BYTES("timeout"),
                                 .text = BYTES("the signal did not come in time")});
}

/* Nothing of it is out that could have been lost. */
static void wait_again(struct turn *turn, const struct run_ref *ref)
{
    (void)turn;
    (void)ref;
}

/* ---- kinds ---- */

struct step_kind_rules {
    /* Make the run's next attempt in direction `op`; false: it cannot be made. */
    bool (*begin)(struct turn *turn, const struct run_ref *ref, enum op op,
                  struct expression_error *ret_error);
    void (*again)(struct turn *turn, const struct run_ref *ref);
    void (*due)(struct turn *turn, const struct run_ref *ref);
};

static const struct step_kind_rules *rules_of(const struct step *step, enum op op)
{
    static const struct step_kind_rules KINDS[] = {
        [STEP_ACTION] = {command_begin, command_again, command_due},
        [STEP_SIGNAL] = {signal_begin,  wait_again,    signal_due },
        [STEP_DELAY] = {delay_begin,   wait_again,    delay_due  },
    };
    const enum step_kind kind = op == OP_ACTION ? step->kind : STEP_ACTION;
    assert(kind < sizeof(KINDS) / sizeof(KINDS[0]) && KINDS[kind].begin != NULL);
    return &KINDS[kind];
}

void begin(struct turn *turn, const struct run_ref *ref, enum op op)
{
    struct expression_error error;
    struct step_run *const run = ref->run;
    run_face(run, op);
    if (rules_of(ref->step, op)->begin(turn, ref, op, &error)) {
        struct detail detail = {.deadline_at_ms = run->deadline_at_ms};
        if (op == OP_ACTION) note_effect(turn, ref, &detail);
        move_run(turn, ref, op == OP_COMPENSATE ? RUN_UNDO_SENT : RUN_SENT, &detail);
        /* What was to be waited for may have been long ago. */
        if (run_is_out(run) && run->deadline_at_ms <= turn->context->now_ms) fall_due(turn, ref);
        return;
    }
    set_error(turn, &run->error, BYTES("expression_error"), bytes_of(error.detail));
    if (op == OP_PROBE) run_leave_probe(run);
    if (op == OP_ACTION) {
        run_ask_or_give_up(turn, ref);
    } else {
        run_give_up(turn, ref);
    }
}

void begin_again(struct turn *turn, const struct run_ref *ref)
{
    rules_of(ref->step, ref->run->op)->again(turn, ref);
}

void fall_due(struct turn *turn, const struct run_ref *ref)
{
    rules_of(ref->step, ref->run->op)->due(turn, ref);
}
