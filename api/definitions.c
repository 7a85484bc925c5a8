/*
 * api/definitions.c
 *   /v1/definitions: register, check, read, pause, deprecate.
 */
#include "api/body.h"
#include "api/cursor.h"
#include "api/handlers.h"
#include "api/remember.h"
#include "api/render.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/text.h"
#include "orchestrator/engine/registry.h"
#include "orchestrator/store/store.h"

#include <inttypes.h>
#include <string.h>

enum { PAGE_SIZE_MAX = 4 * 1024 * 1024 }; /* of a list: definitions can be large */

/* ---- shapes ---- */

static void add_problems(struct buffer *body, const char *name,
                         const struct definition_problem *problems, size_t count)
{
    buffer_add_format(body, "\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(body, i > 0 ? ",{\"pointer\":" : "{\"pointer\":");
        json_write_string(body, problems[i].pointer);
        buffer_add_text(body, ",\"detail\":");
        json_write_string(body, problems[i].detail);
        buffer_add_char(body, '}');
    }
    buffer_add_char(body, ']');
}

void render_definition(struct buffer *body, const struct definition_row *row)
{
    const struct bytes hash = text_hex(body->arena, row->hash, sizeof(row->hash));
    buffer_add_text(body, "{\"name\":");
    json_write_string(body, row->name);
    buffer_add_format(body, ",\"version\":%u,\"hash\":\"%s\",\"created_at\":", row->version,
                      hash.data);
    json_write_time(body, row->created_at_ms);
    buffer_add_text(body, row->deprecated ? ",\"deprecated\":true" : ",\"deprecated\":false");
    buffer_add_text(body, row->paused ? ",\"paused\":true" : ",\"paused\":false");
    buffer_add_text(body, ",\"definition\":");
    buffer_add_bytes(body, row->source);
}

