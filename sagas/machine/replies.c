/* What participants say. The first final outcome wins; what changes nothing is recorded. */
#include "sagas/machine/turn.h"
#include "sagas/schema/schema.h"

#include <stdlib.h>

/* ---- what a reply says in words ---- */

static const struct json_view *payload_of(const struct turn *turn)
{
    const struct json_view *view = NULL;
    struct json_error error;
    const struct bytes payload = turn->event->payload;
    if (payload.data == NULL || payload.size == 0) return NULL;
    return json_view_parse(payload, turn->context->arena, &view, &error) ? view : NULL;
}

static struct bytes text_member(const struct json_view *view, const char *name)
{
    const struct json_view *const member = view == NULL ? NULL : json_view_member(view, name);
    if (member == NULL || member->type != VIEW_STRING || member->string.size == 0) {
        return (struct bytes){0};
    }
    return cut_text(member->string, ERROR_DETAIL_SIZE_MAX);
}

static struct trouble trouble_of(const struct turn *turn, struct bytes otherwise)
{
    const struct event *const event = turn->event;
    const struct json_view *const view = payload_of(turn);
    struct trouble trouble = {
        .code = event->code.size > 0 ? event->code : BYTES("failed"),
        .text = text_member(view, "detail"),
        .delay_stated = event->delay_stated,
        .delay_ms = event->delay_ms,
    };
    if (trouble.text.data == NULL) trouble.text = text_member(view, "title");
    if (trouble.text.data == NULL) trouble.text = otherwise;
    if (event->payload.size > 0) turn->decision->payload = event->payload;
    return trouble;
}

/* ---- taking it ---- */

/* The attempt is over and the next one has its time: known if that is why. */
static enum verdict know_code(const struct run_ref *ref, struct bytes code)
{
    return bytes_equal_text(code, ref->run->error.code) ? VERDICT_DUPLICATE : VERDICT_LATE;
}

static enum verdict know_retry(struct turn *turn, const struct run_ref *ref)
{
    if (ref->run->op == OP_PROBE) return VERDICT_LATE; /* the error is the action's */
    return know_code(ref, turn->event->code.size > 0 ? turn->event->code : BYTES("failed"));
}

/* Past the pivot there is no way back: a refusal is one more reason to try again. */
static bool goes_on_trying(const struct turn *turn, const struct run_ref *ref)
{
    return ref->run->op == OP_ACTION && ref->step->on_failure == ON_FAILURE_COMPENSATE &&
           saga_direction(turn->saga) == SAGA_RUNNING && saga_is_past_pivot(turn->saga);
}

/* ---- an output that breaks its schema ---- */

struct bytes fault_text(const char *what, const struct schema_report *report, struct arena *arena)
{
    const struct schema_fault *const first = &report->fault[0];
    struct buffer text = buffer_in(arena);
    buffer_add_text(&text, what);
    if (first->pointer.size > 0) buffer_add_text(&text, " at ");
    buffer_add_bytes(&text, first->pointer);
    buffer_add_char(&text, ' ');
    buffer_add_bytes(&text, first->detail);
    if (report->count > 1) {
        buffer_add_format(&text, " (and %zu more%s)", report->count - 1,
                          report->more ? " at least" : "");
    }
    return buffer_bytes(&text);
}

static bool output_fits(const struct turn *turn, const struct run_ref *ref,
                        struct trouble *ret_trouble)
{
    const struct schema *schema = run_send(ref->step, turn->event->op)->output_schema;
    struct schema_report report;
    /* What a probe tells becomes the action's output. */
    if (schema == NULL && turn->event->op == OP_PROBE) schema = ref->step->action.output_schema;
    if (schema == NULL) return true;
    struct arena *const arena = turn->context->arena;
    if (schema_check_text(schema, turn->event->payload, arena, &report)) return true;
    *ret_trouble = (struct trouble){.code = BYTES("bad_output"),
                                    .text = fault_text("the output", &report, arena)};
    return false;
}

static enum verdict take_bad_output(struct turn *turn, const struct run_ref *ref,
                                    const struct trouble *trouble)
{
    const struct bytes output = turn->event->payload;
    if (!goes_on_trying(turn, ref)) {
        run_reject(turn, ref, output, trouble);
        return VERDICT_APPLIED;
    }
    if (!run_is_out(ref->run)) return know_code(ref, trouble->code);
    if (output.size > 0) turn->decision->payload = output;
    ref->run->bad_reply = false;
    ref->run->unanswered = true; /* whatever comes of the other attempts, this one had its effect */
    run_retry(turn, ref, trouble);
    return VERDICT_APPLIED;
}

static enum verdict take_success(struct turn *turn, const struct run_ref *ref)
{
    struct trouble trouble;
    if (!output_fits(turn, ref, &trouble)) return take_bad_output(turn, ref, &trouble);
    run_succeed(turn, ref, turn->event->payload);
    return VERDICT_APPLIED;
}

