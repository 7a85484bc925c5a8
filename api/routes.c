#include "api/routes.h"

#include "api/handlers.h"
#include "orchestrator/store/topic_rows.h"
#include "sagas/machine/machine.h"

#include <stdio.h>
#include <string.h>

enum {
    IGNORED_MAX = 64 * 1024, /* a body where none is expected is dropped */
    BODY_MAX = 1024 * 1024,
    BULK_MAX = 8 * 1024 * 1024,
    COMMAND_MAX = 512 * 1024, /* an output of 256 KiB and the rest */
};

#define FILTER_QUERY                                                                               \
    "state definition version label attribute attention parent created_after created_before"
#define PAGE_QUERY     "limit cursor"
#define SAGAS_QUERY    FILTER_QUERY " " PAGE_QUERY
#define COUNT_QUERY    FILTER_QUERY " exact"
#define FAILURES_QUERY "state definition " PAGE_QUERY
#define EXPOSURE_QUERY "state definition topic kind currency " PAGE_QUERY
#define LOCKS_QUERY    "definition key waiting " PAGE_QUERY
#define BATCHES_QUERY  "state " PAGE_QUERY
#define EVENTS_QUERY   "state definition version type label attribute"
#define ITEMS_QUERY    "failed " PAGE_QUERY

/* One row is one route, read across. */
/* clang-format off */
const struct route ROUTES[] = {
    {"POST", "/v1/sagas",                                           ROLE_SUBMITTER, SIDE_API,  PLACE_HTTP,   saga_start,          "",                BODY_REQUIRED, BODY_MAX,    PRODUCES_JSON,   0},
    {"POST", "/v1/sagas/bulk",                                      ROLE_SUBMITTER, SIDE_API,  PLACE_HTTP,   saga_start_bulk,     "",                BODY_REQUIRED, BULK_MAX,    PRODUCES_JSON,   0},
    {"POST", "/v1/replies",                                         ROLE_NOBODY,    SIDE_API,  PLACE_HTTP,   reply_take,          "",                BODY_REQUIRED, COMMAND_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/sagas",                                           ROLE_READER,    SIDE_API,  PLACE_READER, saga_list,           SAGAS_QUERY,       BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/sagas/count",                                     ROLE_READER,    SIDE_API,  PLACE_READER, saga_count,          COUNT_QUERY,       BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},

    {"GET",  "/v1/sagas/{id}",                                      ROLE_READER,    SIDE_API,  PLACE_READER, saga_show,           "wait",            BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},

    {"GET",  "/v1/sagas/{id}/steps",                                ROLE_READER,    SIDE_API,  PLACE_READER, saga_steps,          "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/sagas/{id}/steps/{step}",                         ROLE_READER,    SIDE_API,  PLACE_READER, saga_step,           "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/sagas/{id}/history",                              ROLE_READER,    SIDE_API,  PLACE_READER, saga_history,        PAGE_QUERY,        BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/sagas/{id}/events/stream",                        ROLE_READER,    SIDE_API,  PLACE_READER, saga_stream,         "",                BODY_NONE,     IGNORED_MAX, PRODUCES_EVENTS, 0},
    {"GET",  "/v1/sagas/{id}/why",                                  ROLE_READER,    SIDE_API,  PLACE_READER, saga_why_show,       "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/sagas/{id}/export",                               ROLE_READER,    SIDE_API,  PLACE_READER, saga_export,         "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},

    {"POST", "/v1/sagas/{id}/cancel",                               ROLE_OPERATOR,  SIDE_API,  PLACE_HTTP,   saga_command,        "dry_run",         BODY_OPTIONAL, COMMAND_MAX, PRODUCES_JSON,   EVENT_CANCEL},
    {"POST", "/v1/sagas/{id}/pause",                                ROLE_OPERATOR,  SIDE_API,  PLACE_HTTP,   saga_command,        "dry_run",         BODY_OPTIONAL, COMMAND_MAX, PRODUCES_JSON,   EVENT_PAUSE},
    {"POST", "/v1/sagas/{id}/resume",                               ROLE_OPERATOR,  SIDE_API,  PLACE_HTTP,   saga_command,        "dry_run",         BODY_OPTIONAL, COMMAND_MAX, PRODUCES_JSON,   EVENT_RESUME},
    {"POST", "/v1/sagas/{id}/retry",                                ROLE_OPERATOR,  SIDE_API,  PLACE_HTTP,   saga_command,        "dry_run",         BODY_OPTIONAL, COMMAND_MAX, PRODUCES_JSON,   EVENT_RETRY},
    {"POST", "/v1/sagas/{id}/terminate",                            ROLE_OPERATOR,  SIDE_API,  PLACE_HTTP,   saga_command,        "dry_run",         BODY_OPTIONAL, COMMAND_MAX, PRODUCES_JSON,   EVENT_TERMINATE},
    {"POST", "/v1/sagas/{id}/fork",                                 ROLE_OPERATOR,  SIDE_API,  PLACE_READER, saga_fork,           "dry_run",         BODY_OPTIONAL, COMMAND_MAX, PRODUCES_JSON,   0},
    {"POST", "/v1/sagas/{id}/signals/{name}",                      ROLE_SUBMITTER, SIDE_API,  PLACE_HTTP,   saga_command,        "dry_run",         BODY_OPTIONAL, COMMAND_MAX, PRODUCES_JSON,   EVENT_SIGNAL},
    {"POST", "/v1/signals/{name}",                                 ROLE_SUBMITTER, SIDE_API,  PLACE_READER, saga_signal_match,   "",                BODY_REQUIRED, COMMAND_MAX, PRODUCES_JSON,   0},
    {"POST", "/v1/sagas/{id}/steps/{step}/retry",                   ROLE_OPERATOR,  SIDE_API,  PLACE_HTTP,   saga_command,        "dry_run index",   BODY_OPTIONAL, COMMAND_MAX, PRODUCES_JSON,   EVENT_STEP_RETRY},
    {"POST", "/v1/sagas/{id}/steps/{step}/skip",                    ROLE_OPERATOR,  SIDE_API,  PLACE_HTTP,   saga_command,        "dry_run index",   BODY_OPTIONAL, COMMAND_MAX, PRODUCES_JSON,   EVENT_STEP_SKIP},
    {"POST", "/v1/sagas/{id}/steps/{step}/complete",                ROLE_OPERATOR,  SIDE_API,  PLACE_HTTP,   saga_command,        "dry_run index",   BODY_OPTIONAL, COMMAND_MAX, PRODUCES_JSON,   EVENT_STEP_COMPLETE},
    {"POST", "/v1/sagas/{id}/steps/{step}/fail",                    ROLE_OPERATOR,  SIDE_API,  PLACE_HTTP,   saga_command,        "dry_run index",   BODY_OPTIONAL, COMMAND_MAX, PRODUCES_JSON,   EVENT_STEP_FAIL},

    {"POST", "/v1/definitions",                                     ROLE_ADMIN,     SIDE_API,  PLACE_READER, definition_register, "",                BODY_REQUIRED, BODY_MAX,    PRODUCES_JSON,   0},
    {"POST", "/v1/definitions/validate",                            ROLE_READER,    SIDE_API,  PLACE_READER, definition_validate, "",                BODY_REQUIRED, BODY_MAX,    PRODUCES_JSON,   0},
    {"GET",  "/v1/definitions",                                     ROLE_READER,    SIDE_API,  PLACE_READER, definition_list,     PAGE_QUERY,        BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/definitions/{name}",                              ROLE_READER,    SIDE_API,  PLACE_READER, definition_newest,   "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/definitions/{name}/versions",                     ROLE_READER,    SIDE_API,  PLACE_READER, definition_versions, "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/definitions/{name}/versions/{version}",           ROLE_READER,    SIDE_API,  PLACE_READER, definition_version,  "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/definitions/{name}/asyncapi",                     ROLE_READER,    SIDE_API,  PLACE_READER, definition_asyncapi, "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"POST", "/v1/definitions/{name}/simulate",                     ROLE_READER,    SIDE_API,  PLACE_READER, definition_simulate, "",                BODY_REQUIRED, BODY_MAX,    PRODUCES_JSON,   0},
    {"POST", "/v1/definitions/{name}/impact",                       ROLE_READER,    SIDE_API,  PLACE_READER, definition_impact,   "",                BODY_REQUIRED, BODY_MAX,    PRODUCES_JSON,   0},
    {"POST", "/v1/definitions/{name}/pause",                        ROLE_OPERATOR,  SIDE_API,  PLACE_READER, definition_switch,   "",                BODY_OPTIONAL, IGNORED_MAX, PRODUCES_JSON,   SWITCH_PAUSE},
    {"POST", "/v1/definitions/{name}/resume",                       ROLE_OPERATOR,  SIDE_API,  PLACE_READER, definition_switch,   "",                BODY_OPTIONAL, IGNORED_MAX, PRODUCES_JSON,   SWITCH_RESUME},
    {"POST", "/v1/definitions/{name}/versions/{version}/deprecate", ROLE_ADMIN,     SIDE_API,  PLACE_READER, definition_switch,   "",                BODY_OPTIONAL, IGNORED_MAX, PRODUCES_JSON,   SWITCH_DEPRECATE},
    {"POST", "/v1/definitions/{name}/versions/{version}/restore",   ROLE_ADMIN,     SIDE_API,  PLACE_READER, definition_switch,   "",                BODY_OPTIONAL, IGNORED_MAX, PRODUCES_JSON,   SWITCH_RESTORE},

    {"GET",  "/v1/exposure",                                        ROLE_READER,    SIDE_API,  PLACE_READER, exposure_show,       EXPOSURE_QUERY,    BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/events/stream",                                   ROLE_READER,    SIDE_API,  PLACE_READER, event_stream,        EVENTS_QUERY,      BODY_NONE,     IGNORED_MAX, PRODUCES_EVENTS, 0},

    {"GET",  "/v1/failures",                                        ROLE_READER,    SIDE_API,  PLACE_READER, failure_list,        FAILURES_QUERY,    BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/failures/{id}",                                   ROLE_READER,    SIDE_API,  PLACE_READER, failure_show,        "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},

    {"GET",  "/v1/locks",                                           ROLE_READER,    SIDE_API,  PLACE_READER, lock_list,           LOCKS_QUERY,       BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},

    {"POST", "/v1/batches",                                         ROLE_OPERATOR,  SIDE_API,  PLACE_READER, batch_create,        "dry_run",         BODY_REQUIRED, BULK_MAX,    PRODUCES_JSON,   0},
    {"GET",  "/v1/batches",                                         ROLE_READER,    SIDE_API,  PLACE_READER, batch_list,          BATCHES_QUERY,     BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/batches/{id}",                                    ROLE_READER,    SIDE_API,  PLACE_READER, batch_show,          "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/batches/{id}/items",                              ROLE_READER,    SIDE_API,  PLACE_READER, batch_items,         ITEMS_QUERY,       BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"POST", "/v1/batches/{id}/pause",                              ROLE_OPERATOR,  SIDE_API,  PLACE_READER, batch_steer,         "",                BODY_OPTIONAL, IGNORED_MAX, PRODUCES_JSON,   STEER_PAUSE},
    {"POST", "/v1/batches/{id}/resume",                             ROLE_OPERATOR,  SIDE_API,  PLACE_READER, batch_steer,         "",                BODY_OPTIONAL, IGNORED_MAX, PRODUCES_JSON,   STEER_RESUME},
    {"POST", "/v1/batches/{id}/stop",                               ROLE_OPERATOR,  SIDE_API,  PLACE_READER, batch_steer,         "",                BODY_OPTIONAL, IGNORED_MAX, PRODUCES_JSON,   STEER_STOP},
    {"POST", "/v1/schedules",                                       ROLE_OPERATOR,  SIDE_API,  PLACE_READER, schedule_create,     "dry_run",         BODY_REQUIRED, BODY_MAX,    PRODUCES_JSON,   0},
    {"GET",  "/v1/schedules",                                       ROLE_READER,    SIDE_API,  PLACE_READER, schedule_list,       PAGE_QUERY,        BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/schedules/{name}",                                ROLE_READER,    SIDE_API,  PLACE_READER, schedule_show,       "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"PUT",  "/v1/schedules/{name}",                                ROLE_OPERATOR,  SIDE_API,  PLACE_READER, schedule_replace,    "dry_run",         BODY_REQUIRED, BODY_MAX,    PRODUCES_JSON,   0},
    {"DELETE", "/v1/schedules/{name}",                              ROLE_OPERATOR,  SIDE_API,  PLACE_READER, schedule_delete,     "",                BODY_OPTIONAL, IGNORED_MAX, PRODUCES_JSON,   0},
    {"POST", "/v1/schedules/{name}/pause",                          ROLE_OPERATOR,  SIDE_API,  PLACE_READER, schedule_pause,      "",                BODY_OPTIONAL, IGNORED_MAX, PRODUCES_JSON,   0},
    {"POST", "/v1/schedules/{name}/resume",                         ROLE_OPERATOR,  SIDE_API,  PLACE_READER, schedule_resume,     "",                BODY_OPTIONAL, IGNORED_MAX, PRODUCES_JSON,   0},
    {"POST", "/v1/schedules/{name}/trigger",                        ROLE_OPERATOR,  SIDE_API,  PLACE_READER, schedule_trigger,    "",                BODY_OPTIONAL, IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/schedules/{name}/preview",                        ROLE_READER,    SIDE_API,  PLACE_READER, schedule_preview,    "count",           BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/schedules/{name}/history",                        ROLE_READER,    SIDE_API,  PLACE_READER, schedule_history,    PAGE_QUERY,        BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},

    {"GET",  "/v1/topics",                                          ROLE_READER,    SIDE_API,  PLACE_HTTP,   topic_list,          PAGE_QUERY,        BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/topics/{name}",                                   ROLE_READER,    SIDE_API,  PLACE_READER, topic_show,          "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"POST", "/v1/topics/{name}/pause",                             ROLE_OPERATOR,  SIDE_API,  PLACE_READER, topic_switch,        "",                BODY_OPTIONAL, IGNORED_MAX, PRODUCES_JSON,   TOPIC_PAUSE},
    {"POST", "/v1/topics/{name}/resume",                            ROLE_OPERATOR,  SIDE_API,  PLACE_READER, topic_switch,        "",                BODY_OPTIONAL, IGNORED_MAX, PRODUCES_JSON,   TOPIC_RESUME},

    {"GET",  "/v1/dead-letters",                                    ROLE_OPERATOR,  SIDE_API,  PLACE_READER, dead_letter_list,    PAGE_QUERY,        BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/v1/dead-letters/{id}",                               ROLE_OPERATOR,  SIDE_API,  PLACE_READER, dead_letter_show,    "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"POST", "/v1/dead-letters/{id}/replay",                        ROLE_OPERATOR,  SIDE_API,  PLACE_READER, dead_letter_replay,  "",                BODY_OPTIONAL, IGNORED_MAX, PRODUCES_JSON,   0},
    {"POST", "/v1/dead-letters/{id}/discard",                       ROLE_OPERATOR,  SIDE_API,  PLACE_READER, dead_letter_discard, "",                BODY_OPTIONAL, IGNORED_MAX, PRODUCES_JSON,   0},

    {"GET",  "/livez",                                              ROLE_NOBODY,    SIDE_BOTH, PLACE_HTTP,   meta_livez,          "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/readyz",                                             ROLE_NOBODY,    SIDE_BOTH, PLACE_HTTP,   meta_readyz,         "verbose exclude", BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/metrics",                                            ROLE_READER,    SIDE_BOTH, PLACE_HTTP,   meta_metrics,        "",                BODY_NONE,     IGNORED_MAX, PRODUCES_TEXT,   0},
    {"GET",  "/version",                                            ROLE_NOBODY,    SIDE_BOTH, PLACE_HTTP,   meta_version,        "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/openapi.json",                                       ROLE_NOBODY,    SIDE_BOTH, PLACE_HTTP,   meta_openapi,        "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/asyncapi.json",                                      ROLE_NOBODY,    SIDE_BOTH, PLACE_HTTP,   meta_asyncapi,       "",                BODY_NONE,     IGNORED_MAX, PRODUCES_JSON,   0},
    {"GET",  "/schemas/{name}",                                     ROLE_NOBODY,    SIDE_BOTH, PLACE_HTTP,   meta_schema,         "",                BODY_NONE,     IGNORED_MAX, PRODUCES_SCHEMA, 0},
    {"GET",  "/problems",                                           ROLE_NOBODY,    SIDE_BOTH, PLACE_HTTP,   meta_problems,       "",                BODY_NONE,     IGNORED_MAX, PRODUCES_PAGE,   0},
    {"GET",  "/problems/{slug}",                                    ROLE_NOBODY,    SIDE_BOTH, PLACE_HTTP,   meta_problem,        "",                BODY_NONE,     IGNORED_MAX, PRODUCES_PAGE,   0},
};
/* clang-format on */

const size_t ROUTE_COUNT = sizeof(ROUTES) / sizeof(ROUTES[0]);

/* Walk the pattern along the segments; what stands for braces is noted. */
static bool path_fits(const char *pattern, const struct uri *uri,
                      struct bytes ret_arguments[ARGUMENTS_MAX])
{
    size_t arguments = 0;
    size_t i = 0;
    for (; i < uri->segment_count && i < SEGMENTS_MAX && *pattern == '/'; i++) {
        const char *const name = pattern + 1;
        const size_t size = strcspn(name, "/");
        const struct bytes segment = uri->segment[i];
        pattern = name + size;
        if (*name == '{' && segment.size > 0) {
            ret_arguments[arguments++] = segment;
        } else if (segment.size != size || memcmp(segment.data, name, size) != 0) {
            return false;
        }
    }
    return i == uri->segment_count && *pattern == '\0';
}

static void add_allowed(char allow[ALLOW_SIZE], const char *method)
{
    const size_t used = strlen(allow);
    if (strstr(allow, method) != NULL) return;
    (void)snprintf(allow + used, ALLOW_SIZE - used, "%s%s%s", used > 0 ? ", " : "", method,
                   strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

enum route_match routes_find(enum side side, struct bytes method, const struct uri *uri,
                             const struct route **ret_route,
                             struct bytes ret_arguments[ARGUMENTS_MAX], char ret_allow[ALLOW_SIZE])
{
    ret_allow[0] = '\0';
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        struct bytes arguments[ARGUMENTS_MAX] = {0};
        if ((ROUTES[i].side & side) == 0 || !path_fits(ROUTES[i].pattern, uri, arguments)) continue;
        if (!bytes_equal_text(method, ROUTES[i].method)) {
            add_allowed(ret_allow, ROUTES[i].method);
            continue;
        }
        *ret_route = &ROUTES[i];
        memcpy(ret_arguments, arguments, sizeof(arguments));
        return ROUTE_FOUND;
    }
    return ret_allow[0] == '\0' ? ROUTE_NO_PATH : ROUTE_NO_METHOD;
}

bool route_knows(const struct route *route, struct bytes parameter)
{
    const char *at = route->query;
    while (*at != '\0') {
        const size_t size = strcspn(at, " ");
        if (parameter.size == size && memcmp(parameter.data, at, size) == 0) return true;
        at += size;
        at += strspn(at, " ");
    }
    return false;
}

bool route_starts_sagas(const struct route *route)
{
    return route->handle == saga_start || route->handle == saga_start_bulk;
}
