#include "api/stream.h"

#include "api/readers.h"
#include "api/server.h"
#include "api/waiters.h"
#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"

enum {
    EVERY_MS = 15 * 1000,           /* without an event: that it lives */
    AGAIN_MS = 1000,                /* the database is away */
    STREAM_MS_MAX = 15 * 60 * 1000, /* then the client comes again, with Last-Event-ID */
};

/* First of all: how soon a client should come again. */
#define PREAMBLE "retry: 1000\n\n"
#define ALIVE    ": alive\n\n"

bool stream_open(struct exchange *exchange, uint32_t places, route_handler *more)
{
    struct api *const api = exchange->api;
    if (atomic_fetch_add(&api->streams, places) + places > STREAMS_MAX) {
        atomic_fetch_sub(&api->streams, places);
        return refuse(&exchange->refusal, PROBLEM_OVERLOADED,
                      "as many streams are open as this node has room for");
    }
    struct stream *const stream = arena_alloc(&exchange->arena, sizeof(*stream));
    const int64_t now_ms = clock_monotonic_ms();
    *stream = (struct stream){
        .ready = BYTES(PREAMBLE),
        .alive = BYTES(ALIVE),
        .places = places,
        .more = more,
        .until_ms = now_ms + STREAM_MS_MAX,
        .silent_until_ms = now_ms + EVERY_MS,
    };
    exchange->wait.what = WAIT_CHANGE;
    exchange->response = (struct response){
        .status = 200,
        .content_type = "text/event-stream",
        .stream = stream,
    };
    exchange_set_header(exchange, "X-Accel-Buffering", "no");
    return true;
}

void stream_close(struct exchange *exchange)
{
    struct stream *const stream = exchange->response.stream;
    if (stream == NULL) return;
    arena_done(&stream->arena);
    atomic_fetch_sub(&exchange->api->streams, stream->places);
}

void stream_put(struct exchange *exchange)
{
    readers_put_waiting(exchange->api->streamers, exchange, exchange->response.stream->more);
}

struct bytes stream_last_id(const struct exchange *exchange)
{
    return exchange_header_in(exchange, "Last-Event-ID");
}

void stream_begin(struct exchange *exchange, struct buffer *ret_piece)
{
    struct stream *const stream = exchange->response.stream;
    arena_reset(&stream->arena);
    *ret_piece = buffer_in(&stream->arena);
    exchange->wait.expired = false;
    exchange->wait.until_ms = stream->silent_until_ms;
    waiters_add(exchange->api->waiters, exchange);
}

static void send(struct exchange *exchange, struct bytes ready)
{
    struct stream *const stream = exchange->response.stream;
    waiters_remove(exchange->api->waiters, exchange);
    stream->ready = ready;
    stream->silent_until_ms = clock_monotonic_ms() + EVERY_MS;
}

bool stream_rest(struct exchange *exchange, const struct buffer *piece, uint32_t seen_revision,
                 enum handled *ret_handled)
{
    struct stream *const stream = exchange->response.stream;
    const int64_t now_ms = clock_monotonic_ms();
    if (now_ms >= stream->until_ms || atomic_load(&exchange->api->stopping)) stream->ended = true;
    *ret_handled = ANSWERED;
    if (piece->size > 0 || stream->ended) {
        send(exchange, (struct bytes){piece->data, piece->size});
    } else if (now_ms >= stream->silent_until_ms) {
        send(exchange, stream->alive);
    } else {
        *ret_handled = LATER;
        arena_done(&stream->arena);
        return waiters_park(exchange->api->waiters, exchange, seen_revision);
    }
    return true;
}

void stream_failed(struct exchange *exchange, const struct err *err)
{
    struct stream *const stream = exchange->response.stream;
    if (err->kind == ERR_UNAVAILABLE) {
        waiters_remove(exchange->api->waiters, exchange);
        exchange->wait.until_ms = clock_monotonic_ms() + AGAIN_MS;
        waiters_add(exchange->api->waiters, exchange);
        return;
    }
    log_event(LOG_ERROR, "stream_ended", "request_id=%s reason=\"%s\"", exchange->request_id,
              err->text);
    stream->ended = true;
}
