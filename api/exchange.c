#include "api/exchange.h"

#include "api/text.h"
#include "orchestrator/base/log.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char JSON[] = "application/json";
static const char PROBLEM_JSON[] = "application/problem+json";

struct bytes exchange_header_in(const struct exchange *exchange, const char *name)
{
    return header_find(exchange->headers, exchange->header_count, name);
}

bool exchange_flag(struct exchange *exchange, const char *name, bool *ret_flag)
{
    const struct bytes value = uri_parameter(&exchange->uri, name);
    *ret_flag = bytes_equal_text(value, "true");
    if (value.data == NULL || *ret_flag || bytes_equal_text(value, "false")) return true;
    return refuse(&exchange->refusal, PROBLEM_INVALID_QUERY, "%s must be true or false", name);
}

bool exchange_saga_id(struct exchange *exchange, struct uuid *ret_id)
{
    if (uuid_parse(exchange->argument[0], ret_id)) return true;
    return refuse(&exchange->refusal, PROBLEM_SAGA_NOT_FOUND, "saga ids are UUIDs");
}

struct bytes exchange_actor(struct exchange *exchange)
{
    if (exchange->who.name[0] == '\0') return BYTES("anonymous");
    struct buffer actor = buffer_in(&exchange->arena);
    buffer_add_text(&actor, "key:");
    buffer_add_text(&actor, exchange->who.name);
    return buffer_bytes(&actor);
}

static void set_header(struct response *response, const char *name, const char *value)
{
    size_t i = 0;
    while (i < response->header_count && strcmp(response->headers[i].name, name) != 0) {
        i++;
    }
    assert(i < RESPONSE_HEADERS_MAX);
    response->headers[i] = (struct response_header){name, value};
    if (i == response->header_count) response->header_count++;
}

void exchange_set_header(struct exchange *exchange, const char *name, const char *value)
{
    set_header(&exchange->response, name, value);
}

void exchange_set_header_format(struct exchange *exchange, const char *name, const char *format,
                                ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    assert(size >= 0 && (size_t)size < sizeof(text));
    set_header(&exchange->response, name, arena_copy(&exchange->arena, text, (size_t)size));
}

enum handled exchange_json(struct exchange *exchange, uint16_t status, struct bytes body)
{
    exchange->response.status = status;
    exchange->response.content_type = JSON;
    exchange->response.body = body;
    return ANSWERED;
}

enum handled exchange_content(struct exchange *exchange, const char *type, struct bytes body)
{
    exchange->response.status = 200;
    exchange->response.content_type = type;
    exchange->response.body = body;
    return ANSWERED;
}

static void write_refusal(const struct refusal *refusal, const char *request_id,
                          struct response *response)
{
    const uint16_t status = problem_row(refusal->problem)->status;
    struct buffer body = buffer_in(refusal->arena);
    problem_write(&body, refusal, request_id);
    response->status = status;
    response->content_type = PROBLEM_JSON;
    response->body = buffer_bytes(&body);
    if (status == 429 || status == 503) set_header(response, "Retry-After", "1");
    if (status == 401) set_header(response, "WWW-Authenticate", "Bearer realm=\"sagad\"");
}

enum handled exchange_refused(struct exchange *exchange)
{
    if (exchange->refusal.problem == PROBLEM_NONE) exchange->refusal.problem = PROBLEM_INTERNAL;
    write_refusal(&exchange->refusal, exchange->request_id, &exchange->response);
    return ANSWERED;
}

enum handled exchange_problem(struct exchange *exchange, enum problem problem, const char *format,
                              ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    (void)refuse(&exchange->refusal, problem, "%s", text);
    return exchange_refused(exchange);
}

enum handled exchange_failed(struct exchange *exchange, const struct err *err, enum problem missing)
{
    const enum problem problem = problem_of_err(err, missing);
    if (problem == PROBLEM_INTERNAL) {
        log_event(LOG_ERROR, "request_failed", "request_id=%s reason=\"%s\"", exchange->request_id,
                  err->text);
    } else if (problem == PROBLEM_UNAVAILABLE) {
        log_event(LOG_DEBUG, "request_unavailable", "request_id=%s reason=\"%s\"",
                  exchange->request_id, err->text);
    }
    if (exchange->refusal.problem == PROBLEM_NONE) exchange->refusal.problem = problem;
    return exchange_refused(exchange);
}

void exchange_time_out(struct exchange *exchange, struct response *ret_response)
{
    const struct refusal refusal = {.arena = &exchange->late_arena, .problem = PROBLEM_TIMEOUT};
    *ret_response = (struct response){0};
    write_refusal(&refusal, exchange->request_id, ret_response);
}
