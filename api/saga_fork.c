/*
 * api/saga_fork.c
 *   POST /v1/sagas/{id}/fork: a new saga out of one that is over or stuck.
 *
 * A saga that is over does not change any more, and of a stuck one only what it was started with is
 * read: so it is read here, and what the engine commits is a start like any other.
 */
#include "api/body.h"
#include "api/command_read.h"
#include "api/handlers.h"
#include "api/preview.h"
#include "api/results.h"
#include "api/saga_read.h"
#include "api/server.h"
#include "orchestrator/base/clock.h"
#include "sagas/machine/fork.h"

#include <string.h>

struct forking {
    struct exchange *exchange;
    struct store *store;
    struct uuid saga_id;
    bool has_if_match, dry_run;
    uint32_t if_match;
    const struct json_view *from, *input;
    struct bytes reason;
    struct saga *saga; /* the first one */
    struct fork fork;
    struct request request;
};

/* ---- reading ---- */

static bool read_body(struct forking *forking)
{
    static const struct member MEMBERS[] = {
        {"reason", IS_STRING,   MEMBER_OPTIONAL},
        {"from",   IS_STRING,   MEMBER_OPTIONAL},
        {"input",  IS_ANYTHING, MEMBER_OPTIONAL},
    };
    struct refusal *const refusal = &forking->exchange->refusal;
    const struct json_view *body = NULL;
    const struct json_view *value[3] = {0};
    if (forking->exchange->body.size > 0) {
        if (!body_parse(forking->exchange->body, refusal, &body)) return false;
        if (!body_members(body, MEMBERS, 3, BYTES(""), refusal, value)) return false;
    }
    forking->from = value[1];
    forking->input = value[2];
    if (forking->input != NULL && forking->input->text.size > PAYLOAD_SIZE_MAX) {
        (void)refuse(refusal, PROBLEM_INPUT_TOO_LARGE, "the input is larger than 256 KiB");
        return refuse_at(refusal, BYTES("/input"), "is larger than 256 KiB");
    }
    return command_reason(refusal, value[0], &forking->reason);
}

static bool read_all(struct forking *forking)
{
    struct exchange *const exchange = forking->exchange;
    return exchange_flag(exchange, "dry_run", &forking->dry_run) &&
           exchange_saga_id(exchange, &forking->saga_id) &&
           command_if_match(exchange, &forking->has_if_match, &forking->if_match) &&
           read_body(forking);
}

/* ---- answers ---- */

static void answer_forked(struct exchange *exchange, const struct saga *saga, bool replayed)
{
    char id[UUID_TEXT_SIZE];
    uuid_print(&saga->id, id);
    exchange_set_header_format(exchange, "Location", "/v1/sagas/%s", id);
    if (replayed) exchange_set_header(exchange, "Idempotent-Replayed", "true");
    (void)result_saga(exchange, 202, saga);
}

/* Thread: engine worker. */
static void forked(struct request *request, const struct answer *answer)
{
    struct exchange *const exchange = request->context;
    admission_leave(&exchange->api->admission, 1);
    if (result_is_good(answer)) {
        answer_forked(exchange, answer->saga, answer->result == RESULT_REPLAYED);
    } else {
        result_refuse(&exchange->refusal, answer, PROBLEM_SAGA_NOT_FOUND);
        (void)exchange_refused(exchange);
    }
    exchange_done(exchange);
}

/*
 * Before anything is judged: what was forked once stays so, whatever became of the first saga. Two
 * at the same moment are the engine's to tell apart.
 */
static bool answer_from_key(struct forking *forking)
{
    struct exchange *const exchange = forking->exchange;
    struct request_key *const key = &forking->request.key;
    struct request_key_row row = {0};
    struct saga *saga = NULL;
    struct err err;
    if (forking->dry_run) return false;
    request_key_fill(exchange, key);
    if (key->key.data == NULL) return false;
    if (!store_load_keys(forking->store, &key->key, 1, &exchange->arena, &row, &err)) {
        (void)exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
        return true;
    }
    if (!row.found) return false;
    if (!row.has_saga || memcmp(row.fingerprint, key->fingerprint, FINGERPRINT_SIZE) != 0) {
        (void)exchange_problem(exchange, PROBLEM_KEY_REUSED,
                               "this Idempotency-Key stands for another request");
    } else if (!saga_read(exchange, forking->store, &row.saga_id, &saga, &err)) {
        (void)exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
    } else {
        answer_forked(exchange, saga, true);
    }
    return true;
}

/* ---- judging; false: refused ---- */

static bool load(struct forking *forking)
{
    struct exchange *const exchange = forking->exchange;
    struct err err;
    if (!saga_read(exchange, forking->store, &forking->saga_id, &forking->saga, &err)) {
        (void)exchange_failed(exchange, &err, PROBLEM_SAGA_NOT_FOUND);
        return false;
    }
    if (!forking->has_if_match || forking->if_match == forking->saga->revision) return true;
    (void)exchange_problem(exchange, PROBLEM_STALE, "the current ETag is \"%u\"",
                           forking->saga->revision);
    return false;
}

