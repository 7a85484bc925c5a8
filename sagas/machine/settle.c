/* How a run ends, or gets another attempt. */
#include "sagas/machine/backoff.h"
#include "sagas/machine/turn.h"

enum { STATED_DELAY_MAX_MS = 24 * 60 * 60 * 1000 };

void run_face(struct step_run *run, enum op op)
{
    if (run->op == op) return;
    run->op = op;
    run->attempt = run->uncounted = run->attempts_aside = 0;
    run->unanswered = run->promised = false;
    run->first_sent_at_ms = run->sent_at_ms = 0;
    run->deadline_at_ms = run->next_attempt_at_ms = 0;
    run->input = (struct bytes){0};
    run->input_seq = 0;
}

void run_renew(struct step_run *run)
{
    run->uncounted = run->attempt;
    run->first_sent_at_ms = 0;
}

/* To the probe and back: one counts on where it stopped when the other one was asked. */
static void turn_aside(struct step_run *run, enum op op)
{
    const uint32_t attempts = run->attempt;
    run->op = op;
    run->attempt = run->uncounted = run->attempts_aside;
    run->attempts_aside = attempts;
    run->promised = false;
    run->first_sent_at_ms = run->sent_at_ms = 0;
    run->deadline_at_ms = run->next_attempt_at_ms = 0;
}

void run_leave_probe(struct step_run *run)
{
    if (run->op == OP_PROBE) turn_aside(run, OP_ACTION);
}

static void close_run(struct turn *turn, struct step_run *run)
{
    run->deadline_at_ms = run->next_attempt_at_ms = 0;
    run->promised = false;
    run->finished_at_ms = turn->context->now_ms;
}

static void keep_output(struct turn *turn, const struct run_ref *ref, struct bytes output)
{
    ref->runs->collected = (struct bytes){0};
    ref->run->output = (struct bytes){0};
    ref->run->output_seq = 0;
    if (output.data == NULL || output.size == 0) return;
    ref->run->output = bytes_copy(turn->saga->arena, output);
    ref->run->output_seq = turn->decision->history_first_seq;
    turn->decision->payload = ref->run->output;
}

void run_succeed(struct turn *turn, const struct run_ref *ref, struct bytes output)
{
    struct step_run *const run = ref->run;
    run_leave_probe(run);
    close_run(turn, run);
    run->bad_reply = false;
    if (run->op == OP_COMPENSATE) {
        move_run(turn, ref, RUN_UNDONE, &(struct detail){0});
        return;
    }
    run->unanswered = false;
    run->error = (struct saga_error){0};
    keep_output(turn, ref, output);
    move_run(turn, ref, RUN_DONE, &(struct detail){0});
}

void run_skip(struct turn *turn, const struct run_ref *ref, struct bytes output,
              struct bytes reason)
{
    const struct detail detail = {.reason = reason};
    run_leave_probe(ref->run);
    close_run(turn, ref->run);
    if (ref->run->op == OP_COMPENSATE) {
        move_run(turn, ref, RUN_UNDO_WAIVED, &detail);
        return;
    }
    keep_output(turn, ref, output);
    move_run(turn, ref, RUN_SKIP, &detail);
}

void run_give_up(struct turn *turn, const struct run_ref *ref)
{
    struct step_run *const run = ref->run;
    const struct detail detail = detail_of_error(&run->error);
    run_leave_probe(run);
    close_run(turn, run);
    if (run->op == OP_COMPENSATE) {
        move_run(turn, ref, RUN_UNDO_FAILED, &detail);
    } else {
        move_run(turn, ref, run->unanswered ? RUN_NO_ANSWER : RUN_NO_EFFECT, &detail);
    }
}

void run_ask_or_give_up(struct turn *turn, const struct run_ref *ref)
{
    struct step_run *const run = ref->run;
    if (run->op != OP_ACTION || !run->unanswered || ref->step->probe == NULL) {
        run_give_up(turn, ref);
        return;
    }
    turn_aside(run, OP_PROBE);
    run->next_attempt_at_ms = turn->context->now_ms; /* carry_on sends it, unless it is paused */
    struct detail detail = detail_of_error(&run->error);
    detail.next_attempt_at_ms = run->next_attempt_at_ms;
    move_run(turn, ref, RUN_PROBE, &detail);
}

void run_end_wait(struct turn *turn, const struct run_ref *ref, const struct detail *detail)
{
    close_run(turn, ref->run);
    ref->run->error = (struct saga_error){0};
    ref->runs->collected = (struct bytes){0};
    move_run(turn, ref, RUN_DONE, detail);
}

void run_drop(struct turn *turn, const struct run_ref *ref, struct bytes reason)
{
    close_run(turn, ref->run);
    move_run(turn, ref, RUN_DROPPED, &(struct detail){.reason = reason});
}

