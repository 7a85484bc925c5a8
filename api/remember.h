/*
 * api/remember.h
 *   Idempotency-Key for what does not go through the engine: definitions and dead letters.
 *
 * Each of these verbs is idempotent by itself, so that the key and its answer may be stored after
 * the work: a crash between the two repeats something that changes nothing.
 */
#ifndef API_REMEMBER_H
#define API_REMEMBER_H

#include "api/exchange.h"
#include "orchestrator/store/store.h"

/* True: the key was used before; the exchange is answered, with what was stored or with a refusal.
 */
bool remember_replay(struct exchange *exchange, struct store *store);
/* Store the key with the answer, where there is a key and the answer is 2xx. */
enum handled remember_answer(struct exchange *exchange, struct store *store);

#endif
