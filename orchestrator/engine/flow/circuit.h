/*
 * orchestrator/engine/flow/circuit.h
 *   Whether commands to a topic make sense at the moment. Pure: the caller brings the time.
 *
 * Closed: all goes. Open: nearly all that was sent lately came to nothing, so nothing is sent for a
 * while, longer each time; where a part of it fails, rationed retries are enough. Half open: a few
 * are sent to find out; good answers close it, a bad one opens it again. A refusal of the business
 * is a good answer: somebody works there.
 */
#ifndef ORCHESTRATOR_ENGINE_FLOW_CIRCUIT_H
#define ORCHESTRATOR_ENGINE_FLOW_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_HALF_OPEN };

enum {
    CIRCUIT_SLOTS = 10, /* of CIRCUIT_SLOT_MS: what counts as lately */
    CIRCUIT_SLOT_MS = 1000,
    CIRCUIT_LEAST = 30,       /* outcomes before anything is concluded */
    CIRCUIT_BAD_PERCENT = 90, /* that open it */
    CIRCUIT_ILL_LEAST = 10,   /* outcomes, and ... */
    CIRCUIT_ILL_PERCENT = 10, /* bad ones, from which a topic counts as ill */
    CIRCUIT_PROBES = 3,       /* under way while half open, and good ones that close it */
    CIRCUIT_WAIT_MS = 5000,   /* of the first opening; doubles */
    CIRCUIT_WAIT_MAX_MS = 60000,
    CIRCUIT_WAIT_LEAST_MS = 1000, /* before a good answer ends the wait */
};

struct circuit {
    enum circuit_state state;
    int64_t since_ms; /* of the state */
    int64_t wait_ms;  /* of the opening */
    uint32_t probes;  /* let through since it is half open */
    uint32_t proofs;  /* good answers since then */
    int64_t slot_ms;  /* begin of the newest slot */
    uint32_t good[CIRCUIT_SLOTS], bad[CIRCUIT_SLOTS];
};

/* What was answered, timed out or came to nothing since the last call. */
void circuit_note(struct circuit *circuit, int64_t now_ms, uint32_t good, uint32_t bad);
/* True: one more may be sent to find out; it is counted. */
bool circuit_may_probe(struct circuit *circuit);
/* Of a hundred outcomes lately, how many were bad; -1: there were none. */
int circuit_bad_percent(const struct circuit *circuit);
/* Something is wrong there, though it may work for most: retries are rationed. */
bool circuit_is_ill(const struct circuit *circuit);
const char *circuit_state_name(enum circuit_state state);

#endif
