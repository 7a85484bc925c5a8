/*
 * api/meta.c
 *   Probes, metrics, documents: what asks nothing of the database.
 */
#include "api/documents.h"
#include "api/handlers.h"
#include "api/pulse.h"
#include "api/server.h"
#include "api/text.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/store/store.h"
#include "orchestrator/telemetry/metrics.h"
#include "sagas/base/json_view.h"

#include <inttypes.h>
#include <string.h>

enum handled meta_livez(struct exchange *exchange, struct store *store)
{
    (void)store;
    return exchange_json(exchange, 200, BYTES("{\"status\":\"alive\"}"));
}

/* ---- readiness ---- */

struct probe {
    const char *name;
    bool is_up;
    bool counts; /* being down makes the node not ready */
    const char *detail;
};

enum { PROBE_COUNT = 5 };

static void ask(struct api *api, struct probe ret_probes[PROBE_COUNT])
{
    struct engine_health health;
    engine_health(api->engine, &health);
    const bool stops = health.stopping || atomic_load(&api->stopping);
    const struct probe probes[PROBE_COUNT] = {
        {"database",     pulse_is_up(api->pulse), true,  "PostgreSQL answers"                        },
        {"broker",       health.broker_up,        false, "a Kafka broker answers; commands can leave"},
        {"outbox",       !health.full,            true,  "room for sagas whose commands wait"        },
        {"workers",      !health.stalled,         true,  "every worker makes progress"               },
        {"not_stopping", !stops,                  true,  "the node is not on its way out"            },
    };
    memcpy(ret_probes, probes, sizeof(probes));
}

static bool is_excluded(const struct exchange *exchange, const char *name)
{
    for (size_t i = 0; i < exchange->uri.parameter_count; i++) {
        const struct parameter *const parameter = &exchange->uri.parameters[i];
        if (bytes_equal_text(parameter->name, "exclude") &&
            bytes_equal_text(parameter->value, name)) {
            return true;
        }
    }
    return false;
}

static void write_probes(struct buffer *body, const struct exchange *exchange,
                         const struct probe probes[PROBE_COUNT])
{
    buffer_add_text(body, ",\"checks\":[");
    for (size_t i = 0; i < PROBE_COUNT; i++) {
        const bool is_left_out = is_excluded(exchange, probes[i].name);
        buffer_add_format(body, "%s{\"name\":\"%s\",\"state\":\"%s\",\"required\":%s,\"detail\":",
                          i > 0 ? "," : "", probes[i].name,
                          is_left_out       ? "excluded"
                          : probes[i].is_up ? "up"
                                            : "down",
                          probes[i].counts ? "true" : "false");
        json_write_text(body, probes[i].detail);
        buffer_add_char(body, '}');
    }
    buffer_add_char(body, ']');
}

enum handled meta_readyz(struct exchange *exchange, struct store *store)
{
    struct probe probes[PROBE_COUNT];
    struct buffer body = buffer_in(&exchange->arena);
    bool is_ready = true;
    (void)store;
    ask(exchange->api, probes);
    for (size_t i = 0; i < PROBE_COUNT; i++) {
        if (probes[i].counts && !probes[i].is_up && !is_excluded(exchange, probes[i].name)) {
            is_ready = false;
        }
    }
    buffer_add_text(&body, is_ready ? "{\"status\":\"ready\"" : "{\"status\":\"not ready\"");
    const struct bytes verbose = uri_parameter(&exchange->uri, "verbose");
    if ((verbose.data != NULL && !bytes_equal_text(verbose, "false")) || !is_ready) {
        write_probes(&body, exchange, probes);
    }
    buffer_add_char(&body, '}');
    if (!is_ready) exchange_set_header(exchange, "Retry-After", "1");
    return exchange_json(exchange, is_ready ? 200 : 503, buffer_bytes(&body));
}

/* ---- metrics and version ---- */

enum handled meta_metrics(struct exchange *exchange, struct store *store)
{
    struct buffer body = buffer_in(&exchange->arena);
    (void)store;
    metrics_render(&body);
    return exchange_content(exchange, "text/plain; version=0.0.4; charset=utf-8",
                            buffer_bytes(&body));
}

enum handled meta_version(struct exchange *exchange, struct store *store)
{
    struct buffer body = buffer_in(&exchange->arena);
    (void)store;
    buffer_add_text(&body, "{\"name\":\"sagad\",\"version\":");
    json_write_text(&body, exchange->api->version);
    buffer_add_text(&body, ",\"commit\":");
    json_write_text(&body, exchange->api->commit);
    buffer_add_format(&body, ",\"schema\":%" PRIu32 "}", store_schema_newest());
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

/* ---- documents ---- */

enum handled meta_openapi(struct exchange *exchange, struct store *store)
{
    (void)store;
    return exchange_json(exchange, 200, document_openapi());
}

enum handled meta_asyncapi(struct exchange *exchange, struct store *store)
{
    (void)store;
    return exchange_json(exchange, 200, document_asyncapi());
}

enum handled meta_schema(struct exchange *exchange, struct store *store)
{
    (void)store;
    if (!bytes_equal_text(exchange->argument[0], "saga-definition-1.json")) {
        return exchange_problem(exchange, PROBLEM_DOCUMENT_NOT_FOUND,
                                "there is saga-definition-1.json");
    }
    return exchange_content(exchange, "application/schema+json", document_definition_schema());
}

/* A browser says that it likes HTML better; programs say nothing, or JSON. */
static bool wants_page(const struct exchange *exchange)
{
    const struct bytes accept = exchange_header_in(exchange, "Accept");
    return accept.data != NULL && text_accepts(accept, "text/html") &&
           strstr(accept.data, "text/html") != NULL;
}

enum handled meta_problems(struct exchange *exchange, struct store *store)
{
    struct buffer body = buffer_in(&exchange->arena);
    (void)store;
    if (wants_page(exchange)) {
        problem_list_html(&body);
        return exchange_content(exchange, "text/html; charset=utf-8", buffer_bytes(&body));
    }
    problem_list_json(&body);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}

enum handled meta_problem(struct exchange *exchange, struct store *store)
{
    struct buffer body = buffer_in(&exchange->arena);
    const enum problem problem = problem_by_slug(exchange->argument[0]);
    (void)store;
    if (problem == PROBLEM_NONE) {
        return exchange_problem(exchange, PROBLEM_DOCUMENT_NOT_FOUND, "no problem of this name");
    }
    if (wants_page(exchange)) {
        problem_write_html(&body, problem);
        return exchange_content(exchange, "text/html; charset=utf-8", buffer_bytes(&body));
    }
    problem_write_json(&body, problem);
    return exchange_json(exchange, 200, buffer_bytes(&body));
}
