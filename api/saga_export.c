/*
 * api/saga_export.c
 *   GET /v1/sagas/{id}/export: one saga with all that is known of it, in one document.
 *
 * What `redact` points at is masked here as everywhere. Of payloads that no pointer can speak of
 * (what a refusal said, the input that an operator gave to a retry) nothing is shown where the
 * definition masks anything at all.
 */
#include "api/handlers.h"
#include "api/redact.h"
#include "api/render.h"
#include "api/saga_read.h"
#include "api/server.h"
#include "orchestrator/base/clock.h"
#include "orchestrator/engine/history_item.h"

#include <assert.h>

enum {
    EXPORT_SIZE_MAX = 64 * 1024 * 1024,
    PAGE_ROWS = 200,
    EARLIER_MAX = 100,
};

static const char FORMAT[] = "sagad.export/1";

/* ---- payloads of events ---- */

static bool is(const struct json_view *entry, const char *name, const char *text)
{
    const struct json_view *const member = json_view_member(entry, name);
    return member != NULL && member->type == VIEW_STRING && bytes_equal_text(member->string, text);
}

static bool is_verb(const struct json_view *entry, const char *verb)
{
    const struct json_view *const detail = json_view_member(entry, "detail");
    return detail != NULL && is(detail, "verb", verb);
}

/* The entry of the step whose output the event's payload is; NULL: it is something else. */
static const struct json_view *find_taker(const struct json_view *entries)
{
    for (const struct json_view *entry = entries->child; entry != NULL; entry = entry->next) {
        if (is(entry, "type", "operator.command") && !is_verb(entry, "retry")) continue;
        if (is(entry, "type", "step.signal_received")) continue;
        const bool ends = is(entry, "type", "step.succeeded") || is(entry, "type", "step.skipped");
        return ends && is(entry, "op", "action") ? entry : NULL;
    }
    return NULL;
}

static void add_output_of(struct buffer *body, const struct definition *definition,
                          const struct json_view *entry, struct bytes payload)
{
    struct buffer root = buffer_in(body->arena);
    int64_t index = INDEX_NONE;
    const struct json_view *const number = json_view_member(entry, "index");
    if (number == NULL || !json_view_int64(number, &index)) index = INDEX_NONE;
    buffer_add_text(&root, "/steps");
    json_pointer_add(&root, json_view_member(entry, "step")->string);
    buffer_add_text(&root, "/output");
    redact_write_item(body, definition, buffer_bytes(&root), (int32_t)index, payload);
}

static void add_payload(struct buffer *body, const struct definition *definition,
                        const struct json_view *entries, struct bytes payload)
{
    const struct json_view *const taker = find_taker(entries);
    buffer_add_text(body, ",\"payload\":");
    if (taker != NULL) {
        add_output_of(body, definition, taker, payload);
    } else if (definition->redact_count > 0) {
        buffer_add_text(body, REDACTED);
    } else {
        buffer_add_bytes(body, payload);
    }
}

/* ---- history ---- */

struct export
{
    struct exchange *exchange;
    struct buffer body;
    const struct saga *saga;
    uint32_t seq;                  /* of the last entry so far */
    uint32_t earlier[EARLIER_MAX]; /* versions that it was migrated from, the first one first */
    size_t earlier_count;
};

/* A version that it had before is told once, where it had it first. */
static void note_earlier(struct export *export, const struct json_view *entry)
{
    const struct json_view *const detail = json_view_member(entry, "detail");
    const struct json_view *const before =
        detail == NULL ? NULL : json_view_member(detail, "version_before");
    int64_t version = 0;
    if (before == NULL || !json_view_int64(before, &version)) return;
    for (size_t i = 0; i < export->earlier_count; i++) {
        if (export->earlier[i] == version) return;
    }
    if (export->earlier_count == EARLIER_MAX) return;
    export->earlier[export->earlier_count++] = (uint32_t)version;
}

static void add_entries(struct export *export, const struct history_row *row,
                        const struct json_view *entries)
{
    struct buffer *const body = &export->body;
    const struct definition *const definition = export->saga->definition;
    uint32_t seq = row->seq;
    for (const struct json_view *entry = entries->child; entry != NULL; entry = entry->next) {
        if (seq > 1) buffer_add_char(body, ',');
        history_item(body, row, seq, entry);
        if (seq == row->seq && row->payload.data != NULL) {
            add_payload(body, definition, entries, row->payload);
        }
        if (is(entry, "type", "saga.succeeded") && row->output.data != NULL) {
            buffer_add_text(body, ",\"output\":");
            redact_write(body, definition, BYTES("/output"), row->output);
        }
        buffer_add_char(body, '}');
        if (is(entry, "type", "saga.migrated")) note_earlier(export, entry);
        export->seq = seq++;
    }
}

/* Later rows than the saga that was read are of a later state. */
static bool add_page(struct export *export, const struct history_row *rows, size_t count,
                     struct arena *arena, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct json_view *entries = NULL;
        if (rows[i].seq > export->saga->history_seq) break;
        if (!history_entries(&rows[i], arena, &entries, err)) return false;
        assert(entries != NULL);
        add_entries(export, &rows[i], entries);
    }
    return true;
}

