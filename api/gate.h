/*
 * api/gate.h
 *   What every request has to pass before a handler sees it, in this order: framing, target, route,
 *   key and role, Accept, query, headers, Content-Type, size. An unknown path ends here, without
 *   a look at the database.
 */
#ifndef API_GATE_H
#define API_GATE_H

#include "api/exchange.h"
#include "api/routes.h"

/* A request's head as it arrived; borrowed for the call. */
struct arrival {
    enum side side;
    const char *method, *version;
    const struct header *headers; /* of which framing_check has to judge */
    size_t header_count;
    bool has_more_headers; /* than HEADERS_MAX */
    size_t head_size;
    const char *framing_fault; /* of framing_walk; NULL: none */
};

/*
 * Fills method, uri, headers, route, arguments, who, request_id and has_body. False: the refusal
 * (and must_close) says why not.
 */
bool gate_pass(struct exchange *exchange, const struct arrival *arrival);

/* The declared length of the body; UINT64_MAX when it is chunked, 0 when there is none. */
uint64_t gate_body_size(const struct exchange *exchange);

#endif
