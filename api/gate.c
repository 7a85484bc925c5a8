#include "api/gate.h"

#include "api/body.h"
#include "api/server.h"
#include "api/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct bytes trimmed(struct bytes value)
{
    while (value.size > 0 && strchr(" \t", value.data[value.size - 1]) != NULL) {
        value.size--;
    }
    return value;
}

/* The connection's memory ends with the connection; a late job may outlive it. */
static void copy_headers(struct exchange *exchange, const struct arrival *arrival)
{
    struct header *const headers =
        arena_array(&exchange->arena, arrival->header_count, sizeof(struct header));
    for (size_t i = 0; i < arrival->header_count; i++) {
        headers[i].name = bytes_copy(&exchange->arena, arrival->headers[i].name);
        headers[i].value = bytes_copy(&exchange->arena, trimmed(arrival->headers[i].value));
    }
    exchange->headers = headers;
    exchange->header_count = arrival->header_count;
    const char *const method = strcmp(arrival->method, "HEAD") == 0 ? "GET" : arrival->method;
    exchange->method = bytes_copy(&exchange->arena, bytes_of(method));
}

static void name_request(struct exchange *exchange)
{
    const struct bytes given = exchange_header_in(exchange, "X-Request-Id");
    if (given.data != NULL && text_is_request_id(given)) {
        (void)snprintf(exchange->request_id, sizeof(exchange->request_id), "%.*s", (int)given.size,
                       given.data);
    } else {
        server_next_request_id(exchange->api, exchange->request_id);
    }
}

static bool refuse_and_close(struct exchange *exchange, enum problem problem, const char *what)
{
    exchange->must_close = true;
    return refuse(&exchange->refusal, problem, "%s", what);
}

static bool check_head(struct exchange *exchange, const struct arrival *arrival)
{
    const struct head head = {arrival->version, arrival->headers, arrival->header_count};
    const char *what = arrival->framing_fault;
    if (arrival->has_more_headers || arrival->head_size > HEAD_SIZE_MAX) {
        return refuse_and_close(exchange, PROBLEM_HEADERS_TOO_LARGE,
                                "the request's head is larger than 16 KiB or 100 headers");
    }
    if (what == NULL) (void)framing_check(&head, &what);
    if (what != NULL) return refuse_and_close(exchange, PROBLEM_BAD_REQUEST, what);
    return true;
}

static bool check_target(struct exchange *exchange, const struct arrival *arrival)
{
    (void)arrival;
    const char *what = NULL;
    if (exchange->target.size > TARGET_SIZE_MAX) {
        return refuse_and_close(exchange, PROBLEM_URI_TOO_LONG, "the target is over 8 KiB");
    }
    if (uri_parse(exchange->target, &exchange->arena, &exchange->uri, &what)) return true;
    return refuse_and_close(exchange, PROBLEM_BAD_REQUEST, what);
}

static bool check_route(struct exchange *exchange, const struct arrival *arrival)
{
    char allow[ALLOW_SIZE];
    switch (routes_find(arrival->side, exchange->method, &exchange->uri, &exchange->route,
                        exchange->argument, allow)) {
    case ROUTE_FOUND: return true;
    case ROUTE_NO_METHOD:
        exchange_set_header_format(exchange, "Allow", "%s", allow);
        return refuse(&exchange->refusal, PROBLEM_METHOD_NOT_ALLOWED, "this path takes %s", allow);
    case ROUTE_NO_PATH: break;
    }
    return refuse(&exchange->refusal, PROBLEM_NO_ROUTE, "no route has this path");
}

/* The scheme is Bearer, in any case; the rest is the key. */
static struct bytes bearer(struct bytes authorization)
{
    const size_t size = sizeof("Bearer ") - 1;
    if (authorization.size <= size || strncasecmp(authorization.data, "Bearer ", size) != 0) {
        return (struct bytes){0};
    }
    return (struct bytes){authorization.data + size, authorization.size - size};
}

static bool check_key(struct exchange *exchange, const struct arrival *arrival)
{
    const enum role needed = exchange->route->role;
    struct keys *const keys = exchange->api->keys;
    if (arrival->side == SIDE_ADMIN || needed == ROLE_NOBODY) return true;
    if (keys == NULL) {
        exchange->who.role = ROLE_ADMIN; /* --insecure: on a loopback address only */
        return true;
    }
    const struct bytes key = bearer(exchange_header_in(exchange, "Authorization"));
    if (key.data == NULL) {
        return refuse(&exchange->refusal, PROBLEM_UNAUTHENTICATED,
                      "send Authorization: Bearer KEY");
    }
    if (!keys_find(keys, key, &exchange->who)) {
        return refuse(&exchange->refusal, PROBLEM_UNAUTHENTICATED, "this key is not known here");
    }
    if (exchange->who.role >= needed) return true;
    return refuse(&exchange->refusal, PROBLEM_FORBIDDEN, "this needs the role %s; the key has %s",
                  role_name(needed), role_name(exchange->who.role));
}

