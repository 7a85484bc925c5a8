#include "api/results.h"

#include "api/render.h"
#include "api/server.h"

#include <sodium.h>

bool result_is_good(const struct answer *answer)
{
    return answer->saga != NULL &&
           (answer->result == RESULT_DONE || answer->result == RESULT_EXISTS ||
            answer->result == RESULT_REPLAYED);
}

void result_refuse_value(struct refusal *refusal, const char *member,
                         const struct schema_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct schema_fault *const fault = &report->fault[i];
        struct buffer pointer = buffer_in(refusal->arena);
        buffer_add_text(&pointer, member);
        buffer_add_bytes(&pointer, fault->pointer);
        (void)refuse_at(refusal, buffer_bytes(&pointer), "%.*s", (int)fault->detail.size,
                        fault->detail.data);
    }
    if (report->more) {
        (void)refuse_at(refusal, bytes_of(member), "has more faults than these; mend them first");
    }
}

void result_refuse(struct refusal *refusal, const struct answer *answer, enum problem missing)
{
    const char *const why = answer->why == NULL ? "" : answer->why;
    switch (answer->result) {
    case RESULT_OTHER_BODY:
        (void)refuse(refusal, PROBLEM_KEY_REUSED,
                     "this Idempotency-Key stands for another request");
        return;
    case RESULT_ID_TAKEN:
        (void)refuse(refusal, PROBLEM_ID_TAKEN, "a saga with this id exists");
        return;
    case RESULT_NOT_FOUND:
        (void)refuse(refusal, missing, "%s", why[0] != '\0' ? why : problem_row(missing)->cause);
        return;
    case RESULT_NOT_ALLOWED: (void)refuse(refusal, PROBLEM_NOT_ALLOWED, "%s", why); return;
    case RESULT_STALE:
        (void)refuse(refusal, PROBLEM_STALE, "the current ETag is \"%u\"",
                     answer->saga == NULL ? 0 : answer->saga->revision);
        return;
    case RESULT_REFUSED:
        if (answer->input_report != NULL) {
            result_refuse_value(refusal, answer->pointer == NULL ? "/input" : answer->pointer,
                                answer->input_report);
            return;
        }
        (void)refuse_at(refusal, bytes_of(answer->pointer == NULL ? "" : answer->pointer), "%s",
                        why);
        return;
    case RESULT_FULL:
        (void)refuse(refusal, PROBLEM_OVERLOADED, "%s",
                     answer->why != NULL ? answer->why : "too much is waiting to be dispatched");
        return;
    case RESULT_UNAVAILABLE: refusal->problem = PROBLEM_UNAVAILABLE; return;
    case RESULT_INTERNAL: refusal->problem = PROBLEM_INTERNAL; return;
    case RESULT_DONE:
    case RESULT_EXISTS:
    case RESULT_REPLAYED: break; /* without its saga, which should be there */
    }
    refusal->problem = PROBLEM_INTERNAL;
}

void result_unknown_signal(struct refusal *refusal, const struct definition *definition)
{
    struct buffer known = buffer_in(refusal->arena);
    for (size_t i = 0; i < definition->step_count; i++) {
        const struct step *const step = &definition->steps[i];
        if (step->kind != STEP_SIGNAL) continue;
        if (known.size > 0) buffer_add_text(&known, ", ");
        buffer_add_bytes(&known, step->signal->name);
    }
    (void)refuse(refusal, PROBLEM_SIGNAL_NOT_FOUND,
                 "no step of %.*s waits for a signal of this name; it knows %s",
                 (int)definition->name.size, definition->name.data,
                 known.size > 0 ? known.data : "none");
}

enum problem result_conflict(enum event_kind kind, const struct saga *saga)
{
    if (kind != EVENT_CANCEL || saga == NULL || saga->state != SAGA_RUNNING) {
        return PROBLEM_NOT_ALLOWED;
    }
    const int pivot = saga->definition->pivot;
    const bool is_past = pivot >= 0 && saga->steps[pivot].run[0].state == STEP_SUCCEEDED;
    return is_past ? PROBLEM_PAST_PIVOT : PROBLEM_NOT_ALLOWED;
}

/*
 * A body may be long, and BLAKE2b takes five times as long for it as SipHash. Whoever finds two
 * bodies of the same hash only hears the answer to his own first request.
 */
static struct bytes hash_of_body(struct bytes body,
                                 uint8_t hash[static crypto_shorthash_siphashx24_BYTES])
{
    static const uint8_t KEY[crypto_shorthash_siphashx24_KEYBYTES] = "sagad body";
    (void)crypto_shorthash_siphashx24(hash, (const uint8_t *)body.data, body.size, KEY);
    return (struct bytes){(const char *)hash, crypto_shorthash_siphashx24_BYTES};
}

void request_key_fill(struct exchange *exchange, struct request_key *ret_key)
{
    static const char ZERO = '\0';
    crypto_generichash_state state;
    uint8_t hash[crypto_shorthash_siphashx24_BYTES];
    ret_key->key = exchange_header_in(exchange, "Idempotency-Key");
    if (ret_key->key.data == NULL) return;
    const struct bytes parts[] = {exchange->method, exchange->uri.path,
                                  hash_of_body(exchange->body, hash)};
    (void)crypto_generichash_init(&state, NULL, 0, FINGERPRINT_SIZE);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        (void)crypto_generichash_update(&state, (const uint8_t *)parts[i].data, parts[i].size);
        (void)crypto_generichash_update(&state, (const uint8_t *)&ZERO, 1);
    }
    (void)crypto_generichash_final(&state, ret_key->fingerprint, FINGERPRINT_SIZE);
}

const struct saga *result_as_started(struct arena *arena, const struct saga *now)
{
    struct saga *const saga = saga_new(arena, now->definition);
    uint64_t random = 0;
    struct decision decision;
    struct decide_context context = {
        .now_ms = now->created_at_ms, .random = &random, .arena = arena};
    saga->id = now->id;
    saga->input = now->input;
    saga->labels = now->labels;
    saga->attributes = now->attributes;
    saga->created_at_ms = now->created_at_ms;
    saga->start_at_ms = now->start_at_ms;
    const bool is_held = now->state == SAGA_PENDING && now->paused && now->paused_by.data == NULL;
    /* Who stands in line does not start at once either. */
    const bool was_held = now->definition->concurrency != NULL
                              ? is_held && now->lock == LOCK_NONE
                              : now->start_at_ms == 0 && now->started_at_ms != now->created_at_ms;
    const struct event event = {
        .kind = EVENT_START, .step = -1, .index = INDEX_NONE, .held = was_held};
    saga_decide(saga, &event, &context, &decision);
    return saga;
}

enum handled result_saga(struct exchange *exchange, uint16_t status, const struct saga *saga)
{
    struct buffer body = buffer_in(&exchange->arena);
    render_saga(&body, saga, exchange->api->namespace_name);
    exchange_set_header_format(exchange, "ETag", "\"%u\"", saga->revision);
    return exchange_json(exchange, status, buffer_bytes(&body));
}
