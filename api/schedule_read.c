#include "api/schedule_read.h"
#include "orchestrator/store/schedule_rows.h"

#include "api/body.h"
#include "api/command_read.h"
#include "api/results.h"
#include "api/server.h"
#include "orchestrator/base/log.h"
#include "orchestrator/engine/registry.h"
#include "sagas/base/duration.h"
#include "sagas/machine/machine.h"

#include <inttypes.h>
#include <string.h>

enum {
    MINUTE_MS = 60 * 1000,
    DAY_MS = 24 * 60 * MINUTE_MS,
    WINDOW_DAYS_MAX = 366,
    ZONE_SIZE_MAX = 100
};

enum {
    NAME,
    DEFINITION,
    CRON,
    TIME_ZONE,
    INPUT,
    CATCH_UP,
    CATCH_UP_WINDOW,
    OVERLAP,
    PAUSED,
    REASON,
    MEMBER_COUNT
};

static const struct member MEMBERS[MEMBER_COUNT] = {
    [NAME] = {"name",            IS_STRING,             MEMBER_OPTIONAL},
    [DEFINITION] = {"definition",      IS_STRING | IS_OBJECT, MEMBER_REQUIRED},
    [CRON] = {"cron",            IS_STRING,             MEMBER_REQUIRED},
    [TIME_ZONE] = {"time_zone",       IS_STRING,             MEMBER_OPTIONAL},
    [INPUT] = {"input",           IS_ANYTHING,           MEMBER_OPTIONAL},
    [CATCH_UP] = {"catch_up",        IS_STRING,             MEMBER_OPTIONAL},
    [CATCH_UP_WINDOW] = {"catch_up_window", IS_STRING,             MEMBER_OPTIONAL},
    [OVERLAP] = {"overlap",         IS_STRING,             MEMBER_OPTIONAL},
    [PAUSED] = {"paused",          IS_BOOL,               MEMBER_OPTIONAL},
    [REASON] = {"reason",          IS_STRING,             MEMBER_OPTIONAL},
};

struct reading {
    struct exchange *exchange;
    struct store *store;
    struct schedule_draft *draft;
    const struct definition *definition; /* NULL: not found */
};

static bool wrong(const struct reading *reading, const char *pointer, const char *cure)
{
    return refuse_at(&reading->exchange->refusal, bytes_of(pointer), "%s", cure);
}

/* Something else than the body is to blame. */
static bool failed(const struct reading *reading, const struct err *err)
{
    if (err->kind == ERR_INTERNAL) {
        log_event(LOG_ERROR, "request_failed", "request_id=%s reason=\"%s\"",
                  reading->exchange->request_id, err->text);
    }
    return refuse(&reading->exchange->refusal, problem_of_err(err, PROBLEM_UNKNOWN_DEFINITION),
                  "%s",
                  err->kind == ERR_UNAVAILABLE ? "the database is away" : "an internal error");
}

/* ---- members that need no look at anything ---- */

static bool is_name(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        const char c = name.data[i];
        const bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (i == 0 || (c != '.' && c != '_' && c != '-'))) return false;
    }
    return name.size > 0 && name.size <= IDENT_SIZE_MAX;
}

static bool read_name(struct reading *reading, const struct json_view *name, struct bytes of_path)
{
    struct schedule_row *const row = &reading->draft->row;
    if (name == NULL && of_path.data == NULL) return wrong(reading, "/name", "is missing");
    row->name = of_path.data != NULL ? of_path : name->string;
    if (name != NULL && !bytes_equal(name->string, row->name)) {
        return wrong(reading, "/name", "must be the name of the path, or be left out");
    }
    return is_name(row->name) || wrong(reading, "/name",
                                       "must be 1 to 100 letters, digits, '.', '_' and '-', and "
                                       "begin with a letter or digit");
}

static bool read_cron(struct reading *reading, const struct json_view *cron)
{
    char fault[CRON_FAULT_SIZE];
    if (cron == NULL) return false;
    reading->draft->row.cron = cron->string;
    return cron_parse(cron->string, &reading->draft->cron, fault) || wrong(reading, "/cron", fault);
}

