/*
 * api/saga_start.c
 *   POST /v1/sagas.
 */
#include "api/body.h"
#include "api/handlers.h"
#include "api/readers.h"
#include "api/results.h"
#include "api/saga_read.h"
#include "api/server.h"
#include "api/start_read.h"
#include "api/text.h"
#include "api/waiters.h"
#include "orchestrator/base/clock.h"

static bool is_end(const struct saga *saga)
{
    return saga_is_finished(saga->state) || saga->state == SAGA_STUCK;
}

static void add_location(struct exchange *exchange, const struct saga *saga)
{
    char id[UUID_TEXT_SIZE];
    uuid_print(&saga->id, id);
    exchange_set_header_format(exchange, "Location", "/v1/sagas/%s", id);
}

static void add_applied(struct exchange *exchange)
{
    exchange_set_header_format(exchange, "Preference-Applied", "wait=%u", exchange->wait_ms / 1000);
}

/* Prefer: wait=n. True: the exchange sleeps until its saga ends. Thread: engine worker. */
static bool waits(struct exchange *exchange, const struct saga *saga)
{
    if (exchange->wait_ms == 0 || is_end(saga)) return false;
    exchange->wait = (struct wait_entry){
        .saga_id = saga->id,
        .what = WAIT_END,
        .until_ms = clock_monotonic_ms() + exchange->wait_ms,
    };
    waiters_add(exchange->api->waiters, exchange);
    return waiters_park(exchange->api->waiters, exchange, saga->revision);
}

static enum handled answer_start(struct exchange *exchange, const struct answer *answer)
{
    if (!result_is_good(answer)) {
        result_refuse(&exchange->refusal, answer, PROBLEM_SAGA_NOT_FOUND);
        return exchange_refused(exchange);
    }
    const struct saga *saga = answer->saga;
    const bool replayed = answer->result == RESULT_REPLAYED;
    const bool has_ended = exchange->wait_ms > 0 && is_end(saga);
    add_location(exchange, saga);
    if (has_ended) add_applied(exchange);
    if (replayed) exchange_set_header(exchange, "Idempotent-Replayed", "true");
    if (replayed && !has_ended) saga = result_as_started(&exchange->arena, saga);
    return result_saga(exchange, answer->result == RESULT_EXISTS ? 200 : 201, saga);
}

/* Thread: engine worker. */
static void started(struct request *request, const struct answer *answer)
{
    struct exchange *const exchange = request->context;
    admission_leave(&exchange->api->admission, 1);
    (void)answer_start(exchange, answer);
    if (result_is_good(answer) && waits(exchange, answer->saga)) return;
    exchange_done(exchange);
}

/* The ordinary answer is there already; the end takes its place where it came in time. */
enum handled saga_start_waited(struct exchange *exchange, struct store *store)
{
    struct saga *saga = NULL;
    struct err err;
    const uint16_t status = exchange->response.status;
    if (!saga_read(exchange, store, &exchange->wait.saga_id, &saga, &err) || !is_end(saga)) {
        return ANSWERED;
    }
    add_applied(exchange);
    return result_saga(exchange, status, saga);
}

enum handled saga_start(struct exchange *exchange, struct store *store)
{
    const struct json_view *body = NULL;
    struct request *const request = arena_alloc(&exchange->arena, sizeof(*request));
    const struct bytes prefer = exchange_header_in(exchange, "Prefer");
    if (!admission_has_room(&exchange->api->admission)) {
        return exchange_problem(exchange, PROBLEM_OVERLOADED, "%s", ADMISSION_REFUSAL);
    }
    if (!body_parse(exchange->body, &exchange->refusal, &body)) return exchange_refused(exchange);
    switch (start_read(exchange, store, body, BYTES(""), &exchange->refusal, &request->start)) {
    case START_REFUSED: return exchange_refused(exchange);
    case START_NEEDS_STORE:
        exchange->refusal = (struct refusal){.arena = &exchange->arena};
        exchange_suspend(exchange);
        readers_put(exchange->api->readers, exchange, saga_start);
        return LATER;
    case START_READY: break;
    }
    exchange->wait_ms = 0;
    if (prefer.data != NULL) (void)text_prefer_wait(prefer, &exchange->wait_ms);
    if (exchange->wait_ms > WAIT_MS_MAX) exchange->wait_ms = WAIT_MS_MAX;
    request->kind = REQUEST_START;
    request->done = started;
    request->context = exchange;
    request_key_fill(exchange, &request->key);
    if (store == NULL) exchange_suspend(exchange);
    admission_enter(&exchange->api->admission, 1);
    engine_submit(exchange->api->engine, request);
    return LATER;
}
