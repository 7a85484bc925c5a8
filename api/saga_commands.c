/*
 * api/saga_commands.c
 *   POST /v1/sagas/{id}/{verb}, /steps/{step}/{verb} and /signals/{name}: what is asked of a saga.
 */
#include "api/command_read.h"
#include "api/handlers.h"
#include "api/readers.h"
#include "api/results.h"
#include "api/server.h"

static enum handled refuse_command(struct exchange *exchange, const struct request *request,
                                   const struct answer *answer)
{
    const bool has_saga = answer->saga != NULL;
    if (answer->result == RESULT_NOT_FOUND && has_saga &&
        request->command.event.kind == EVENT_SIGNAL) {
        result_unknown_signal(&exchange->refusal, answer->saga->definition);
    } else if (answer->result == RESULT_NOT_ALLOWED) {
        (void)refuse(&exchange->refusal, result_conflict(request->command.event.kind, answer->saga),
                     "%s", answer->why);
    } else {
        result_refuse(&exchange->refusal, answer,
                      has_saga ? PROBLEM_STEP_NOT_FOUND : PROBLEM_SAGA_NOT_FOUND);
    }
    return exchange_refused(exchange);
}

/* Thread: engine worker. */
static void commanded(struct request *request, const struct answer *answer)
{
    struct exchange *const exchange = request->context;
    if (answer->result == RESULT_REPLAYED) {
        exchange_set_header(exchange, "Idempotent-Replayed", "true");
    }
    if (answer->result == RESULT_REPLAYED && answer->stored_answer.data != NULL) {
        (void)exchange_json(exchange, answer->stored_status,
                            bytes_copy(&exchange->arena, answer->stored_answer));
    } else if (result_is_good(answer)) {
        (void)result_saga(exchange, 202, answer->saga);
    } else {
        (void)refuse_command(exchange, request, answer);
    }
    exchange_done(exchange);
}

enum handled saga_command(struct exchange *exchange, struct store *store)
{
    (void)store;
    bool dry_run = false;
    struct request *const request = arena_alloc(&exchange->arena, sizeof(*request));
    if (!exchange_flag(exchange, "dry_run", &dry_run) ||
        !command_read(exchange, &request->command)) {
        return exchange_refused(exchange);
    }
    exchange_suspend(exchange);
    if (dry_run) {
        readers_put(exchange->api->readers, exchange, saga_preview);
        return LATER;
    }
    request->kind = REQUEST_COMMAND;
    request->done = commanded;
    request->context = exchange;
    request_key_fill(exchange, &request->key);
    engine_submit(exchange->api->engine, request);
    return LATER;
}