static bool plan(struct forking *forking)
{
    struct exchange *const exchange = forking->exchange;
    const struct definition *const definition = forking->saga->definition;
    struct bytes why = {0};
    int from = -1;
    if (forking->from != NULL) {
        from = definition_find_step(definition, forking->from->string);
        if (from < 0) {
            (void)refuse_at(&exchange->refusal, BYTES("/from"),
                            "names no step of version %u of %.*s", definition->version,
                            (int)definition->name.size, definition->name.data);
            (void)exchange_refused(exchange);
            return false;
        }
    }
    if (!fork_plan(forking->saga, from, &exchange->arena, &forking->fork, &why)) {
        (void)exchange_problem(exchange, PROBLEM_NOT_ALLOWED, "%.*s", (int)why.size, why.data);
        return false;
    }
    forking->fork.actor = exchange_actor(exchange);
    forking->fork.reason = forking->reason;
    return true;
}

/* What was given inline has no name that could be paused or deprecated. */
static bool may_start(struct forking *forking)
{
    struct exchange *const exchange = forking->exchange;
    const struct definition *const definition = forking->saga->definition;
    struct registered found = {0};
    struct err err;
    if (definition->version == 0) return true;
    if (!registry_by_name(exchange->api->registry, forking->store, definition->name,
                          definition->version, &found, &err)) {
        (void)exchange_failed(exchange, &err, PROBLEM_DEFINITION_NOT_FOUND);
        return false;
    }
    forking->fork.held = found.paused;
    if (!found.deprecated) return true;
    (void)exchange_problem(exchange, PROBLEM_DEPRECATED, "version %u of '%.*s' is deprecated",
                           definition->version, (int)definition->name.size, definition->name.data);
    return false;
}

static struct bytes input_of(const struct forking *forking)
{
    return forking->input != NULL ? forking->input->text : forking->saga->input;
}

/* ---- what it would do ---- */

static struct saga *new_saga(const struct forking *forking)
{
    struct saga *const saga = saga_new(&forking->exchange->arena, forking->saga->definition);
    saga->input = input_of(forking);
    saga->labels = forking->saga->labels;
    saga->created_at_ms = clock_wall_ms();
    return saga;
}

static enum handled preview(struct forking *forking)
{
    struct exchange *const exchange = forking->exchange;
    struct arena *const arena = &exchange->arena;
    struct schema_report report;
    struct expression_error error;
    struct decision decision = {0};
    uint64_t random = 0;
    struct saga *const saga = new_saga(forking);
    struct decide_context context = {
        .now_ms = saga->created_at_ms, .random = &random, .arena = arena};
    if (!saga_input_fits(saga->definition, saga->input, forking->input, arena, &report)) {
        result_refuse_value(&exchange->refusal, "/input", &report);
        return exchange_refused(exchange);
    }
    if (!saga_attributes(saga, arena, &saga->attributes, &error)) {
        (void)refuse_at(&exchange->refusal, BYTES("/input"), "%s", error.detail);
        return exchange_refused(exchange);
    }
    for (size_t i = 0; i < fork_event_count(&forking->fork); i++) {
        const struct event event = fork_event(&forking->fork, i);
        saga_decide(saga, &event, &context, &decision);
    }
    exchange_set_header_format(exchange, "ETag", "\"%u\"", forking->saga->revision);
    return exchange_json(exchange, 200, preview_text(new_saga(forking), saga, &decision, arena));
}

enum handled saga_fork(struct exchange *exchange, struct store *store)
{
    struct forking *const forking = arena_alloc(&exchange->arena, sizeof(*forking));
    *forking = (struct forking){.exchange = exchange, .store = store};
    if (!read_all(forking)) return exchange_refused(exchange);
    if (answer_from_key(forking)) return ANSWERED;
    if (!admission_has_room(&exchange->api->admission)) {
        return exchange_problem(exchange, PROBLEM_OVERLOADED, "%s", ADMISSION_REFUSAL);
    }
    if (!load(forking) || !plan(forking) || !may_start(forking)) return ANSWERED;
    if (forking->dry_run) return preview(forking);

    struct request *const request = &forking->request;
    request->kind = REQUEST_START;
    request->done = forked;
    request->context = exchange;
    request->start = (struct start_request){
        .definition = forking->saga->definition,
        .definition_paused = forking->fork.held,
        .input = input_of(forking),
        .input_view = forking->input,
        .labels = forking->saga->labels,
        .fork = &forking->fork,
    };
    admission_enter(&exchange->api->admission, 1);
    engine_submit(exchange->api->engine, request);
    return LATER;
}