static bool read_input(struct reading *reading, const struct json_view *input)
{
    struct refusal *const refusal = &reading->exchange->refusal;
    reading->draft->row.input = input == NULL ? BYTES("{}") : input->text;
    if (reading->draft->row.input.size <= PAYLOAD_SIZE_MAX) return true;
    (void)refuse(refusal, PROBLEM_INPUT_TOO_LARGE, "the input has %zu bytes; %d are the most",
                 reading->draft->row.input.size, PAYLOAD_SIZE_MAX);
    return refuse_at(refusal, BYTES("/input"), "is larger than 256 KiB");
}

static bool read_rules(struct reading *reading, const struct json_view *const *value)
{
    struct schedule_row *const row = &reading->draft->row;
    uint64_t window_ms = DAY_MS;
    bool right = true;
    if (value[CATCH_UP] != NULL && !catch_up_parse(value[CATCH_UP]->string, &row->catch_up)) {
        right = wrong(reading, "/catch_up", "must be \"none\", \"one\" or \"all\"");
    }
    if (value[OVERLAP] != NULL && !overlap_parse(value[OVERLAP]->string, &row->overlap)) {
        right = wrong(reading, "/overlap", "must be \"allow\", \"skip\" or \"queue\"");
    }
    if (value[CATCH_UP_WINDOW] != NULL &&
        (!duration_parse(value[CATCH_UP_WINDOW]->string, &window_ms) || window_ms < MINUTE_MS ||
         window_ms > (uint64_t)WINDOW_DAYS_MAX * DAY_MS)) {
        right = wrong(reading, "/catch_up_window", "must be a duration of 1m to 366d, such as 12h");
    }
    row->catch_up_window_ms = (int64_t)window_ms;
    reading->draft->has_paused = value[PAUSED] != NULL;
    row->paused = value[PAUSED] != NULL && value[PAUSED]->type == VIEW_TRUE;
    return right;
}

/* ---- the time zone ---- */

static bool refuse_zone(const struct reading *reading)
{
    return wrong(
        reading, "/time_zone",
        "must be a name of the IANA time zone database, spelt as there: Europe/Berlin, UTC");
}

static bool read_zone(struct reading *reading, const struct json_view *time_zone, int64_t now_ms)
{
    struct schedule_draft *const draft = reading->draft;
    struct err err;
    bool exists = true;
    draft->row.time_zone = time_zone == NULL ? BYTES("UTC") : time_zone->string;
    const struct bytes name = draft->row.time_zone;
    if (name.size == 0 || name.size > ZONE_SIZE_MAX || memchr(name.data, '\0', name.size) != NULL) {
        return refuse_zone(reading);
    }
    if (time_zone != NULL && !store_zone_exists(reading->store, name, &exists, &err)) {
        return failed(reading, &err);
    }
    if (!exists) return refuse_zone(reading);
    if (store_zone(reading->store, name, now_ms, &reading->exchange->arena, &draft->zone, &err)) {
        return true;
    }
    return err.kind == ERR_INVALID ? refuse_zone(reading) : failed(reading, &err);
}

/* ---- the definition ---- */

static bool refuse_unknown(const struct reading *reading)
{
    const struct schedule_row *const row = &reading->draft->row;
    const struct bytes shown = body_shown(row->definition);
    const char *const which = row->version > 0 ? " and version" : "";
    (void)refuse(&reading->exchange->refusal, PROBLEM_UNKNOWN_DEFINITION,
                 "definition '%.*s' is not registered%s", (int)shown.size, shown.data,
                 row->version > 0 ? " with this version" : "");
    return refuse_at(&reading->exchange->refusal, BYTES("/definition"),
                     "names no registered definition%s", which);
}

static bool find_definition(struct reading *reading)
{
    const struct schedule_row *const row = &reading->draft->row;
    struct registered found;
    struct err err;
    if (memchr(row->definition.data, '\0', row->definition.size) != NULL) {
        return refuse_unknown(reading);
    }
    if (!registry_by_name(reading->exchange->api->registry, reading->store, row->definition,
                          row->version, &found, &err)) {
        return err.kind == ERR_NOT_FOUND ? refuse_unknown(reading) : failed(reading, &err);
    }
    reading->definition = found.definition;
    if (!found.deprecated) return true;
    return refuse(&reading->exchange->refusal, PROBLEM_DEPRECATED,
                  "version %u of '%.*s' is deprecated", found.definition->version,
                  (int)row->definition.size, row->definition.data);
}