static enum handled show_row(struct exchange *exchange, const struct definition_row *row)
{
    struct buffer body = buffer_in(&exchange->arena);
    render_definition(&body, row);
    buffer_add_char(&body, '}');
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

/* The version of the path; false: refused, for there is none like that. */
static bool read_version(struct exchange *exchange, uint32_t *ret_version)
{
    uint64_t version = 0;
    if (text_number(exchange->argument[1], UINT32_MAX, &version) && version > 0) {
        *ret_version = (uint32_t)version;
        return true;
    }
    return refuse(&exchange->refusal, PROBLEM_DEFINITION_NOT_FOUND, "versions are numbers from 1");
}

/* ---- register and check ---- */

static void add_errors(struct refusal *refusal, const struct definition_report *report)
{
    (void)refuse(refusal, PROBLEM_INVALID_DEFINITION, "the definition has %zu errors",
                 report->error_count);
    for (size_t i = 0; i < report->error_count; i++) {
        (void)refuse_at(refusal, report->errors[i].pointer, "%.*s",
                        (int)report->errors[i].detail.size, report->errors[i].detail.data);
    }
}

static enum handled refuse_definition(struct exchange *exchange, const struct err *err,
                                      const struct definition_report *report)
{
    if (err->kind != ERR_INVALID) return exchange_failed(exchange, err, PROBLEM_NO_ROUTE);
    if (report->error_count > 0) {
        add_errors(&exchange->refusal, report);
        return exchange_refused(exchange);
    }
    /* The text of this error is made for people: it says which version would be next. */
    (void)refuse(&exchange->refusal, PROBLEM_INVALID_DEFINITION, "%s", err->text);
    (void)refuse_at(&exchange->refusal, BYTES("/version"), "%s", err->text);
    return exchange_refused(exchange);
}

static void set_location(struct exchange *exchange, struct bytes name, int64_t version)
{
    exchange_set_header_format(exchange, "Location", "/v1/definitions/%.*s/versions/%" PRId64,
                               (int)name.size, name.data, version);
}

/* A stored answer has no headers: they are made from its body. */
static enum handled replay_registered(struct exchange *exchange)
{
    const struct json_view *body = NULL;
    struct json_error error;
    int64_t version = 0;
    if (exchange->response.status > 299) return ANSWERED;
    if (!json_view_parse(exchange->response.body, &exchange->arena, &body, &error)) return ANSWERED;
    const struct json_view *const name = json_view_member(body, "name");
    if (name != NULL && json_view_int64(json_view_member(body, "version"), &version)) {
        set_location(exchange, name->string, version);
    }
    return ANSWERED;
}

static enum handled show_registered(struct exchange *exchange, const struct registered *registered,
                                    const struct definition_report *report, bool is_new)
{
    struct buffer body = buffer_in(&exchange->arena);
    const struct definition *const definition = registered->definition;
    struct definition_row row = {
        .name = definition->name,
        .version = definition->version,
        .source = definition->source,
        .created_at_ms = registered->created_at_ms,
        .deprecated = registered->deprecated,
        .paused = registered->paused,
    };
    memcpy(row.hash, definition->hash, sizeof(row.hash));
    render_definition(&body, &row);
    buffer_add_char(&body, ',');
    add_problems(&body, "warnings", report->warnings, report->warning_count);
    buffer_add_char(&body, '}');
    set_location(exchange, row.name, row.version);
    return exchange_json(exchange, is_new ? 201 : 200, buffer_bytes(&body));
}

enum handled definition_register(struct exchange *exchange, struct store *store)
{
    const struct json_view *body = NULL;
    struct definition_report report = {0};
    struct registered registered;
    bool is_new = false;
    struct err err;
    if (!body_parse(exchange->body, &exchange->refusal, &body)) return exchange_refused(exchange);
    if (remember_replay(exchange, store)) return replay_registered(exchange);
    if (!registry_register(exchange->api->registry, store, body->text, &exchange->arena, &report,
                           &registered, &is_new, &err)) {
        return refuse_definition(exchange, &err, &report);
    }
    (void)show_registered(exchange, &registered, &report, is_new);
    return remember_answer(exchange, store);
}

enum handled definition_validate(struct exchange *exchange, struct store *store)
{
    const struct json_view *parsed = NULL;
    struct buffer body = buffer_in(&exchange->arena);
    struct definition_report report = {0};
    bool is_valid = false;
    (void)store;
    if (!body_parse(exchange->body, &exchange->refusal, &parsed)) return exchange_refused(exchange);
    registry_validate(exchange->api->registry, parsed->text, &exchange->arena, &report, &is_valid);
    buffer_add_text(&body, is_valid ? "{\"valid\":true," : "{\"valid\":false,");
    add_problems(&body, "errors", report.errors, report.error_count);
    buffer_add_char(&body, ',');
    add_problems(&body, "warnings", report.warnings, report.warning_count);
    buffer_add_char(&body, '}');
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

/* ---- read ---- */

enum handled definition_list(struct exchange *exchange, struct store *store)
{
    struct buffer body = buffer_in(&exchange->arena);
    struct definition_row *rows = NULL;
    struct bytes after = {0};
    struct bytes cursor = {0};
    size_t limit = 0;
    size_t count = 0;
    size_t shown = 0;
    struct err err;
    if (!cursor_limit(exchange, &limit) || !cursor_read(exchange, &after)) {
        return exchange_refused(exchange);
    }
    if (!store_definition_list(store, after.data == NULL ? BYTES("") : after, limit + 1,
                               &exchange->arena, &rows, &count, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_DEFINITION_NOT_FOUND);
    }
    buffer_add_text(&body, "{\"items\":[");
    for (; shown < count && shown < limit && body.size < PAGE_SIZE_MAX; shown++) {
        if (shown > 0) buffer_add_char(&body, ',');
        render_definition(&body, &rows[shown]);
        buffer_add_char(&body, '}');
    }
    if (shown < count) {
        cursor = cursor_make(exchange, rows[shown - 1].name.data, rows[shown - 1].name.size);
    }
    cursor_close_list(&body, cursor);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

static enum handled show_version(struct exchange *exchange, struct store *store, uint32_t version)
{
    struct definition_row row;
    struct err err;
    if (!store_definition_by_name(store, exchange->argument[0], version, &exchange->arena, &row,
                                  &err)) {
        return exchange_failed(exchange, &err, PROBLEM_DEFINITION_NOT_FOUND);
    }
    return show_row(exchange, &row);
}

enum handled definition_newest(struct exchange *exchange, struct store *store)
{
    return show_version(exchange, store, 0);
}

enum handled definition_version(struct exchange *exchange, struct store *store)
{
    uint32_t version = 0;
    if (!read_version(exchange, &version)) return exchange_refused(exchange);
    return show_version(exchange, store, version);
}

enum handled definition_versions(struct exchange *exchange, struct store *store)
{
    struct buffer body = buffer_in(&exchange->arena);
    struct definition_row *rows = NULL;
    size_t count = 0;
    struct err err;
    if (!store_definition_versions(store, exchange->argument[0], &exchange->arena, &rows, &count,
                                   &err)) {
        return exchange_failed(exchange, &err, PROBLEM_DEFINITION_NOT_FOUND);
    }
    if (count == 0) {
        return exchange_problem(exchange, PROBLEM_DEFINITION_NOT_FOUND,
                                "no definition of this name");
    }
    buffer_add_text(&body, "{\"items\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buffer_add_char(&body, ',');
        render_definition(&body, &rows[i]);
        buffer_add_char(&body, '}');
    }
    cursor_close_list(&body, (struct bytes){0});
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

/* ---- pause, resume, deprecate, restore ---- */

enum handled definition_switch(struct exchange *exchange, struct store *store)
{
    static const struct {
        enum definition_flag flag;
        bool value;
    } SWITCHES[] = {
        [SWITCH_PAUSE] = {DEFINITION_PAUSED,     true },
        [SWITCH_RESUME] = {DEFINITION_PAUSED,     false},
        [SWITCH_DEPRECATE] = {DEFINITION_DEPRECATED, true },
        [SWITCH_RESTORE] = {DEFINITION_DEPRECATED, false},
    };
    const int which = exchange->route->verb;
    uint32_t version = 0;
    struct err err;
    if (!body_is_reason_only(exchange->body, &exchange->refusal)) return exchange_refused(exchange);
    if (SWITCHES[which].flag == DEFINITION_DEPRECATED && !read_version(exchange, &version)) {
        return exchange_refused(exchange);
    }
    if (remember_replay(exchange, store)) return ANSWERED;
    if (!store_definition_set(store, exchange->argument[0], version, SWITCHES[which].flag,
                              SWITCHES[which].value, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_DEFINITION_NOT_FOUND);
    }
    registry_refresh(exchange->api->registry, exchange->argument[0]);
    if (which == SWITCH_RESUME) engine_release(exchange->api->engine);
    (void)show_version(exchange, store, version);
    return remember_answer(exchange, store);
}
