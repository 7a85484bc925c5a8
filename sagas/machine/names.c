#include "sagas/machine/machine.h"

#include <stdlib.h>

const char *saga_state_name(enum saga_state state)
{
    switch (state) {
    case SAGA_PENDING: return "pending";
    case SAGA_RUNNING: return "running";
    case SAGA_COMPENSATING: return "compensating";
    case SAGA_SUCCEEDED: return "succeeded";
    case SAGA_COMPENSATED: return "compensated";
    case SAGA_STUCK: return "stuck";
    case SAGA_TERMINATED: return "terminated";
    case SAGA_STATE_COUNT: break;
    }
    abort();
}

const char *step_state_name(enum step_state state)
{
    switch (state) {
    case STEP_WAITING: return "waiting";
    case STEP_READY: return "ready";
    case STEP_DISPATCHED: return "dispatched";
    case STEP_RETRYING: return "retrying";
    case STEP_SUCCEEDED: return "succeeded";
    case STEP_FAILED: return "failed";
    case STEP_UNKNOWN: return "unknown";
    case STEP_SKIPPED: return "skipped";
    case STEP_COMPENSATING: return "compensating";
    case STEP_COMPENSATED: return "compensated";
    case STEP_COMPENSATION_FAILED: return "compensation_failed";
    case STEP_COMPENSATION_SKIPPED: return "compensation_skipped";
    case STEP_STATE_COUNT: break;
    }
    abort();
}

const char *lock_state_name(enum lock_state lock)
{
    switch (lock) {
    case LOCK_NONE: return "none";
    case LOCK_AWAITED: return "waiting";
    case LOCK_HELD: return "held";
    case LOCK_STATE_COUNT: break;
    }
    abort();
}

const char *op_name(enum op op)
{
    switch (op) {
    case OP_ACTION: return "action";
    case OP_COMPENSATE: return "compensate";
    case OP_PROBE: return "probe";
    }
    abort();
}

static const char *attention_name(enum attention attention)
{
    switch (attention) {
    case ATTENTION_RETRYING: return "retrying";
    case ATTENTION_NO_HANDLER: return "no_handler";
    case ATTENTION_OVERDUE: return "overdue";
    case ATTENTION_STUCK: return "stuck";
    case ATTENTION_PAUSED: return "paused";
    case ATTENTION_BAD_REPLY: return "bad_reply";
    case ATTENTION_HELD: return "held";
    }
    abort();
}

const char *event_kind_name(enum event_kind kind)
{
    switch (kind) {
    case EVENT_START: return "start";
    case EVENT_TIMER: return "timer";
    case EVENT_REPLY: return "reply";
    case EVENT_BAD_REPLY: return "bad_reply";
    case EVENT_RESEND: return "resend";
    case EVENT_SIGNAL: return "signal";
    case EVENT_MIGRATE: return "migrate";
    case EVENT_GRANTED: return "granted";
    case EVENT_CANCEL: return "cancel";
    case EVENT_PAUSE: return "pause";
    case EVENT_RESUME: return "resume";
    case EVENT_RETRY:
    case EVENT_STEP_RETRY: return "retry";
    case EVENT_TERMINATE: return "terminate";
    case EVENT_STEP_SKIP: return "skip";
    case EVENT_STEP_COMPLETE: return "complete";
    case EVENT_STEP_FAIL: return "fail";
    case EVENT_KIND_COUNT: break;
    }
    abort();
}

const char *verdict_name(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_APPLIED: return "applied";
    case VERDICT_DUPLICATE: return "duplicate";
    case VERDICT_LATE: return "late";
    case VERDICT_ILLEGAL: return "illegal";
    case VERDICT_NOTHING: return "nothing";
    case VERDICT_UNKNOWN: return "unknown";
    }
    abort();
}

bool outcome_parse(struct bytes name, enum outcome *ret_outcome)
{
    static const char *const NAMES[] = {
        [OUTCOME_SUCCESS] = "success",   [OUTCOME_FAILURE] = "failure", [OUTCOME_RETRY] = "retry",
        [OUTCOME_PROGRESS] = "progress", [OUTCOME_PENDING] = "pending",
    };
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (!bytes_equal_text(name, NAMES[i])) continue;
        *ret_outcome = (enum outcome)i;
        return true;
    }
    return false;
}

bool saga_state_parse(struct bytes name, enum saga_state *ret_state)
{
    for (enum saga_state state = SAGA_PENDING; state < SAGA_STATE_COUNT; state++) {
        if (!bytes_equal_text(name, saga_state_name(state))) continue;
        *ret_state = state;
        return true;
    }
    return false;
}

bool attention_parse(struct bytes name, enum attention *ret_attention)
{
    for (unsigned bit = ATTENTION_RETRYING; bit <= ATTENTION_HELD; bit <<= 1) {
        if (!bytes_equal_text(name, attention_name((enum attention)bit))) continue;
        *ret_attention = (enum attention)bit;
        return true;
    }
    return false;
}

void attention_write(struct buffer *buffer, uint32_t attention)
{
    const char *separator = "";
    buffer_add_char(buffer, '[');
    for (unsigned bit = ATTENTION_RETRYING; bit <= ATTENTION_HELD; bit <<= 1) {
        if ((attention & bit) == 0) continue;
        buffer_add_text(buffer, separator);
        json_write_text(buffer, attention_name((enum attention)bit));
        separator = ",";
    }
    buffer_add_char(buffer, ']');
}
