#include "sagas/machine/turn.h"

#include <assert.h>
#include <stdio.h>

/* ---- one object at a time; members that are absent leave no trace ---- */

static void begin_member(struct buffer *buffer, const char *name)
{
    if (buffer->data[buffer->size - 1] != '{') buffer_add_char(buffer, ',');
    buffer_add_char(buffer, '"');
    buffer_add_text(buffer, name);
    buffer_add_text(buffer, "\":");
}

static void add_text(struct buffer *buffer, const char *name, struct bytes text)
{
    if (text.data == NULL) return;
    begin_member(buffer, name);
    json_write_string(buffer, text);
}

static void add_json(struct buffer *buffer, const char *name, struct bytes json)
{
    if (json.data == NULL) return;
    begin_member(buffer, name);
    buffer_add_bytes(buffer, json);
}

static void add_int(struct buffer *buffer, const char *name, bool present, int64_t value)
{
    if (!present) return;
    begin_member(buffer, name);
    json_write_int(buffer, value);
}

static void add_true(struct buffer *buffer, const char *name, bool value)
{
    if (!value) return;
    begin_member(buffer, name);
    buffer_add_text(buffer, "true");
}

static void add_time(struct buffer *buffer, const char *name, int64_t at_ms)
{
    if (at_ms == 0) return;
    begin_member(buffer, name);
    json_write_time(buffer, at_ms);
}

static void add_detail(struct buffer *buffer, const struct detail *detail)
{
    const size_t before = buffer->size;
    begin_member(buffer, "detail");
    buffer_add_char(buffer, '{');
    const size_t empty = buffer->size;
    add_text(buffer, "verb", detail->verb);
    add_text(buffer, "outcome", detail->outcome);
    add_text(buffer, "reason", detail->reason);
    add_text(buffer, "code", detail->code);
    add_text(buffer, "detail", detail->text);
    add_json(buffer, "progress", detail->progress);
    add_text(buffer, "message", detail->message);
    add_text(buffer, "state", bytes_of(detail->state));
    add_true(buffer, "paused", detail->paused);
    add_true(buffer, "again", detail->again);
    add_true(buffer, "stated", detail->stated);
    add_int(buffer, "items", detail->counts_items, detail->items);
    add_int(buffer, "delay_ms", detail->delay_ms > 0, (int64_t)detail->delay_ms);
    add_time(buffer, "next_attempt_at", detail->next_attempt_at_ms);
    add_time(buffer, "deadline_at", detail->deadline_at_ms);
    add_time(buffer, "start_at", detail->start_at_ms);
    buffer_add_char(buffer, '}');
    if (buffer->size > empty + 1) return;
    buffer->size = before;
    buffer->data[before] = '\0';
}

/* ---- entries ---- */

static void add_run(struct buffer *buffer, const struct run_ref *ref)
{
    add_text(buffer, "step", ref->step->id);
    add_int(buffer, "index", ref->index != INDEX_NONE, ref->index);
    if (ref->run == NULL) return;
    add_text(buffer, "op", bytes_of(op_name(ref->run->op)));
    add_int(buffer, "attempt", ref->run->attempt > 0, ref->run->attempt);
}

void record(struct turn *turn, const char *type, const struct run_ref *ref,
            const struct detail *detail)
{
    struct buffer *const buffer = &turn->history;
    buffer_add_char(buffer, turn->decision->history_count == 0 ? '[' : ',');
    buffer_add_char(buffer, '{');
    add_text(buffer, "type", bytes_of(type));
    if (ref != NULL) add_run(buffer, ref);
    if (ref == NULL || detail->verb.data != NULL) add_text(buffer, "actor", turn->event->actor);
    add_detail(buffer, detail);
    buffer_add_char(buffer, '}');
    turn->decision->history_count++;
}

struct detail detail_of_error(const struct saga_error *error)
{
    return (struct detail){.code = bytes_of(error->code), .text = error->detail};
}

void close_history(struct turn *turn)
{
    struct decision *const decision = turn->decision;
    if (decision->history_count == 0) {
        assert(!turn->changed);
        return;
    }
    buffer_add_char(&turn->history, ']');
    decision->history = buffer_bytes(&turn->history);
    turn->saga->history_seq += decision->history_count;
}
