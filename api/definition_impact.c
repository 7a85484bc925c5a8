/*
 * api/definition_impact.c
 *   POST /v1/definitions/{name}/impact: where its open sagas stand, and which of them could go on
 *   under another version. Nothing is stored.
 *
 * Sagas that stand alike are shown together; a page of them at a time is in memory.
 */
#include "api/body.h"
#include "api/handlers.h"
#include "api/server.h"
#include "api/step_map.h"
#include "orchestrator/base/clock.h"
#include "orchestrator/engine/registry.h"
#include "orchestrator/store/store.h"
#include "sagas/machine/codec.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    IMPACT_MS = 10 * 1000,
    PAGE_ROWS = 500,
    GROUPS_MAX = 1000,
    SAMPLE_MAX = 5,
    PLANS_MAX = 200, /* versions with open sagas */
};

struct group {
    struct bytes key; /* what is shown of each saga in it, as members of JSON */
    bool maps;
    int64_t count;
    struct uuid sample[SAMPLE_MAX];
};

struct impact {
    struct exchange *exchange;
    struct store *store;
    const struct definition *to;
    struct definition *given; /* not registered: ours to free; else NULL */
    struct step_map map;
    struct migration_plan plans[PLANS_MAX];
    size_t plan_count;
    struct group groups[GROUPS_MAX];
    size_t group_count;
    int64_t maps, breaks, already;
    bool exact;
};

/* ---- reading ---- */

static void no_hash(const void *data, size_t size, uint8_t ret_hash[DEFINITION_HASH_SIZE])
{
    (void)data;
    (void)size;
    memset(ret_hash, 0, DEFINITION_HASH_SIZE);
}

static bool refuse_given(struct refusal *refusal, const struct definition_report *report)
{
    (void)refuse(refusal, PROBLEM_INVALID_DEFINITION, "the definition has %zu errors",
                 report->error_count);
    for (size_t i = 0; i < report->error_count; i++) {
        struct buffer pointer = buffer_in(refusal->arena);
        buffer_add_text(&pointer, "/definition");
        buffer_add_bytes(&pointer, report->errors[i].pointer);
        (void)refuse_at(refusal, buffer_bytes(&pointer), "%.*s", (int)report->errors[i].detail.size,
                        report->errors[i].detail.data);
    }
    return false;
}

static bool take_given(struct impact *impact, const struct json_view *view)
{
    static const struct definition_rules CHECKED = {.topics_allow = "*"};
    struct exchange *const exchange = impact->exchange;
    struct definition_report report = {0};
    bool valid = false;
    registry_validate(exchange->api->registry, view->text, &exchange->arena, &report, &valid);
    if (!valid) return refuse_given(&exchange->refusal, &report);
    impact->given = definition_parse(view->text, &CHECKED, no_hash, &exchange->arena, &report);
    if (impact->given == NULL) return refuse_given(&exchange->refusal, &report);
    impact->to = impact->given;
    return bytes_equal(impact->to->name, exchange->argument[0]) ||
           refuse_at(&exchange->refusal, BYTES("/definition/name"), "must be that of the path");
}

static bool take_version(struct impact *impact, const struct json_view *view)
{
    struct exchange *const exchange = impact->exchange;
    struct registered found;
    int64_t version = 0;
    struct err err;
    if (!json_view_int64(view, &version) || version < 1 || version > UINT32_MAX) {
        return refuse_at(&exchange->refusal, BYTES("/version"),
                         "versions are whole numbers from 1");
    }
    if (!registry_by_name(exchange->api->registry, impact->store, exchange->argument[0],
                          (uint32_t)version, &found, &err)) {
        if (err.kind == ERR_NOT_FOUND) {
            return refuse_at(&exchange->refusal, BYTES("/version"), "names no registered version");
        }
        (void)exchange_failed(exchange, &err, PROBLEM_DEFINITION_NOT_FOUND);
        return false;
    }
    impact->to = found.definition;
    return true;
}

/* False: refused, unless the exchange is answered already. */
static bool read_impact(struct impact *impact)
{
    static const struct member MEMBERS[] = {
        {"definition", IS_OBJECT, MEMBER_OPTIONAL},
        {"version",    IS_NUMBER, MEMBER_OPTIONAL},
        {"step_map",   IS_OBJECT, MEMBER_OPTIONAL},
    };
    struct exchange *const exchange = impact->exchange;
    struct refusal *const refusal = &exchange->refusal;
    const struct json_view *body = NULL;
    const struct json_view *value[3];
    bool failed = false;
    struct err err;
    if (!body_parse(exchange->body, refusal, &body) ||
        !body_members(body, MEMBERS, 3, BYTES(""), refusal, value)) {
        return false;
    }
    if ((value[0] == NULL) == (value[1] == NULL)) {
        return refuse_at(refusal, BYTES(""), "give either definition or version");
    }
    if (!step_map_read(refusal, value[2], &impact->map)) return false;
    if (!(value[0] != NULL ? take_given(impact, value[0]) : take_version(impact, value[1]))) {
        return false;
    }
    if (step_map_fits(exchange, impact->store, &impact->map, impact->to, &failed, &err)) {
        return true;
    }
    if (failed) (void)exchange_failed(exchange, &err, PROBLEM_DEFINITION_NOT_FOUND);
    return false;
}