/* ---- the others ---- */

/* A probe says that the action never ran: what ended the attempts is why it failed. */
static enum verdict take_never_ran(struct turn *turn, const struct run_ref *ref)
{
    ref->run->bad_reply = false;
    ref->run->unanswered = false;
    run_give_up(turn, ref);
    return VERDICT_APPLIED;
}

static enum verdict take_failure(struct turn *turn, const struct run_ref *ref)
{
    if (ref->run->op == OP_PROBE) return take_never_ran(turn, ref);
    const bool goes_on = goes_on_trying(turn, ref);
    if (goes_on && !run_is_out(ref->run)) return know_retry(turn, ref);
    const struct trouble trouble = trouble_of(turn, BYTES("the participant refused"));
    if (!goes_on) {
        run_refuse(turn, ref, &trouble);
        return VERDICT_APPLIED;
    }
    ref->run->bad_reply = false;
    ref->run->unanswered = false;
    run_retry(turn, ref, &trouble);
    return VERDICT_APPLIED;
}

static enum verdict take_retry(struct turn *turn, const struct run_ref *ref)
{
    const struct trouble trouble =
        trouble_of(turn, BYTES("the participant asks to be tried again"));
    run_retry(turn, ref, &trouble);
    return VERDICT_APPLIED;
}

/* An action that is only awaited, because the saga is being undone, gets no more time. */
static void extend(struct turn *turn, const struct run_ref *ref)
{
    const struct send *const send = run_send(ref->step, ref->run->op);
    if (ref->run->op == OP_ACTION && saga_direction(turn->saga) != SAGA_RUNNING) return;
    const uint64_t more_ms = send->heartbeat_ms > 0 ? send->heartbeat_ms : send->timeout_ms;
    ref->run->deadline_at_ms = turn->context->now_ms + (int64_t)more_ms;
}

static enum verdict take_progress(struct turn *turn, const struct run_ref *ref)
{
    const struct json_view *const view = payload_of(turn);
    const struct json_view *const part = view == NULL ? NULL : json_view_member(view, "progress");
    struct detail detail = {.message = text_member(view, "message")};
    if (part != NULL && part->type == VIEW_NUMBER) detail.progress = part->text;
    extend(turn, ref);
    detail.deadline_at_ms = ref->run->deadline_at_ms;
    move_run(turn, ref, RUN_PROGRESS, &detail);
    return VERDICT_APPLIED;
}

static enum verdict take_pending(struct turn *turn, const struct run_ref *ref)
{
    extend(turn, ref);
    ref->run->promised = true;
    move_run(turn, ref, RUN_PROMISED, &(struct detail){.deadline_at_ms = ref->run->deadline_at_ms});
    return VERDICT_APPLIED;
}

static enum verdict know_it(struct turn *turn, const struct run_ref *ref)
{
    (void)turn;
    (void)ref;
    return VERDICT_DUPLICATE;
}

/* ---- which reply in which state ---- */

enum reply_kind {
    REPLY_SUCCESS, /* of any attempt */
    REPLY_FAILURE, /* from here on: of the newest attempt */
    REPLY_RETRY,
    REPLY_PROGRESS,
    REPLY_PENDING,
    REPLY_RETRY_AGAIN, /* the attempt is over already */
    REPLY_STALE,       /* no success, and of another attempt or of one that is over */
    REPLY_KIND_COUNT,
};

typedef enum verdict reply_rule(struct turn *turn, const struct run_ref *ref);

/* An empty cell is late: the outcome stands, the contradiction is recorded. */
/* clang-format off */
static reply_rule *const REPLIES[STEP_STATE_COUNT][REPLY_KIND_COUNT] = {
    [STEP_READY] = { [REPLY_SUCCESS] = take_success }, /* it was out before */
    [STEP_DISPATCHED] = {
        [REPLY_SUCCESS]  = take_success,
        [REPLY_FAILURE]  = take_failure,
        [REPLY_RETRY]    = take_retry,
        [REPLY_PROGRESS] = take_progress,
        [REPLY_PENDING]  = take_pending,
    },
    [STEP_RETRYING] = {
        [REPLY_SUCCESS]     = take_success,
        [REPLY_FAILURE]     = take_failure,
        [REPLY_RETRY_AGAIN] = know_retry,
    },
    [STEP_SUCCEEDED] = { [REPLY_SUCCESS] = know_it },
    [STEP_FAILED]    = { [REPLY_FAILURE] = know_it },
    [STEP_COMPENSATING] = {
        [REPLY_SUCCESS]     = take_success,
        [REPLY_FAILURE]     = take_failure,
        [REPLY_RETRY]       = take_retry,
        [REPLY_PROGRESS]    = take_progress,
        [REPLY_PENDING]     = take_pending,
        [REPLY_RETRY_AGAIN] = know_retry,
    },
    [STEP_COMPENSATED]         = { [REPLY_SUCCESS] = know_it },
    [STEP_COMPENSATION_FAILED] = { [REPLY_FAILURE] = know_it },
};
/* clang-format on */

