/*
 * api/socket.h
 *   A listening TCP socket from `host:port`.
 */
#ifndef API_SOCKET_H
#define API_SOCKET_H

#include "orchestrator/base/err.h"

enum { SOCKET_ADDRESS_SIZE = 80 };

struct listener {
    int socket;
    bool is_loopback;                  /* nobody outside this machine can reach it */
    char address[SOCKET_ADDRESS_SIZE]; /* what was bound: "127.0.0.1:8080", "[::1]:8080" */
};

/* `host:port` or `[v6]:port`; port 0 picks one. ERR_INVALID: text names the address and the cure.
 */
MUST_CHECK bool socket_listen(const char *address, struct listener *ret_listener, struct err *err);

#endif
