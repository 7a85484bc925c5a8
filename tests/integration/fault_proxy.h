/*
 * tests/integration/fault_proxy.h
 *   A TCP proxy in a thread that breaks connections where a test says.
 *
 * A fault is armed once and strikes the first connection that meets it; later connections pass.
 */
#ifndef TESTS_INTEGRATION_FAULT_PROXY_H
#define TESTS_INTEGRATION_FAULT_PROXY_H

#include "sagas/base/bytes.h"

struct fault_proxy;

enum fault {
    FAULT_NONE,
    FAULT_CUT_REQUEST, /* `bytes` more of them go to the server, then both sides are closed */
    FAULT_CUT_ANSWER,  /* everything goes to the server, `bytes` of its answer to the client, then
                          closed */
    FAULT_SILENCE,     /* nothing passes any more, nothing is closed */
    FAULT_HOLD,        /* what the client sends is kept, the client's side is closed; see release */
};

struct fault_proxy *fault_proxy_start(const char *server_url);
/* The server's URL with the proxy's port; borrowed. */
const char *fault_proxy_url(const struct fault_proxy *proxy);
void fault_proxy_arm(struct fault_proxy *proxy, enum fault fault, size_t bytes);
/* Did the armed fault strike? */
bool fault_proxy_struck(struct fault_proxy *proxy);
/* Refuse (close at once) new connections, or not. */
void fault_proxy_refuse(struct fault_proxy *proxy, bool refuse);
/* Deliver what was held to the server; the beginning of its answer, in the arena. */
struct bytes fault_proxy_release(struct fault_proxy *proxy, struct arena *arena);
void fault_proxy_stop(struct fault_proxy *proxy);

#endif