/* ---- one saga ---- */

static const struct migration_plan *plan_of(struct impact *impact,
                                            const struct definition *definition)
{
    for (size_t i = 0; i < impact->plan_count; i++) {
        if (impact->plans[i].from == definition) return &impact->plans[i];
    }
    if (impact->plan_count == PLANS_MAX) return NULL;
    struct migration_plan *const plan = &impact->plans[impact->plan_count++];
    migration_plan(definition, impact->to, impact->map.moves, impact->map.count,
                   &impact->exchange->arena, plan);
    return plan;
}

static bool is_being_undone(const struct saga *saga)
{
    const enum saga_state state = saga->state == SAGA_STUCK ? saga->stuck_in : saga->state;
    return state == SAGA_COMPENSATING;
}

/* Something of it is under way, or waits for a person. */
static bool stands_there(const struct saga *saga, const struct step_runs *runs)
{
    for (uint32_t i = 0; i < runs->count; i++) {
        switch (runs->run[i].state) {
        case STEP_READY:
        case STEP_DISPATCHED:
        case STEP_RETRYING:
        case STEP_UNKNOWN:
        case STEP_COMPENSATING:
        case STEP_COMPENSATION_FAILED: return true;
        case STEP_FAILED:
            if (!is_being_undone(saga)) return true;
            break;
        case STEP_WAITING:
        case STEP_SUCCEEDED:
        case STEP_SKIPPED:
        case STEP_COMPENSATED:
        case STEP_COMPENSATION_SKIPPED:
        case STEP_STATE_COUNT: break;
        }
    }
    return false;
}

static void write_steps(struct buffer *key, const struct saga *saga)
{
    bool any = false;
    buffer_add_text(key, ",\"steps\":[");
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        if (!stands_there(saga, &saga->steps[i])) continue;
        if (any) buffer_add_char(key, ',');
        json_write_string(key, saga->definition->steps[i].id);
        any = true;
    }
    buffer_add_char(key, ']');
}

static void write_key(struct buffer *key, const struct saga *saga,
                      const struct migration_fault *faults, size_t count)
{
    buffer_add_format(key, "\"version\":%u,\"state\":\"%s\"", saga->definition->version,
                      saga_state_name(saga->state));
    write_steps(key, saga);
    buffer_add_format(key, ",\"maps\":%s,\"reasons\":[", count == 0 ? "true" : "false");
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(key, i > 0 ? ",{\"step\":" : "{\"step\":");
        if (faults[i].step.data == NULL) {
            buffer_add_text(key, "null");
        } else {
            json_write_string(key, faults[i].step);
        }
        buffer_add_text(key, ",\"detail\":");
        json_write_text(key, faults[i].detail);
        buffer_add_char(key, '}');
    }
    buffer_add_char(key, ']');
}

static struct group *group_of(struct impact *impact, struct bytes key)
{
    for (size_t i = 0; i < impact->group_count; i++) {
        if (bytes_equal(impact->groups[i].key, key)) return &impact->groups[i];
    }
    if (impact->group_count == GROUPS_MAX) return NULL;
    struct group *const group = &impact->groups[impact->group_count++];
    group->key = bytes_copy(&impact->exchange->arena, key);
    return group;
}

static void take_saga(struct impact *impact, const struct saga *saga, struct arena *arena)
{
    struct migration_fault faults[MIGRATION_FAULTS_MAX];
    const struct migration_plan *const plan = plan_of(impact, saga->definition);
    struct buffer key = buffer_in(arena);
    if (saga->definition == impact->to) {
        impact->already++;
        return;
    }
    if (plan == NULL) {
        impact->exact = false;
        return;
    }
    const size_t count = migration_check(plan, saga, faults);
    *(count == 0 ? &impact->maps : &impact->breaks) += 1;
    write_key(&key, saga, faults, count);
    struct group *const group = group_of(impact, buffer_bytes(&key));
    if (group == NULL) {
        impact->exact = false;
        return;
    }
    group->maps = count == 0;
    if (group->count < SAMPLE_MAX) group->sample[group->count] = saga->id;
    group->count++;
}

/* ---- all of them ---- */

static bool take_page(struct impact *impact, const struct saga_row *rows, size_t count,
                      struct arena *arena, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct definition *definition = NULL;
        const char *what = NULL;
        if (!registry_by_id(impact->exchange->api->registry, impact->store, rows[i].definition_id,
                            &definition, err)) {
            return false;
        }
        struct saga *const saga = saga_new(arena, definition);
        saga->id = rows[i].id;
        if (!saga_unpack(saga, rows[i].packed, &what)) {
            return err_set(err, ERR_INTERNAL, "a saga cannot be read: %s", what);
        }
        take_saga(impact, saga, arena);
    }
    return true;
}

