#include "api/render.h"

#include "api/redact.h"
#include "orchestrator/store/lock.h"
#include "sagas/base/json_view.h"

#include <string.h>

static void add_bool(struct buffer *buffer, bool value)
{
    buffer_add_text(buffer, value ? "true" : "false");
}

static void add_object(struct buffer *buffer, struct bytes object)
{
    buffer_add_bytes(buffer, object.data == NULL ? BYTES("{}") : object);
}

static void add_time(struct buffer *buffer, const char *name, int64_t at_ms)
{
    buffer_add_format(buffer, ",\"%s\":", name);
    json_write_time(buffer, at_ms);
}

static void add_string(struct buffer *buffer, const char *name, struct bytes text)
{
    buffer_add_format(buffer, ",\"%s\":", name);
    if (text.data == NULL) {
        buffer_add_text(buffer, "null");
    } else {
        json_write_string(buffer, text);
    }
}

static void add_saga_error(struct buffer *buffer, const struct saga *saga)
{
    if (saga->error.code[0] == '\0') {
        buffer_add_text(buffer, ",\"error\":null");
        return;
    }
    buffer_add_text(buffer, ",\"error\":{\"code\":");
    json_write_text(buffer, saga->error.code);
    add_string(buffer, "detail", saga->error.detail);
    add_string(buffer, "step", saga->error_step);
    buffer_add_format(buffer, ",\"op\":\"%s\"}", op_name(saga->error_op));
}

static void add_head(struct buffer *buffer, const struct saga *saga, const char *namespace_name)
{
    char id[UUID_TEXT_SIZE];
    uuid_print(&saga->id, id);
    buffer_add_format(buffer, "{\"id\":\"%s\",\"namespace\":", id);
    json_write_text(buffer, namespace_name);
    buffer_add_text(buffer, ",\"definition\":{\"name\":");
    json_write_string(buffer, saga->definition->name);
    buffer_add_format(buffer,
                      ",\"version\":%u},\"state\":\"%s\",\"paused\":", saga->definition->version,
                      saga_state_name(saga->state));
    add_bool(buffer, saga->paused);
    buffer_add_text(buffer, ",\"cancel_requested\":");
    add_bool(buffer, saga->cancel_requested);
    buffer_add_text(buffer, ",\"attention\":");
    attention_write(buffer, saga->attention);
    buffer_add_text(buffer, ",\"labels\":");
    add_object(buffer, saga->labels);
    buffer_add_text(buffer, ",\"attributes\":");
    add_object(buffer, saga->attributes);
}

static void add_fork(struct buffer *buffer, const struct saga *saga)
{
    char id[UUID_TEXT_SIZE];
    uuid_print(&saga->forked_from, id);
    buffer_add_format(buffer, ",\"forked_from\":{\"id\":\"%s\"", id);
    add_string(buffer, "step", saga->fork_step);
    buffer_add_char(buffer, '}');
}

/* Only of sagas whose definition says `concurrency`, while they stand in line or hold it. */
static void add_lock(struct buffer *buffer, const struct saga *saga)
{
    const bool only_one = saga->lock_key.size == 0;
    if (saga->lock == LOCK_NONE) return;
    buffer_add_format(buffer, ",\"lock\":{\"state\":\"%s\"", lock_state_name(saga->lock));
    add_string(buffer, "key", only_one ? (struct bytes){0} : saga->lock_key);
    buffer_add_char(buffer, '}');
}

static void add_tail(struct buffer *buffer, const struct saga *saga)
{
    if (saga->forked) add_fork(buffer, saga);
    buffer_add_format(buffer, ",\"revision\":%u", saga->revision);
    add_lock(buffer, saga);
    add_saga_error(buffer, saga);
    add_time(buffer, "created_at", saga->created_at_ms);
    add_time(buffer, "start_at", saga->start_at_ms);
    add_time(buffer, "started_at", saga->started_at_ms);
    add_time(buffer, "updated_at", saga->updated_at_ms);
    add_time(buffer, "finished_at", saga->finished_at_ms);
    add_time(buffer, "deadline_at", saga->deadline_at_ms);
    buffer_add_char(buffer, '}');
}