static enum reply_kind kind_of(const struct event *event, const struct step_run *run)
{
    if (event->outcome == OUTCOME_SUCCESS) return REPLY_SUCCESS;
    if (event->attempt != run->attempt) return REPLY_STALE;
    switch (event->outcome) {
    case OUTCOME_SUCCESS: break;
    case OUTCOME_FAILURE: return REPLY_FAILURE;
    case OUTCOME_RETRY: return run_is_out(run) ? REPLY_RETRY : REPLY_RETRY_AGAIN;
    case OUTCOME_PROGRESS: return run_is_out(run) ? REPLY_PROGRESS : REPLY_STALE;
    case OUTCOME_PENDING: return run_is_out(run) ? REPLY_PENDING : REPLY_STALE;
    }
    abort();
}

/*
 * An attempt of the action speaks up while whoever knows is asked: what ends a step ends this too.
 */
static enum verdict judge_asked(struct turn *turn, const struct run_ref *ref)
{
    const struct event *const event = turn->event;
    if (event->outcome == OUTCOME_SUCCESS) return take_success(turn, ref);
    if (event->outcome != OUTCOME_FAILURE || event->attempt != ref->run->attempts_aside) {
        return VERDICT_LATE;
    }
    const struct trouble trouble = trouble_of(turn, BYTES("the participant refused"));
    run_refuse(turn, ref, &trouble);
    return VERDICT_APPLIED;
}

static enum verdict judge(struct turn *turn, const struct run_ref *ref)
{
    const struct event *const event = turn->event;
    const enum op now = ref->run->op;
    /* The undo covers whatever its action, or a probe of it, still says. */
    if (event->op != OP_COMPENSATE && now == OP_COMPENSATE) return VERDICT_LATE;
    if (event->op == OP_ACTION && now == OP_PROBE) return judge_asked(turn, ref);
    /* It was known without the probe, or is not to be known by it any more. */
    if (event->op == OP_PROBE && now == OP_ACTION) {
        return ref->run->attempts_aside > 0 ? VERDICT_LATE : VERDICT_ILLEGAL;
    }
    if (event->op != now || ref->run->attempt == 0) return VERDICT_ILLEGAL;
    if (now == OP_ACTION && step_only_waits(ref->step)) return VERDICT_ILLEGAL; /* never sent */
    reply_rule *const rule = REPLIES[ref->run->state][kind_of(event, ref->run)];
    return rule == NULL ? VERDICT_LATE : rule(turn, ref);
}

static const char *outcome_name(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_SUCCESS: return "success";
    case OUTCOME_FAILURE: return "failure";
    case OUTCOME_RETRY: return "retry";
    case OUTCOME_PROGRESS: return "progress";
    case OUTCOME_PENDING: return "pending";
    }
    abort();
}

/* The entry speaks of the reply's direction and attempt, not of where the run is now. */
static void record_ignored(struct turn *turn, const struct run_ref *ref,
                           const struct detail *detail)
{
    struct step_run said = {.op = turn->event->op, .attempt = turn->event->attempt};
    struct run_ref shown = *ref;
    shown.run = &said;
    record(turn, "reply.ignored", &shown, detail);
}

enum verdict take_reply(struct turn *turn)
{
    const struct event *const event = turn->event;
    struct run_ref ref;
    if (!find_run(turn, &ref)) return VERDICT_UNKNOWN;
    if (event->op == OP_PROBE && ref.step->probe == NULL) return VERDICT_UNKNOWN;
    const enum verdict verdict = judge(turn, &ref);
    if (verdict == VERDICT_APPLIED) return verdict;
    record_ignored(turn, &ref,
                   &(struct detail){.outcome = bytes_of(outcome_name(event->outcome)),
                                    .reason = bytes_of(verdict_name(verdict)),
                                    .code = event->code});
    return verdict;
}

enum verdict take_bad_reply(struct turn *turn)
{
    struct run_ref ref;
    if (!find_run(turn, &ref)) return VERDICT_UNKNOWN;
    if (turn->event->op == OP_PROBE && ref.step->probe == NULL) return VERDICT_UNKNOWN;
    const enum step_state state = ref.run->state;
    const bool open =
        ref.run->op == turn->event->op && !run_only_waits(&ref) &&
        (state == STEP_DISPATCHED || state == STEP_RETRYING || state == STEP_COMPENSATING);
    const bool first = open && !ref.run->bad_reply;
    record_ignored(turn, &ref,
                   &(struct detail){.reason = BYTES("malformed"), .text = turn->event->reason});
    if (!open) return VERDICT_LATE;
    ref.run->bad_reply = true;
    turn->changed = first;
    return first ? VERDICT_APPLIED : VERDICT_DUPLICATE;
}