/* An answer that may never end is for those who ask for it by name, not for whoever takes anything.
 */
static bool wants_endless(const struct route *route, struct bytes accept)
{
    if (route->produces != PRODUCES_EVENTS) return true;
    return accept.data != NULL && strstr(accept.data, "text/event-stream") != NULL;
}

static bool check_accept(struct exchange *exchange, const struct arrival *arrival)
{
    (void)arrival;
    static const char *const TYPES[][2] = {
        [PRODUCES_JSON] = {"application/json",        "application/problem+json"    },
        [PRODUCES_TEXT] = {"text/plain",              "application/openmetrics-text"},
        [PRODUCES_PAGE] = {"application/json",        "text/html"                   },
        [PRODUCES_SCHEMA] = {"application/schema+json", "application/json"            },
        [PRODUCES_EVENTS] = {"text/event-stream",       "text/event-stream"           },
    };
    const struct bytes accept = exchange_header_in(exchange, "Accept");
    const char *const *const types = TYPES[exchange->route->produces];
    const bool is_accepted = text_accepts(accept, types[0]) || text_accepts(accept, types[1]);
    if (is_accepted && wants_endless(exchange->route, accept)) return true;
    return refuse(&exchange->refusal, PROBLEM_NOT_ACCEPTABLE, "this route answers with %s",
                  types[0]);
}

static bool check_query(struct exchange *exchange, const struct arrival *arrival)
{
    (void)arrival;
    for (size_t i = 0; i < exchange->uri.parameter_count; i++) {
        const struct bytes name = exchange->uri.parameters[i].name;
        if (route_knows(exchange->route, name)) continue;
        const struct bytes shown = body_shown(name);
        return refuse(&exchange->refusal, PROBLEM_INVALID_QUERY,
                      "unknown query parameter '%.*s'; known here: %s", (int)shown.size, shown.data,
                      exchange->route->query[0] != '\0' ? exchange->route->query : "none");
    }
    return true;
}

static bool check_idempotency_key(struct exchange *exchange, const struct arrival *arrival)
{
    (void)arrival;
    const struct bytes key = exchange_header_in(exchange, "Idempotency-Key");
    if (key.data == NULL || text_is_key(key)) return true;
    return refuse(&exchange->refusal, PROBLEM_INVALID_HEADER,
                  "Idempotency-Key is 1 to 255 visible ASCII characters");
}

uint64_t gate_body_size(const struct exchange *exchange)
{
    uint64_t size = 0;
    if (exchange_header_in(exchange, "Transfer-Encoding").data != NULL) return UINT64_MAX;
    const struct bytes length = exchange_header_in(exchange, "Content-Length");
    if (length.data != NULL) (void)text_number(length, UINT64_MAX, &size);
    return size;
}

static bool check_body(struct exchange *exchange, const struct arrival *arrival)
{
    (void)arrival;
    const struct route *const route = exchange->route;
    const uint64_t size = gate_body_size(exchange);
    if (size != UINT64_MAX && size > route->body_max) {
        return refuse(&exchange->refusal, PROBLEM_TOO_LARGE,
                      "the body has %" PRIu64 " bytes; %" PRIu32 " is the most here", size,
                      route->body_max);
    }
    if (route->body == BODY_NONE || !exchange->has_body) return true;
    const struct bytes type = exchange_header_in(exchange, "Content-Type");
    if (type.data != NULL && text_is_media_type(type, "application/json")) return true;
    return refuse(&exchange->refusal, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                  "send Content-Type: application/json");
}

/* Before the body is looked at; reads, commands and replies help to get rid of work. */
static bool check_room(struct exchange *exchange, const struct arrival *arrival)
{
    (void)arrival;
    if (!route_starts_sagas(exchange->route)) return true;
    if (admission_has_room(&exchange->api->admission)) return true;
    return refuse(&exchange->refusal, PROBLEM_OVERLOADED, "%s", ADMISSION_REFUSAL);
}

typedef bool check(struct exchange *exchange, const struct arrival *arrival);

bool gate_pass(struct exchange *exchange, const struct arrival *arrival)
{
    static check *const CHECKS[] = {
        check_head,  check_target,          check_route, check_key,  check_accept,
        check_query, check_idempotency_key, check_body,  check_room,
    };
    exchange->refusal.arena = &exchange->arena;
    copy_headers(exchange, arrival);
    name_request(exchange);
    exchange->has_body = gate_body_size(exchange) > 0;
    for (size_t i = 0; i < sizeof(CHECKS) / sizeof(CHECKS[0]); i++) {
        if (!CHECKS[i](exchange, arrival)) return false;
    }
    return true;
}