static bool read_definition(struct reading *reading, const struct json_view *definition)
{
    static const struct member OF_DEFINITION[] = {
        {"name",    IS_STRING, MEMBER_REQUIRED},
        {"version", IS_NUMBER, MEMBER_OPTIONAL},
    };
    const struct json_view *value[2];
    struct schedule_row *const row = &reading->draft->row;
    int64_t version = 0;
    if (definition == NULL) return false;
    if (definition->type == VIEW_STRING) {
        row->definition = definition->string;
        return find_definition(reading);
    }
    if (json_view_member(definition, "inline") != NULL) {
        return wrong(
            reading, "/definition/inline",
            "a schedule names a registered definition; register it by POST /v1/definitions");
    }
    if (!body_members(definition, OF_DEFINITION, 2, BYTES("/definition"),
                      &reading->exchange->refusal, value)) {
        return false;
    }
    if (value[1] != NULL &&
        (!json_view_int64(value[1], &version) || version < 1 || version > INT32_MAX)) {
        return wrong(reading, "/definition/version", "versions are whole numbers from 1");
    }
    row->definition = value[0]->string;
    row->version = (uint32_t)version;
    return find_definition(reading);
}

/* What every start would be refused for is refused now. */
static bool check_start(struct reading *reading)
{
    struct arena *const arena = &reading->exchange->arena;
    struct saga *const saga = saga_new(arena, reading->definition);
    struct expression_error error;
    struct schema_report report;
    struct bytes attributes;
    if (!saga_input_fits(reading->definition, reading->draft->row.input, NULL, arena, &report)) {
        result_refuse_value(&reading->exchange->refusal, "/input", &report);
        return false;
    }
    saga->input = reading->draft->row.input;
    saga->labels = BYTES("{}");
    if (saga_attributes(saga, arena, &attributes, &error)) return true;
    return wrong(reading, "/input", error.detail);
}

/* ---- whole ---- */

bool schedule_read(struct exchange *exchange, struct store *store, struct bytes name,
                   int64_t now_ms, struct schedule_draft *ret_draft)
{
    const struct json_view *body = NULL;
    const struct json_view *value[MEMBER_COUNT];
    struct refusal *const refusal = &exchange->refusal;
    *ret_draft = (struct schedule_draft){0};
    struct reading reading = {exchange, store, ret_draft, NULL};
    if (!body_parse(exchange->body, refusal, &body)) return false;
    bool right = body_members(body, MEMBERS, MEMBER_COUNT, BYTES(""), refusal, value);
    if (body->type != VIEW_OBJECT) return false;
    right = read_name(&reading, value[NAME], name) && right;
    right = read_cron(&reading, value[CRON]) && right;
    right = read_input(&reading, value[INPUT]) && right;
    right = read_rules(&reading, value) && right;
    right = command_reason(refusal, value[REASON], &ret_draft->reason) && right;
    right = read_zone(&reading, value[TIME_ZONE], now_ms) && right;
    right = read_definition(&reading, value[DEFINITION]) && right;
    return right && check_start(&reading);
}

bool schedule_calendar(struct exchange *exchange, struct store *store,
                       const struct schedule_row *row, struct cron *ret_cron, struct zone *ret_zone,
                       struct err *err)
{
    char fault[CRON_FAULT_SIZE];
    if (!cron_parse(row->cron, ret_cron, fault)) {
        return err_set(err, ERR_INTERNAL, "the stored cron expression %s", fault);
    }
    struct err failure;
    if (store_zone(store, row->time_zone, row->now_ms, &exchange->arena, ret_zone, &failure)) {
        return true;
    }
    if (failure.kind == ERR_INVALID) failure.kind = ERR_INTERNAL; /* it was there once */
    *err = failure;
    return false;
}

bool schedule_reason(struct exchange *exchange, struct bytes *ret_reason)
{
    static const struct member ONLY_REASON[] = {
        {"reason", IS_STRING, MEMBER_OPTIONAL}
    };
    const struct json_view *body = NULL;
    const struct json_view *value[1];
    struct refusal *const refusal = &exchange->refusal;
    *ret_reason = (struct bytes){0};
    if (exchange->body.size == 0) return true;
    return body_parse(exchange->body, refusal, &body) &&
           body_members(body, ONLY_REASON, 1, BYTES(""), refusal, value) &&
           command_reason(refusal, value[0], ret_reason);
}
