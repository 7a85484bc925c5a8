/*
 * api/http.h
 *   The listener: sockets, deadlines and limits. The only part that knows libmicrohttpd.
 *
 * Every request passes the same checks before a handler sees it: framing, target, route, key and
 * role, Accept, Content-Type, query, size. A request that needs work is suspended, so that
 * thousands of them share a commit and no thread waits for one. Time limits are absolute: a sender
 * of one byte a second is cut off like a silent one.
 */
#ifndef API_HTTP_H
#define API_HTTP_H

#include "api/routes.h"
#include "orchestrator/base/err.h"

#include <stdint.h>

struct http;

struct http_options {
    struct api *api;
    const char *listen; /* host:port */
    enum side side;     /* which routes it serves */
    uint32_t threads;
    uint32_t connections_max;
    bool loopback_only; /* refuse an address that others can reach */
};

/* ERR_INVALID: the address cannot be used; text names the cure. */
MUST_CHECK bool http_open(const struct http_options *options, struct http **ret_http,
                          struct err *err);
const char *http_address(const struct http *http);
/* Cut off who is too slow, answer 503 to what takes too long. Thread: the clock. */
void http_tick(struct http *http, int64_t now_ms);
/* No new connections. */
void http_quiesce(struct http *http);
/* Requests that are handed over and not answered yet. */
uint32_t http_busy(struct http *http);
/* Answer 503 to all of them. */
void http_expire_all(struct http *http);
/* Nothing may be busy any more. */
void http_close(struct http *http);

#endif
