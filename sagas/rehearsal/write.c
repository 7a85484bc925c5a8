#include "sagas/rehearsal/rehearsal.h"

#include <stdlib.h>

static const char *const FAULT_NAMES[] = {
    [FAULT_REFUSAL] = "refuses",
    [FAULT_NO_EFFECT] = "no_effect",
    [FAULT_NO_ANSWER] = "no_answer",
};
enum { FAULT_KIND_COUNT = sizeof(FAULT_NAMES) / sizeof(FAULT_NAMES[0]) };

const char *fault_kind_name(enum fault_kind kind)
{
    return FAULT_NAMES[kind];
}

bool fault_kind_parse(struct bytes name, enum fault_kind *ret_kind)
{
    for (size_t i = 0; i < FAULT_KIND_COUNT; i++) {
        if (!bytes_equal_text(name, FAULT_NAMES[i])) continue;
        *ret_kind = (enum fault_kind)i;
        return true;
    }
    return false;
}

const char *rehearsal_end_name(const struct rehearsal_run *run)
{
    switch (run->end) {
    case REHEARSAL_ENDED: return saga_state_name(run->state);
    case REHEARSAL_STUCK: return "stuck";
    case REHEARSAL_WAITS: return "waits";
    case REHEARSAL_GOES_ON: return "goes_on";
    }
    abort();
}

static void add_place(struct buffer *json, const struct definition *definition, int step,
                      enum op op)
{
    buffer_add_text(json, "{\"step\":");
    json_write_string(json, definition->steps[step].id);
    buffer_add_format(json, ",\"op\":\"%s\"", op_name(op));
}

/* null: a signal */
static void add_topic(struct buffer *json, const struct step *step, enum op op)
{
    struct bytes topic = step->action.topic;
    if (op == OP_COMPENSATE) topic = step->compensation.topic;
    if (op == OP_PROBE) topic = step->probe->topic;
    if (topic.data == NULL) {
        buffer_add_text(json, "null");
    } else {
        json_write_string(json, topic);
    }
}

static void add_call(struct buffer *json, const struct definition *definition,
                     const struct rehearsal_call *call)
{
    add_place(json, definition, call->step, call->op);
    if (call->index == INDEX_NONE) {
        buffer_add_text(json, ",\"index\":null");
    } else {
        buffer_add_format(json, ",\"index\":%d", call->index);
    }
    buffer_add_format(json, ",\"attempts\":%u,\"answer\":\"%s\",\"topic\":", call->attempts,
                      call->answer);
    add_topic(json, &definition->steps[call->step], call->op);
    buffer_add_char(json, '}');
}

static void add_error(struct buffer *json, const struct rehearsal_run *run)
{
    if (run->error_code[0] == '\0') {
        buffer_add_text(json, "null");
        return;
    }
    buffer_add_text(json, "{\"code\":");
    json_write_text(json, run->error_code);
    buffer_add_text(json, ",\"detail\":");
    if (run->error_detail.data == NULL) {
        buffer_add_text(json, "null");
    } else {
        json_write_string(json, run->error_detail);
    }
    buffer_add_text(json, ",\"step\":");
    if (run->error_step.data == NULL) {
        buffer_add_text(json, "null");
    } else {
        json_write_string(json, run->error_step);
    }
    buffer_add_char(json, '}');
}

static void add_run(struct buffer *json, const struct definition *definition,
                    const struct rehearsal_run *run)
{
    buffer_add_text(json, "{\"faults\":[");
    for (size_t i = 0; i < run->fault_count; i++) {
        const struct rehearsal_fault *const fault = &run->faults[i];
        if (i > 0) buffer_add_char(json, ',');
        add_place(json, definition, fault->step, fault->op);
        buffer_add_format(json, ",\"how\":\"%s\"}", fault_kind_name(fault->kind));
    }
    buffer_add_text(json, "],\"calls\":[");
    for (size_t i = 0; i < run->call_count; i++) {
        if (i > 0) buffer_add_char(json, ',');
        add_call(json, definition, &run->calls[i]);
    }
    buffer_add_format(json, "],\"end\":\"%s\",\"error\":", rehearsal_end_name(run));
    add_error(json, run);
    buffer_add_text(json, ",\"problem\":");
    if (run->problem.data == NULL) {
        buffer_add_text(json, "null");
    } else {
        json_write_string(json, run->problem);
    }
    buffer_add_char(json, '}');
}

static void add_ends(struct buffer *json, const struct rehearsal *rehearsal)
{
    static const char *const ENDS[] = {"succeeded", "compensated", "stuck", "waits", "goes_on"};
    const char *separator = "";
    buffer_add_char(json, '{');
    for (size_t k = 0; k < sizeof(ENDS) / sizeof(ENDS[0]); k++) {
        size_t count = 0;
        for (size_t i = 0; i < rehearsal->run_count; i++) {
            const char *const end = rehearsal_end_name(&rehearsal->runs[i]);
            if (bytes_equal_text(bytes_of(end), ENDS[k])) count++;
        }
        if (count == 0) continue;
        buffer_add_format(json, "%s\"%s\":%zu", separator, ENDS[k], count);
        separator = ",";
    }
    buffer_add_char(json, '}');
}

void rehearsal_write(const struct definition *definition, const struct rehearsal *rehearsal,
                     struct buffer *json)
{
    buffer_add_text(json, "{\"runs\":[");
    for (size_t i = 0; i < rehearsal->run_count; i++) {
        if (i > 0) buffer_add_char(json, ',');
        add_run(json, definition, &rehearsal->runs[i]);
    }
    buffer_add_text(json, "],\"ends\":");
    add_ends(json, rehearsal);
    buffer_add_format(json, ",\"problems\":%zu,\"truncated\":%s}", rehearsal->problem_count,
                      rehearsal->truncated ? "true" : "false");
}