void run_refuse(struct turn *turn, const struct run_ref *ref, const struct trouble *trouble)
{
    set_error(turn, &ref->run->error, trouble->code, trouble->text);
    ref->run->bad_reply = false;
    /* A refusal speaks for the key: earlier attempts that nobody answered had no effect either. */
    ref->run->unanswered = false;
    run_give_up(turn, ref);
}

void run_reject(struct turn *turn, const struct run_ref *ref, struct bytes output,
                const struct trouble *trouble)
{
    struct step_run *const run = ref->run;
    run_leave_probe(run);
    set_error(turn, &run->error, trouble->code, trouble->text);
    close_run(turn, run);
    run->bad_reply = false;
    run->unanswered = true;
    keep_output(turn, ref, output);
    const struct detail detail = detail_of_error(&run->error);
    move_run(turn, ref, RUN_NO_ANSWER, &detail);
}

/* ---- the next attempt ---- */

static bool is_never_on(const struct retry_policy *policy, struct bytes code)
{
    for (size_t i = 0; i < policy->never_on_count; i++) {
        if (bytes_equal(policy->never_on[i], code)) return true;
    }
    return false;
}

/* No action is sent any more once the saga is being undone or another item has failed. */
static bool may_send_again(const struct turn *turn, const struct run_ref *ref)
{
    const struct saga *const saga = turn->saga;
    if (ref->run->op != OP_ACTION) return true;
    if (saga_direction(saga) != SAGA_RUNNING || step_is_doomed(ref->runs)) return false;
    /* The pivot is asked again until it is known, but not beyond the saga's deadline. */
    return !saga_is_turning(saga) || (saga->attention & ATTENTION_OVERDUE) == 0;
}

static uint64_t stated_delay_ms(uint64_t delay_ms)
{
    if (delay_ms < 1) return 1;
    return delay_ms < STATED_DELAY_MAX_MS ? delay_ms : STATED_DELAY_MAX_MS;
}

/* When the next attempt starts; 0: there is none. */
static int64_t plan_attempt(struct turn *turn, const struct run_ref *ref,
                            const struct trouble *trouble)
{
    const struct step_run *const run = ref->run;
    const struct retry_policy *const policy = &run_send(ref->step, run->op)->retry;
    if (!may_send_again(turn, ref) || is_never_on(policy, trouble->code)) return 0;
    const uint32_t counted = run->attempt > run->uncounted ? run->attempt - run->uncounted : 1;
    uint64_t delay_ms = 0;
    if (trouble->delay_stated) {
        delay_ms = stated_delay_ms(trouble->delay_ms);
    } else {
        if (policy->max_attempts > 0 && counted >= policy->max_attempts) return 0;
        delay_ms = backoff_delay_ms(policy, counted, turn->context->random);
    }
    const int64_t at_ms = turn->context->now_ms + (int64_t)delay_ms;
    const int64_t end_ms = run->first_sent_at_ms + (int64_t)policy->max_elapsed_ms;
    return policy->max_elapsed_ms > 0 && at_ms > end_ms ? 0 : at_ms;
}

static void end_attempts(struct turn *turn, const struct run_ref *ref)
{
    if (ref->run->op != OP_COMPENSATE ||
        ref->step->compensation.on_exhausted == ON_EXHAUSTED_STUCK) {
        run_ask_or_give_up(turn, ref);
        return;
    }
    struct detail detail = detail_of_error(&ref->run->error);
    detail.reason = BYTES("attempts are over; the definition says continue");
    close_run(turn, ref->run);
    move_run(turn, ref, RUN_UNDO_WAIVED, &detail);
}

void run_retry(struct turn *turn, const struct run_ref *ref, const struct trouble *trouble)
{
    struct step_run *const run = ref->run;
    struct saga_error own = {0};
    /* What ended the attempts stays the step's error while whoever knows is asked. */
    struct saga_error *const error = run->op == OP_PROBE ? &own : &run->error;
    set_error(turn, error, trouble->code, trouble->text);
    const int64_t at_ms = plan_attempt(turn, ref, trouble);
    if (at_ms == 0) {
        end_attempts(turn, ref);
        return;
    }
    run->deadline_at_ms = 0;
    run->promised = false;
    run->next_attempt_at_ms = at_ms;
    /* What is asked for by the participant does not use up an attempt. */
    if (trouble->delay_stated) run->uncounted++;
    struct detail detail = detail_of_error(error);
    detail.next_attempt_at_ms = at_ms;
    detail.delay_ms = (uint64_t)(at_ms - turn->context->now_ms);
    detail.stated = trouble->delay_stated;
    move_run(turn, ref, run->op == OP_COMPENSATE ? RUN_UNDO_RETRY : RUN_RETRY, &detail);
}
