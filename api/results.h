/*
 * api/results.h
 *   What the engine answered, as an HTTP answer.
 */
#ifndef API_RESULTS_H
#define API_RESULTS_H

#include "api/exchange.h"
#include "orchestrator/engine/engine.h"

/* DONE, EXISTS or REPLAYED, with a saga. */
bool result_is_good(const struct answer *answer);
/* Any other. `missing`: what RESULT_NOT_FOUND is about. */
void result_refuse(struct refusal *refusal, const struct answer *answer, enum problem missing);

/* The value of that member of the body ("/input") breaks its schema: 422 with the places. */
void result_refuse_value(struct refusal *refusal, const char *member,
                         const struct schema_report *report);

/* No step of the definition waits for a signal of that name; the detail names those that are known.
 */
void result_unknown_signal(struct refusal *refusal, const struct definition *definition);
/* Why a verb is not allowed: cancel is refused after the pivot for a reason of its own. */
enum problem result_conflict(enum event_kind kind, const struct saga *saga);

/* The Idempotency-Key and its fingerprint: method, path and body. */
void request_key_fill(struct exchange *exchange, struct request_key *ret_key);

/* The saga as it was when it had just started: what a start answered the first time. */
const struct saga *result_as_started(struct arena *arena, const struct saga *now);

/* Status, ETag and the saga as body. */
enum handled result_saga(struct exchange *exchange, uint16_t status, const struct saga *saga);

#endif
