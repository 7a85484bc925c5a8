/*
 * api/saga_preview.c
 *   What a command would do: decided on a copy by the same rules, carried out by nobody.
 */
#include "api/preview.h"

#include "api/command_read.h"
#include "api/handlers.h"
#include "api/results.h"
#include "api/saga_read.h"
#include "api/server.h"
#include "orchestrator/base/clock.h"
#include "sagas/base/json_view.h"

struct preview {
    struct buffer body;
    struct bytes input; /* that a retry brings; absent: none */
    bool has_items;
};

static void open_item(struct preview *preview, const char *what)
{
    if (preview->has_items) buffer_add_char(&preview->body, ',');
    preview->has_items = true;
    buffer_add_format(&preview->body, "{\"do\":\"%s\"", what);
}

static void add_run(struct preview *preview, const struct step *step, int32_t index, enum op op)
{
    buffer_add_text(&preview->body, ",\"step\":");
    json_write_string(&preview->body, step->id);
    if (index == INDEX_NONE) {
        buffer_add_text(&preview->body, ",\"index\":null");
    } else {
        buffer_add_format(&preview->body, ",\"index\":%d", index);
    }
    buffer_add_format(&preview->body, ",\"op\":\"%s\"", op_name(op));
}

static void add_command(struct preview *preview, const struct command *command)
{
    open_item(preview, command->op == OP_COMPENSATE ? "undo" : "send");
    add_run(preview, command->step, command->index, command->op);
    buffer_add_format(&preview->body, ",\"attempt\":%u,\"topic\":", command->attempt);
    json_write_string(&preview->body, command->send->topic);
    if (preview->input.data != NULL) {
        buffer_add_text(&preview->body, ",\"input\":");
        buffer_add_bytes(&preview->body, preview->input);
    }
    buffer_add_char(&preview->body, '}');
}

static int32_t index_of(const struct step *step, const struct step_runs *runs, uint32_t i)
{
    return step->foreach != NULL && runs->expanded ? (int32_t)i : INDEX_NONE;
}

static bool is_skipped(enum step_state state)
{
    return state == STEP_SKIPPED || state == STEP_COMPENSATION_SKIPPED;
}

/* A step that was not skipped before and is now, and one whose answer is still awaited. */
static void add_change(struct preview *preview, const struct saga *before, const struct saga *after,
                       const struct step *step)
{
    const struct step_runs *const old = &before->steps[step->position];
    const struct step_runs *const new = &after->steps[step->position];
    for (uint32_t i = 0; i < new->count; i++) {
        const struct step_run *const run = &new->run[i];
        const bool was_skipped = i < old->count && is_skipped(old->run[i].state);
        const bool was_out = i < old->count && old->run[i].state == STEP_DISPATCHED;
        const bool waits = run->state == STEP_DISPATCHED && was_out;
        if (!waits && !(is_skipped(run->state) && !was_skipped)) continue;
        open_item(preview, waits ? "wait" : "skip");
        add_run(preview, step, index_of(step, new, i), run->op);
        buffer_add_char(&preview->body, '}');
    }
}

static void write_preview(struct preview *preview, const struct saga *before,
                          const struct saga *after, const struct decision *decision)
{
    buffer_add_text(&preview->body, "{\"would\":[");
    for (size_t i = 0; i < decision->command_count; i++) {
        add_command(preview, &decision->commands[i]);
    }
    for (int i = 0; i < after->definition->step_count; i++) {
        add_change(preview, before, after, &after->definition->steps[i]);
    }
    if (saga_is_finished(after->state)) {
        open_item(preview, "end");
        buffer_add_format(&preview->body, ",\"state\":\"%s\"}", saga_state_name(after->state));
    } else if (!preview->has_items) {
        open_item(preview, "wait");
        buffer_add_char(&preview->body, '}');
    }
    buffer_add_format(&preview->body, "],\"state\":\"%s\"}", saga_state_name(after->state));
}

struct bytes preview_text(const struct saga *before, const struct saga *after,
                          const struct decision *decision, struct arena *arena)
{
    struct preview preview = {.body = buffer_in(arena)};
    write_preview(&preview, before, after, decision);
    return buffer_bytes(&preview.body);
}

/* As the command itself would: every fault of the payload and its place. */
static bool breaks_schema(struct exchange *exchange, const struct event *event,
                          const struct saga *saga)
{
    struct schema_report report;
    if (event->kind != EVENT_SIGNAL || !saga_takes_signals(saga)) return false;
    if (saga_signal_fits(saga->definition, event->name, event->payload, &exchange->arena,
                         &report)) {
        return false;
    }
    result_refuse_value(&exchange->refusal, "/payload", &report);
    return true;
}

static enum handled refuse_preview(struct exchange *exchange, const struct event *event,
                                   const struct saga *saga, const struct decision *decision)
{
    const enum event_kind kind = event->kind;
    if (decision->verdict == VERDICT_UNKNOWN && kind == EVENT_SIGNAL) {
        result_unknown_signal(&exchange->refusal, saga->definition);
        return exchange_refused(exchange);
    }
    if (decision->verdict == VERDICT_UNKNOWN) {
        return exchange_problem(exchange, PROBLEM_STEP_NOT_FOUND, "the step has no such item");
    }
    if (breaks_schema(exchange, event, saga)) return exchange_refused(exchange);
    return exchange_problem(exchange, result_conflict(kind, saga), "%s", decision->why);
}

static enum handled preview_on(struct exchange *exchange, struct command_request *command,
                               const struct saga *before, struct saga *after)
{
    struct preview preview = {.body = buffer_in(&exchange->arena)};
    struct decision decision;
    uint64_t random = 0;
    struct decide_context context = {
        .now_ms = clock_wall_ms(), .random = &random, .arena = &exchange->arena};
    if (command->step_id.data != NULL) {
        command->event.step = definition_find_step(after->definition, command->step_id);
        if (command->event.step < 0) {
            return exchange_problem(exchange, PROBLEM_STEP_NOT_FOUND, "the saga has no such step");
        }
    }
    if (command->has_if_match && command->if_match != after->revision) {
        return exchange_problem(exchange, PROBLEM_STALE, "the current ETag is \"%u\"",
                                after->revision);
    }
    saga_decide(after, &command->event, &context, &decision);
    const bool is_known =
        command->event.kind == EVENT_SIGNAL && decision.verdict == VERDICT_DUPLICATE;
    if (decision.verdict != VERDICT_APPLIED && decision.verdict != VERDICT_NOTHING && !is_known) {
        return refuse_preview(exchange, &command->event, before, &decision);
    }
    if (command->event.kind == EVENT_STEP_RETRY) preview.input = command->event.payload;
    write_preview(&preview, before, after, &decision);
    exchange_set_header_format(exchange, "ETag", "\"%u\"", before->revision);
    return exchange_json(exchange, 200, buffer_bytes(&preview.body));
}

enum handled saga_preview(struct exchange *exchange, struct store *store)
{
    struct command_request command;
    struct saga_row row = {0};
    struct saga *before = NULL;
    struct saga *after = NULL;
    struct err err;
    if (!command_read(exchange, &command)) return exchange_refused(exchange);
    if (!store_load(store, &command.saga_id, 1, &exchange->arena, &row, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    }
    if (!row.found) {
        return exchange_problem(exchange, PROBLEM_SAGA_NOT_FOUND, "no saga has this id");
    }
    /* Twice from one row: what is decided on is a copy. */
    if (!saga_of_row(exchange, store, &row, &before, &err) ||
        !saga_of_row(exchange, store, &row, &after, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    }
    return preview_on(exchange, &command, before, after);
}