static bool take_all(struct impact *impact, struct err *err)
{
    static const enum saga_state OPEN[] = {SAGA_PENDING, SAGA_RUNNING, SAGA_COMPENSATING,
                                           SAGA_STUCK};
    const int64_t until_ms = clock_monotonic_ms() + IMPACT_MS;
    struct saga_filter filter = {.states = OPEN,
                                 .state_count = sizeof(OPEN) / sizeof(OPEN[0]),
                                 .definitions = impact->exchange->argument,
                                 .definition_count = 1,
                                 .limit = PAGE_ROWS};
    struct arena arena = {0};
    size_t count = PAGE_ROWS;
    bool right = true;
    impact->exact = true;
    while (right && count == PAGE_ROWS && impact->exact) {
        struct saga_row *rows = NULL;
        right = store_list(impact->store, &filter, &arena, &rows, &count, err) &&
                take_page(impact, rows, count, &arena, err);
        if (right && count > 0) filter.before = rows[count - 1].id;
        filter.has_before = true;
        if (clock_monotonic_ms() > until_ms && count == PAGE_ROWS) impact->exact = false;
        arena_reset(&arena);
    }
    arena_done(&arena);
    return right;
}

/* ---- the answer ---- */

/* What breaks first, then the most. */
static int compare_groups(const void *a, const void *b)
{
    const struct group *const first = a;
    const struct group *const second = b;
    if (first->maps != second->maps) return first->maps ? 1 : -1;
    if (first->count != second->count) return first->count > second->count ? -1 : 1;
    return bytes_compare(first->key, second->key);
}

static void write_group(struct buffer *body, const struct group *group)
{
    const int64_t shown = group->count < SAMPLE_MAX ? group->count : SAMPLE_MAX;
    buffer_add_char(body, '{');
    buffer_add_bytes(body, group->key);
    buffer_add_format(body, ",\"count\":%" PRId64 ",\"sample\":[", group->count);
    for (int64_t i = 0; i < shown; i++) {
        char id[UUID_TEXT_SIZE];
        uuid_print(&group->sample[i], id);
        buffer_add_format(body, "%s\"%s\"", i > 0 ? "," : "", id);
    }
    buffer_add_text(body, "]}");
}

static enum handled answer_impact(struct impact *impact)
{
    struct exchange *const exchange = impact->exchange;
    struct buffer body = buffer_in(&exchange->arena);
    struct err err;
    if (!take_all(impact, &err)) {
        return exchange_failed(exchange, &err, PROBLEM_DEFINITION_NOT_FOUND);
    }
    qsort(impact->groups, impact->group_count, sizeof(struct group), compare_groups);
    buffer_add_text(&body, "{\"definition\":");
    json_write_string(&body, impact->to->name);
    if (impact->to->version == 0) {
        buffer_add_text(&body, ",\"version\":null");
    } else {
        buffer_add_format(&body, ",\"version\":%u", impact->to->version);
    }
    buffer_add_format(&body,
                      ",\"total\":%" PRId64 ",\"maps\":%" PRId64 ",\"breaks\":%" PRId64
                      ",\"already\":%" PRId64 ",\"exact\":%s,\"items\":[",
                      impact->maps + impact->breaks, impact->maps, impact->breaks, impact->already,
                      impact->exact ? "true" : "false");
    for (size_t i = 0; i < impact->group_count; i++) {
        if (i > 0) buffer_add_char(&body, ',');
        write_group(&body, &impact->groups[i]);
    }
    buffer_add_text(&body, "]}");
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

/* Readers are few: one of them at a time may look through many sagas. */
static enum handled look_through(struct impact *impact)
{
    struct exchange *const exchange = impact->exchange;
    if (atomic_exchange(&exchange->api->counts, true)) {
        return exchange_problem(exchange, PROBLEM_OVERLOADED,
                                "a long count is under way on this node; one at a time");
    }
    exchange_extend(exchange, IMPACT_MS);
    const enum handled handled = answer_impact(impact);
    atomic_store(&exchange->api->counts, false);
    return handled;
}

enum handled definition_impact(struct exchange *exchange, struct store *store)
{
    struct impact *const impact = arena_alloc(&exchange->arena, sizeof(*impact));
    struct registered newest;
    struct err err;
    impact->exchange = exchange;
    impact->store = store;
    if (!registry_by_name(exchange->api->registry, store, exchange->argument[0], 0, &newest,
                          &err)) {
        return exchange_failed(exchange, &err, PROBLEM_DEFINITION_NOT_FOUND);
    }
    enum handled handled = ANSWERED;
    if (read_impact(impact)) {
        handled = look_through(impact);
    } else if (exchange->response.status == 0) {
        handled = exchange_refused(exchange);
    }
    definition_free(impact->given);
    return handled;
}