void render_saga(struct buffer *buffer, const struct saga *saga, const char *namespace_name)
{
    enum { USUAL_SIZE = 1000 }; /* of what is neither input nor output */
    buffer_expect(buffer, saga->input.size + saga->output.size + USUAL_SIZE);
    add_head(buffer, saga, namespace_name);
    buffer_add_text(buffer, ",\"input\":");
    redact_write(buffer, saga->definition, BYTES("/input"), saga->input);
    buffer_add_text(buffer, ",\"output\":");
    redact_write(buffer, saga->definition, BYTES("/output"), saga->output);
    add_tail(buffer, saga);
}

void render_saga_item(struct buffer *buffer, const struct saga *saga, const char *namespace_name)
{
    add_head(buffer, saga, namespace_name);
    add_tail(buffer, saga);
}

static const char *kind_name(enum step_kind kind)
{
    switch (kind) {
    case STEP_ACTION: return "action";
    case STEP_CHILD: return "saga";
    case STEP_SIGNAL: return "signal";
    case STEP_DELAY: return "delay";
    }
    return "action";
}

static void add_error(struct buffer *buffer, const char *name, const struct saga_error *error)
{
    buffer_add_format(buffer, ",\"%s\":", name);
    if (error == NULL || error->code[0] == '\0') {
        buffer_add_text(buffer, "null");
        return;
    }
    buffer_add_text(buffer, "{\"code\":");
    json_write_text(buffer, error->code);
    add_string(buffer, "detail", error->detail);
    buffer_add_char(buffer, '}');
}

static void add_index(struct buffer *buffer, int32_t index)
{
    buffer_add_text(buffer, ",\"index\":");
    if (index < 0) {
        buffer_add_text(buffer, "null");
    } else {
        json_write_int(buffer, index);
    }
}

/* Amounts are texts: a reader's double would not be exact. */
static void add_effect(struct buffer *buffer, const struct step_effect *effect,
                       const struct run_effect *known)
{
    buffer_add_text(buffer, ",\"effect\":{\"kind\":");
    json_write_string(buffer, effect->kind);
    add_string(buffer, "amount", known == NULL ? (struct bytes){0} : known->amount);
    add_string(buffer, "currency", known == NULL ? (struct bytes){0} : known->currency);
    buffer_add_char(buffer, '}');
}

static void add_run(struct buffer *buffer, const struct saga *saga, const struct step *step,
                    const struct step_run *run, int32_t index)
{
    struct buffer root = buffer_in(buffer->arena);
    buffer_add_text(&root, "/steps");
    json_pointer_add(&root, step->id);
    buffer_add_text(&root, "/output");
    const struct bytes place = buffer_bytes(&root);

    buffer_add_text(buffer, "{\"id\":");
    json_write_string(buffer, step->id);
    add_index(buffer, index);
    buffer_add_format(buffer, ",\"kind\":\"%s\",\"state\":\"%s\",\"op\":\"%s\",\"attempt\":%u",
                      kind_name(step->kind), step_state_name(run->state), op_name(run->op),
                      run->attempt);
    buffer_add_text(buffer, ",\"output\":");
    redact_write_item(buffer, saga->definition, place, index, run->output);
    add_error(buffer, "error", &run->error);
    add_time(buffer, "started_at", run->started_at_ms);
    add_time(buffer, "finished_at", run->finished_at_ms);
    add_time(buffer, "next_attempt_at", run->next_attempt_at_ms);
    add_time(buffer, "deadline_at", run->deadline_at_ms);
    if (step->effect != NULL) add_effect(buffer, step->effect, run->effect);
    buffer_add_char(buffer, '}');
}

/* A foreach over nothing is done without a command. */
static const struct step_run OF_NOTHING = {
    .state = STEP_SUCCEEDED, .op = OP_ACTION, .output = {"[]", 2}
};

