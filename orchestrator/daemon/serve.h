/*
 * orchestrator/daemon/serve.h
 *   A node: opened in the order of its parts, stopped in the reverse order.
 */
#ifndef ORCHESTRATOR_DAEMON_SERVE_H
#define ORCHESTRATOR_DAEMON_SERVE_H

#include "orchestrator/base/err.h"

#include <stdbool.h>

struct config;
struct node;

/* `embedded`: the broker is the in-process one. Started when it returns: requests are taken. */
MUST_CHECK bool node_start(const struct config *config, bool embedded, struct node **ret_node,
                           struct err *err);
/* The addresses that were bound: "127.0.0.1:8080". */
const char *node_address(const struct node *node);
const char *node_admin_address(const struct node *node);
/* Graceful: readiness off, requests end, what is queued is committed and sent. NULL is fine. */
void node_stop(struct node *node);

/* Blocks until SIGINT or SIGTERM. Call block_signals() first thing in main, before any thread. */
void block_signals(void);
void wait_for_signal(void);

#endif
