/*
 * api/definition_simulate.c
 *   POST /v1/definitions/{name}/simulate: a rehearsal. Nothing is stored and nobody is called.
 */
#include "api/body.h"
#include "api/handlers.h"
#include "api/server.h"
#include "orchestrator/base/clock.h"
#include "orchestrator/engine/registry.h"
#include "sagas/rehearsal/rehearsal.h"

/* A reader serves others too: together some tenths of a second, for definitions of any size. */
enum { STEP_VISITS_MAX = 1000 * 1000 };

enum { IS_FLAG = 1 << VIEW_TRUE | 1 << VIEW_FALSE };

enum { VERSION, INPUT, OUTPUTS, EXPLORE, FAULTS, MEMBER_COUNT };

static const struct member MEMBERS[MEMBER_COUNT] = {
    [VERSION] = {"version", IS_NUMBER,   MEMBER_OPTIONAL},
    [INPUT] = {"input",   IS_ANYTHING, MEMBER_OPTIONAL},
    [OUTPUTS] = {"outputs", IS_OBJECT,   MEMBER_OPTIONAL},
    [EXPLORE] = {"explore", IS_FLAG,     MEMBER_OPTIONAL},
    [FAULTS] = {"faults",  IS_ARRAY,    MEMBER_OPTIONAL},
};

static bool is_known_op(struct bytes name, enum op *ret_op)
{
    for (enum op op = OP_ACTION; op <= OP_PROBE; op++) {
        if (!bytes_equal_text(name, op_name(op))) continue;
        *ret_op = op;
        return true;
    }
    return false;
}

static bool read_fault(struct refusal *refusal, const struct definition *definition,
                       const struct json_view *view, struct bytes at,
                       struct rehearsal_fault *ret_fault)
{
    enum { STEP, OP, HOW, COUNT };
    static const struct member FAULT_MEMBERS[COUNT] = {
        [STEP] = {"step", IS_STRING, MEMBER_REQUIRED},
        [OP] = {"op",   IS_STRING, MEMBER_OPTIONAL},
        [HOW] = {"how",  IS_STRING, MEMBER_REQUIRED},
    };
    const struct json_view *value[COUNT];
    if (view->type != VIEW_OBJECT) return refuse_at(refusal, at, "must be an object");
    if (!body_members(view, FAULT_MEMBERS, COUNT, at, refusal, value)) return false;
    ret_fault->step = definition_find_step(definition, value[STEP]->string);
    if (ret_fault->step < 0) {
        return refuse_at(refusal, pointer_to(refusal->arena, at, "step"),
                         "the definition has no such step");
    }
    if (value[OP] != NULL && !is_known_op(value[OP]->string, &ret_fault->op)) {
        return refuse_at(refusal, pointer_to(refusal->arena, at, "op"),
                         "must be one of action, compensate, probe");
    }
    if (fault_kind_parse(value[HOW]->string, &ret_fault->kind)) return true;
    return refuse_at(refusal, pointer_to(refusal->arena, at, "how"),
                     "must be one of refuses, no_effect, no_answer");
}

static bool read_faults(struct exchange *exchange, const struct definition *definition,
                        const struct json_view *view, struct rehearsal_plan *plan)
{
    struct refusal *const refusal = &exchange->refusal;
    if (view == NULL) return true;
    if (plan->explore) {
        return refuse_at(refusal, BYTES("/faults"), "leave it out, `explore` tries every one");
    }
    if (view->count > REHEARSAL_FAULTS_MAX) {
        return refuse_at(refusal, BYTES("/faults"), "at most %d", REHEARSAL_FAULTS_MAX);
    }
    struct rehearsal_fault *const faults =
        arena_array(&exchange->arena, REHEARSAL_FAULTS_MAX, sizeof(*faults));
    for (const struct json_view *item = view->child; item != NULL; item = item->next) {
        struct buffer at = buffer_in(&exchange->arena);
        buffer_add_format(&at, "/faults/%zu", plan->fault_count);
        if (!read_fault(refusal, definition, item, buffer_bytes(&at),
                        &faults[plan->fault_count++])) {
            return false;
        }
    }
    plan->faults = faults;
    return true;
}

static bool knows_steps(struct refusal *refusal, const struct definition *definition,
                        const struct json_view *outputs)
{
    if (outputs == NULL) return true;
    for (const struct json_view *item = outputs->child; item != NULL; item = item->next) {
        if (definition_find_step(definition, item->key) >= 0) continue;
        struct buffer at = buffer_in(refusal->arena);
        buffer_add_text(&at, "/outputs");
        json_pointer_add(&at, item->key);
        (void)refuse_at(refusal, buffer_bytes(&at), "the definition has no such step");
    }
    return refusal->fault_count == 0;
}

static bool read_version(struct refusal *refusal, const struct json_view *view,
                         uint32_t *ret_version)
{
    int64_t version = 0;
    *ret_version = 0;
    if (view == NULL) return true;
    if (!json_view_int64(view, &version) || version < 1 || version > UINT32_MAX) {
        return refuse_at(refusal, BYTES("/version"), "versions are whole numbers from 1");
    }
    *ret_version = (uint32_t)version;
    return true;
}

static enum handled play(struct exchange *exchange, const struct definition *definition,
                         const struct json_view *const *value)
{
    struct rehearsal_plan plan = {
        .outputs = value[OUTPUTS],
        .now_ms = clock_wall_ms(),
        .explore = value[EXPLORE] != NULL && value[EXPLORE]->type == VIEW_TRUE,
        .events_max = STEP_VISITS_MAX / definition->step_count,
    };
    struct rehearsal rehearsal;
    struct expression_error error;
    struct buffer body = buffer_in(&exchange->arena);
    if (value[INPUT] != NULL) plan.input = value[INPUT]->text;
    if (!knows_steps(&exchange->refusal, definition, value[OUTPUTS]) ||
        !read_faults(exchange, definition, value[FAULTS], &plan)) {
        return exchange_refused(exchange);
    }
    if (!rehearse(definition, &plan, &exchange->arena, &rehearsal, &error)) {
        (void)refuse_at(&exchange->refusal, BYTES("/input"), "%s", error.detail);
        return exchange_refused(exchange);
    }
    buffer_add_text(&body, "{\"definition\":{\"name\":");
    json_write_string(&body, definition->name);
    buffer_add_format(&body, ",\"version\":%u},\"rehearsal\":", definition->version);
    rehearsal_write(definition, &rehearsal, &body);
    buffer_add_char(&body, '}');
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

enum handled definition_simulate(struct exchange *exchange, struct store *store)
{
    const struct json_view *body = NULL;
    const struct json_view *value[MEMBER_COUNT] = {0};
    struct registered registered;
    uint32_t version = 0;
    struct err err;
    if (!body_parse(exchange->body, &exchange->refusal, &body) ||
        !body_members(body, MEMBERS, MEMBER_COUNT, BYTES(""), &exchange->refusal, value) ||
        !read_version(&exchange->refusal, value[VERSION], &version)) {
        return exchange_refused(exchange);
    }
    if (!registry_by_name(exchange->api->registry, store, exchange->argument[0], version,
                          &registered, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_DEFINITION_NOT_FOUND);
    }
    return play(exchange, registered.definition, value);
}
