/*
 * api/stream.h
 *   Server-sent events: answers that go on until there is nothing more to tell.
 *
 * A stream holds no thread and little memory: it makes the next piece when the one before was
 * taken, from where it stands, out of the database. While there is nothing to tell it sleeps among
 * the waiters; every EVERY_MS it says that it lives, which also finds clients that are gone. Who
 * reads slowly is told the same as everybody, later; who reads nothing is cut by the limit of
 * sending.
 */
#ifndef API_STREAM_H
#define API_STREAM_H

#include "api/exchange.h"

#include <stdint.h>

enum {
    STREAMS_MAX = 1000,           /* of a node; one of all sagas counts as several */
    STREAM_PIECE_MAX = 64 * 1024, /* no more is added to a piece of this size */
};

/* Begin the answer, with `exchange->wait` saying what wakes it. False: refused with 429. */
bool stream_open(struct exchange *exchange, uint32_t places, route_handler *more);
/* Have more made, by a reader of streams alone. The exchange is suspended. */
void stream_put(struct exchange *exchange);
/* The exchange is over: its place and memory are free. */
void stream_close(struct exchange *exchange);
/* Last-Event-ID; absent where there is none. */
struct bytes stream_last_id(const struct exchange *exchange);

/*
 * A call of `more` goes: begin; add events to *ret_piece; rest. Where rest is false something
 * happened meanwhile: once more from begin. Else *ret_handled is what `more` returns.
 */
void stream_begin(struct exchange *exchange, struct buffer *ret_piece);
bool stream_rest(struct exchange *exchange, const struct buffer *piece, uint32_t seen_revision,
                 enum handled *ret_handled);
/* The call failed: without the database the stream waits for it, else it ends. */
void stream_failed(struct exchange *exchange, const struct err *err);

#endif