static void add_step(struct buffer *buffer, const struct saga *saga, const struct step *step)
{
    const struct step_runs *const runs = &saga->steps[step->position];
    const bool has_items = step->foreach != NULL && runs->expanded && runs->count > 0;
    if (!has_items) {
        const bool is_empty = runs->count == 0;
        add_run(buffer, saga, step, is_empty ? &OF_NOTHING : &runs->run[0], INDEX_NONE);
        return;
    }
    for (uint32_t i = 0; i < runs->count; i++) {
        if (i > 0) buffer_add_char(buffer, ',');
        add_run(buffer, saga, step, &runs->run[i], (int32_t)i);
    }
}

void render_step_list(struct buffer *buffer, const struct saga *saga, int only)
{
    buffer_add_char(buffer, '[');
    for (int i = 0; i < saga->definition->step_count; i++) {
        if (only >= 0 && i != only) continue;
        if (i > 0 && only < 0) buffer_add_char(buffer, ',');
        add_step(buffer, saga, &saga->definition->steps[i]);
    }
    buffer_add_char(buffer, ']');
}

void render_steps(struct buffer *buffer, const struct saga *saga, int only)
{
    buffer_add_text(buffer, "{\"items\":");
    render_step_list(buffer, saga, only);
    buffer_add_char(buffer, '}');
}

static void add_number_or_null(struct buffer *buffer, const char *name, int64_t number)
{
    buffer_add_format(buffer, ",\"%s\":", name);
    if (number < 0) {
        buffer_add_text(buffer, "null");
    } else {
        json_write_int(buffer, number);
    }
}

void render_ids(struct buffer *buffer, struct bytes ids)
{
    buffer_add_char(buffer, '[');
    for (size_t at = 0; at + sizeof(struct uuid) <= ids.size; at += sizeof(struct uuid)) {
        struct uuid id;
        char text[UUID_TEXT_SIZE];
        memcpy(&id, ids.data + at, sizeof(id));
        uuid_print(&id, text);
        buffer_add_format(buffer, "%s\"%s\"", at > 0 ? "," : "", text);
    }
    buffer_add_char(buffer, ']');
}

static void add_line(struct buffer *buffer, const struct lock_place *line)
{
    if (line == NULL) return;
    add_number_or_null(buffer, "place", line->place > 0 ? line->place : -1);
    add_number_or_null(buffer, "limit", line->places);
    add_number_or_null(buffer, "held", line->held);
    buffer_add_text(buffer, ",\"holders\":");
    render_ids(buffer, line->holders);
}

void render_why(struct buffer *buffer, const struct saga *saga, const struct why *why,
                const struct why_more *more)
{
    char id[UUID_TEXT_SIZE];
    const struct step *const step = why->step < 0 ? NULL : &saga->definition->steps[why->step];
    uuid_print(&saga->id, id);
    buffer_add_format(buffer, "{\"saga\":\"%s\",\"state\":\"%s\",\"sentence\":", id,
                      saga_state_name(saga->state));
    json_write_string(buffer, why->sentence);
    add_time(buffer, "since", why->since_ms);
    buffer_add_format(buffer, ",\"waiting_for\":{\"kind\":\"%s\"", why->kind);
    add_string(buffer, "step", step == NULL ? (struct bytes){0} : step->id);
    add_index(buffer, step == NULL ? INDEX_NONE : why->index);
    add_string(buffer, "op", step == NULL ? (struct bytes){0} : bytes_of(op_name(why->op)));
    add_number_or_null(buffer, "attempt", step == NULL ? -1 : (int64_t)why->attempt);
    add_string(buffer, "topic", why->topic);
    add_number_or_null(buffer, "partition", more->partition);
    add_string(buffer, "key", why->key);
    add_time(buffer, "command_sent_at", why->command_sent_at_ms);
    add_time(buffer, "next_attempt_at", why->next_attempt_at_ms);
    add_time(buffer, "deadline_at", why->deadline_at_ms);
    add_string(buffer, "signal", why->signal);
    add_number_or_null(buffer, "group_lag", more->group_lag);
    add_error(buffer, "last_error", why->last_error);
    add_string(buffer, "by", why->by);
    add_line(buffer, more->line);
    buffer_add_text(buffer, "}}");
}