/* False with *ret_large: it would not fit. */
static bool add_history(struct export *export, struct store *store, bool *ret_large,
                        struct err *err)
{
    struct arena arena = {0};
    bool right = true;
    *ret_large = false;
    buffer_add_text(&export->body, ",\"history\":[");
    while (right && !*ret_large && export->seq < export->saga->history_seq) {
        struct history_row *rows = NULL;
        size_t count = 0;
        right = store_history(store, &export->saga->id, export->seq, PAGE_ROWS, &arena, &rows,
                              &count, err) &&
                (count > 0 || err_set(err, ERR_INTERNAL, "history ends at %u", export->seq)) &&
                add_page(export, rows, count, &arena, err);
        *ret_large = export->body.size > EXPORT_SIZE_MAX;
        arena_reset(&arena);
    }
    buffer_add_char(&export->body, ']');
    arena_done(&arena);
    return right && !*ret_large;
}

/* ---- the rest ---- */

/* As the body of the start would be. */
static void add_start(struct buffer *body, const struct saga *saga)
{
    const struct definition *const definition = saga->definition;
    buffer_add_text(body, ",\"start\":{\"definition\":");
    if (definition->version == 0) {
        buffer_add_text(body, "{\"inline\":");
        buffer_add_bytes(body, definition->source);
        buffer_add_char(body, '}');
    } else {
        buffer_add_text(body, "{\"name\":");
        json_write_string(body, definition->name);
        buffer_add_format(body, ",\"version\":%u}", definition->version);
    }
    buffer_add_text(body, ",\"input\":");
    redact_write(body, definition, BYTES("/input"), saga->input);
    buffer_add_text(body, ",\"labels\":");
    buffer_add_bytes(body, saga->labels.data == NULL ? BYTES("{}") : saga->labels);
    if (saga->start_at_ms != 0) {
        buffer_add_text(body, ",\"start_at\":");
        json_write_time(body, saga->start_at_ms);
    }
    buffer_add_char(body, '}');
}

static void add_saga(struct export *export, const struct definition_row *row)
{
    struct buffer *const body = &export->body;
    buffer_add_text(body, "{\"format\":");
    json_write_text(body, FORMAT);
    buffer_add_text(body, ",\"exported_at\":");
    json_write_time(body, clock_wall_ms());
    buffer_add_text(body, ",\"definition\":");
    render_definition(body, row);
    buffer_add_char(body, '}');
    add_start(body, export->saga);
    buffer_add_text(body, ",\"saga\":");
    render_saga(body, export->saga, export->exchange->api->namespace_name);
    buffer_add_text(body, ",\"steps\":");
    render_step_list(body, export->saga, -1);
}

/* Nothing of a saga that was never migrated. */
static bool add_earlier(struct export *export, struct store *store, struct err *err)
{
    struct exchange *const exchange = export->exchange;
    struct buffer *const body = &export->body;
    if (export->earlier_count == 0) return true;
    buffer_add_text(body, ",\"earlier_definitions\":[");
    for (size_t i = 0; i < export->earlier_count; i++) {
        struct definition_row row;
        if (!store_definition_by_name(store, export->saga->definition->name, export->earlier[i],
                                      &exchange->arena, &row, err)) {
            return false;
        }
        if (i > 0) buffer_add_char(body, ',');
        render_definition(body, &row);
        buffer_add_char(body, '}');
    }
    buffer_add_char(body, ']');
    return true;
}

static bool read_all(struct exchange *exchange, struct store *store, const struct uuid *id,
                     struct saga **ret_saga, struct definition_row *ret_definition, struct err *err)
{
    struct saga_row row = {0};
    if (!store_load(store, id, 1, &exchange->arena, &row, err)) return false;
    if (!row.found) return err_set(err, ERR_NOT_FOUND, "no such saga");
    return saga_of_row(exchange, store, &row, ret_saga, err) &&
           store_definition_by_id(store, row.definition_id, &exchange->arena, ret_definition, err);
}

enum handled saga_export(struct exchange *exchange, struct store *store)
{
    struct export export = {.exchange = exchange, .body = buffer_in(&exchange->arena)};
    struct definition_row definition;
    struct saga *saga = NULL;
    struct uuid id;
    struct err err;
    bool is_large = false;
    if (!exchange_saga_id(exchange, &id)) return exchange_refused(exchange);
    if (!read_all(exchange, store, &id, &saga, &definition, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    }
    assert(saga != NULL);
    export.saga = saga;
    add_saga(&export, &definition);
    if (!add_history(&export, store, &is_large, &err)) {
        return is_large ? exchange_problem(exchange, PROBLEM_EXPORT_TOO_LARGE,
                                           "the export would be larger than 64 MiB")
                        : exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    }
    if (!add_earlier(&export, store, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_DEFINITION_NOT_FOUND);
    }
    buffer_add_char(&export.body, '}');
    exchange_set_header_format(exchange, "ETag", "\"%u\"", saga->revision);
    return exchange_json(exchange, 200, buffer_bytes(&export.body));
}
