/*
 * orchestrator/bus/reply.h
 *   A record of the reply topic, or a body of POST /v1/replies, as an event (contracts, section 2).
 */
#ifndef ORCHESTRATOR_BUS_REPLY_H
#define ORCHESTRATOR_BUS_REPLY_H

#include "orchestrator/bus/bus.h"

enum reply_result {
    REPLY_VALID,
    REPLY_FORGED,    /* no token, or a bad one */
    REPLY_MALFORMED, /* the token is valid, something else is not: `token` is filled */
};

struct reply {
    struct token token;
    struct event event; /* kind EVENT_REPLY or EVENT_BAD_REPLY; `step` is not resolved: -1 */
    const char *what;   /* of FORGED and MALFORMED: one clause for people */
};

/*
 * Bytes of *ret_reply live in `arena` or borrow from `record`. Checks: token; outcome in the closed
 * set; ce_sagaretryafter a duration (the core cuts it at 24 h); value valid JSON (or empty), at
 * most 256 KiB, depth at most 128. A missing or ill-formed ce_sagaerror counts as `failed`.
 */
enum reply_result reply_read(const struct bus_record *record, const struct token_keys *keys,
                             struct arena *arena, struct reply *ret_reply);

#endif
