#include "api/http.h"

#include "api/exchange_pool.h"
#include "api/gate.h"
#include "api/readers.h"
#include "api/server.h"
#include "api/socket.h"
#include "api/stream.h"
#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"
#include "orchestrator/telemetry/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    POOL_SIZE = 32 * 1024,        /* of a connection, for its request's head */
    REQUEST_MS = 15 * 1000,       /* for head and body to arrive */
    LARGE_REQUEST_MS = 60 * 1000, /* the same where the body may be larger than LARGE_BODY */
    LARGE_BODY = 1024 * 1024,
    ANSWER_MS = 4500,            /* from the hand-over to the answer */
    SEND_MS = 60 * 1000,         /* for the answer to be taken */
    STREAM_MS = 60 * 1000,       /* for the next piece of a stream to be made */
    IDLE_MS = 75 * 1000,         /* between two requests of a connection */
    STREAM_BLOCK = 16 * 1024,    /* of a stream, sent in one piece */
    DROP_MAX = 16 * 1024 * 1024, /* of a refused body, so that its sender comes to read why */
    PER_IP_MAX = 2000,
};

/* One TCP connection. */
struct peer {
    struct http *http;
    int socket;
    _Atomic int64_t deadline_ms; /* of head, body, sending or idling: whatever it is about */
    struct exchange *working;    /* suspended; guarded by http->lock */
    struct peer *previous, *next;
};

struct http {
    struct MHD_Daemon *daemon;
    struct api *api;
    enum side side;
    bool is_walkable; /* this libmicrohttpd parses heads in place and is lenient */
    bool is_loopback;
    char address[SOCKET_ADDRESS_SIZE];
    pthread_mutex_t lock; /* guards busy, peers and their `working` */
    uint32_t busy;
    struct peer *peers;
};

/* ---- hand-over ---- */

void exchange_suspend(struct exchange *exchange)
{
    struct peer *const peer = exchange->peer;
    exchange->deadline_ms = clock_monotonic_ms() + ANSWER_MS;
    atomic_store(&exchange->answered, false); /* a stream sleeps many times */
    atomic_fetch_add(&exchange->references, 1);
    exchange->is_suspended = true;
    peer->deadline_ms = INT64_MAX; /* that of the exchange counts now */
    MHD_suspend_connection(exchange->connection);
    (void)pthread_mutex_lock(&peer->http->lock);
    peer->working = exchange;
    peer->http->busy++;
    (void)pthread_mutex_unlock(&peer->http->lock);
}

void exchange_done(struct exchange *exchange)
{
    struct exchange_pool *const pool = exchange->api->pool;
    if (!atomic_exchange(&exchange->answered, true)) MHD_resume_connection(exchange->connection);
    exchange_release(pool, exchange);
}

void exchange_extend(struct exchange *exchange, uint32_t ms)
{
    exchange->deadline_ms = clock_monotonic_ms() + ANSWER_MS + ms;
}

/* The answer is there, or the connection has ended: the exchange is the HTTP thread's again. */
static void take_back(struct exchange *exchange)
{
    struct peer *const peer = exchange->peer;
    if (!exchange->is_suspended) return;
    exchange->is_suspended = false;
    (void)pthread_mutex_lock(&peer->http->lock);
    peer->working = NULL;
    peer->http->busy--;
    (void)pthread_mutex_unlock(&peer->http->lock);
}

/* With http->lock held. */
static void expire(struct peer *peer)
{
    struct exchange *const exchange = peer->working;
    if (atomic_exchange(&exchange->answered, true)) return;
    exchange->timed_out = true;
    MHD_resume_connection(exchange->connection);
}

void http_tick(struct http *http, int64_t now_ms)
{
    (void)pthread_mutex_lock(&http->lock);
    for (struct peer *peer = http->peers; peer != NULL; peer = peer->next) {
        if (peer->working != NULL) {
            if (peer->working->deadline_ms < now_ms) expire(peer);
        } else if (peer->deadline_ms < now_ms) {
            (void)shutdown(peer->socket, SHUT_RDWR);
        }
    }
    (void)pthread_mutex_unlock(&http->lock);
}

void http_expire_all(struct http *http)
{
    (void)pthread_mutex_lock(&http->lock);
    for (struct peer *peer = http->peers; peer != NULL; peer = peer->next) {
        if (peer->working != NULL) expire(peer);
    }
    (void)pthread_mutex_unlock(&http->lock);
}

uint32_t http_busy(struct http *http)
{
    (void)pthread_mutex_lock(&http->lock);
    const uint32_t busy = http->busy;
    (void)pthread_mutex_unlock(&http->lock);
    return busy;
}

/* ---- answering ---- */

static void add_common_headers(const struct exchange *exchange, struct MHD_Response *answer)
{
    (void)MHD_add_response_header(answer, "X-Request-Id", exchange->request_id);
    (void)MHD_add_response_header(answer, "X-Content-Type-Options", "nosniff");
    (void)MHD_add_response_header(answer, "Cache-Control", "no-store");
    if (exchange->must_close || atomic_load(&exchange->api->stopping)) {
        (void)MHD_add_response_header(answer, "Connection", "close");
    }
}

/*
 * Thread: HTTP. The next bytes of a stream. When a time limit passed while somebody made more, it
 * is still theirs: it ends here, and they find out.
 */
static ssize_t pull(void *context, uint64_t position, char *buffer, size_t room)
{
    struct exchange *const exchange = context;
    struct stream *const stream = exchange->response.stream;
    (void)position;
    take_back(exchange);
    if (exchange->timed_out) return MHD_CONTENT_READER_END_OF_STREAM;
    if (stream->ready.size == 0) {
        if (stream->ended) return MHD_CONTENT_READER_END_OF_STREAM;
        exchange_suspend(exchange);
        exchange_extend(exchange, STREAM_MS);
        stream_put(exchange);
        return 0;
    }
    const size_t size = stream->ready.size < room ? stream->ready.size : room;
    memcpy(buffer, stream->ready.data, size);
    stream->ready = (struct bytes){stream->ready.data + size, stream->ready.size - size};
    exchange->peer->deadline_ms = clock_monotonic_ms() + SEND_MS;
    return (ssize_t)size;
}

static struct MHD_Response *make_answer(struct exchange *exchange, const struct response *response)
{
    if (response->stream != NULL) {
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, pull, exchange,
                                                 NULL);
    }
    /* Not changed and not freed, in spite of its type. */
    void *body = NULL;
    memcpy(&body, &response->body.data, sizeof(body));
    return MHD_create_response_from_buffer(response->body.size, body, MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result answer(struct exchange *exchange, struct MHD_Connection *connection)
{
    if (exchange->timed_out) exchange_time_out(exchange, &exchange->late_response);
    struct response *const response =
        exchange->timed_out ? &exchange->late_response : &exchange->response;
    assert(response->status != 0);

    exchange->status = response->status;
    exchange->peer->deadline_ms = clock_monotonic_ms() + SEND_MS;
    struct MHD_Response *const made = make_answer(exchange, response);
    if (made == NULL) return MHD_NO;
    if (response->content_type != NULL) {
        (void)MHD_add_response_header(made, "Content-Type", response->content_type);
    }
    for (size_t i = 0; i < response->header_count; i++) {
        (void)MHD_add_response_header(made, response->headers[i].name, response->headers[i].value);
    }
    add_common_headers(exchange, made);
    const enum MHD_Result queued = MHD_queue_response(connection, response->status, made);
    MHD_destroy_response(made);
    return queued;
}

static enum MHD_Result dispatch(struct exchange *exchange, struct MHD_Connection *connection)
{
    exchange->body = (struct bytes){exchange->body_data, exchange->body_size};
    if (exchange->body.data == NULL) exchange->body = BYTES("");
    if (exchange->route->place == PLACE_READER) {
        exchange_suspend(exchange);
        readers_put(exchange->api->readers, exchange, exchange->route->handle);
        return MHD_YES;
    }
    if (exchange->route->handle(exchange, NULL) == LATER) return MHD_YES;
    return answer(exchange, connection);
}

/* ---- receiving ---- */

struct collected {
    struct header headers[HEADERS_MAX];
    size_t count;
    bool has_more;
};

static enum MHD_Result collect(void *context, enum MHD_ValueKind kind, const char *name,
                               size_t name_size, const char *value, size_t value_size)
{
    struct collected *const collected = context;
    (void)kind;
    collected->has_more = collected->count == HEADERS_MAX;
    if (collected->has_more) return MHD_NO;
    collected->headers[collected->count++] = (struct header){
        .name = {name,                       name_size },
        .value = {value == NULL ? "" : value, value_size},
    };
    return MHD_YES;
}

/* What the memory of the head shows and the strings do not. */
static const char *framing_fault(const struct exchange *exchange, const char *method,
                                 const char *version, const struct collected *collected,
                                 size_t head_size)
{
    const char *what = "the request line is not method, target and version, one space apart";
    if (method + strlen(method) + 1 != exchange->target_at ||
        exchange->target_at + exchange->target.size + 1 != version) {
        return what;
    }
    const struct head_block block = {version, method + head_size};
    if (framing_walk(&block, collected->headers, collected->count, &what)) return NULL;
    return what;
}

/* The body of a refused request is read and dropped where that is cheap, so that the answer
 * arrives. */
static bool answers_at_once(const struct exchange *exchange)
{
    if (exchange->must_close) return true;
    if (!exchange->has_body) return false;
    return gate_body_size(exchange) > DROP_MAX ||
           exchange_header_in(exchange, "Expect").data != NULL;
}

static enum MHD_Result begin(struct exchange *exchange, struct MHD_Connection *connection,
                             const char *method, const char *version)
{
    struct http *const http = exchange->peer->http;
    struct collected collected = {0};
    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, collect, &collected);
    const union MHD_ConnectionInfo *const size =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    struct arrival arrival = {
        .side = http->side,
        .method = method,
        .version = version,
        .headers = collected.headers,
        .header_count = collected.count,
        .has_more_headers = collected.has_more,
        .head_size = size == NULL ? 0 : size->header_size,
    };
    if (http->is_walkable && !collected.has_more) {
        arrival.framing_fault =
            framing_fault(exchange, method, version, &collected, arrival.head_size);
    }

    exchange->has_begun = true;
    exchange->is_refused = !gate_pass(exchange, &arrival);
    /* Two readings of a chunked body must not become two requests. */
    if (gate_body_size(exchange) == UINT64_MAX) exchange->must_close = true;
    if (!exchange->is_refused) {
        if (exchange->route->body_max > LARGE_BODY) {
            exchange->peer->deadline_ms = clock_monotonic_ms() + LARGE_REQUEST_MS;
        }
        return MHD_YES;
    }
    (void)exchange_refused(exchange);
    return answers_at_once(exchange) ? answer(exchange, connection) : MHD_YES;
}

static void keep(struct exchange *exchange, const char *data, size_t size)
{
    const size_t needed = exchange->body_size + size + 1;
    if (needed > exchange->body_capacity) {
        size_t capacity = exchange->body_capacity < 2048 ? 4096 : exchange->body_capacity * 2;
        if (capacity < needed) capacity = needed;
        exchange->body_data = realloc(exchange->body_data, capacity);
        if (exchange->body_data == NULL) abort();
        exchange->body_capacity = capacity;
    }
    memcpy(exchange->body_data + exchange->body_size, data, size);
    exchange->body_size += size;
    exchange->body_data[exchange->body_size] = '\0';
}

static enum MHD_Result receive(struct exchange *exchange, const char *data, size_t size)
{
    if (!exchange->is_refused && exchange->body_size + size > exchange->route->body_max) {
        (void)exchange_problem(exchange, PROBLEM_TOO_LARGE, "%" PRIu32 " bytes are the most here",
                               exchange->route->body_max);
        exchange->is_refused = true;
    }
    if (!exchange->is_refused && exchange->route->body != BODY_NONE) {
        keep(exchange, data, size);
        return MHD_YES;
    }
    exchange->dropped_size += size;
    return exchange->dropped_size <= DROP_MAX ? MHD_YES : MHD_NO;
}

/* ---- callbacks of libmicrohttpd; thread: HTTP ---- */

static struct peer *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *const info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info->socket_context;
}

static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
    struct http *const http = context;
    struct exchange *const exchange = exchange_take(http->api->pool);
    exchange->api = http->api;
    exchange->peer = peer_of(connection);
    exchange->connection = connection;
    exchange->began_us = clock_monotonic_us();
    exchange->target_at = target;
    exchange->target = bytes_copy(&exchange->arena, bytes_of(target == NULL ? "" : target));
    exchange->peer->deadline_ms = clock_monotonic_ms() + REQUEST_MS;
    return exchange;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **request)
{
    struct exchange *const exchange = *request;
    (void)context;
    (void)url; /* unescaped and cut: exchange->target is what was sent */
    if (!exchange->has_begun) return begin(exchange, connection, method, version);
    if (atomic_load(&exchange->answered)) {
        take_back(exchange);
        return answer(exchange, connection);
    }
    if (*size == 0) {
        return exchange->is_refused ? answer(exchange, connection) : dispatch(exchange, connection);
    }
    const enum MHD_Result received = receive(exchange, data, *size);
    *size = 0;
    return received;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
    struct http *const http = context;
    struct exchange *const exchange = *request;
    (void)connection;
    (void)code;
    if (exchange == NULL) return;
    take_back(exchange);
    if (exchange->status != 0) {
        char status[8];
        const char *const route = exchange->route == NULL ? "none" : exchange->route->pattern;
        const int64_t took_us = clock_monotonic_us() - exchange->began_us;
        (void)snprintf(status, sizeof(status), "%u", exchange->status);
        metrics_add(METRIC_HTTP_REQUESTS, 1, route, status, NULL);
        metrics_observe(METRIC_HTTP_DURATION_SECONDS, (double)took_us / 1e6, route, NULL, NULL);
        log_event(LOG_DEBUG, "http_request",
                  "request_id=%s route=\"%s\" status=%s took_us=%" PRId64 " who=%s",
                  exchange->request_id, route, status, took_us, exchange->who.name);
    }
    exchange->peer->deadline_ms = clock_monotonic_ms() + IDLE_MS;
    exchange_release(http->api->pool, exchange);
    *request = NULL;
}

static void peer_open(struct http *http, struct MHD_Connection *connection, void **peer_slot)
{
    const union MHD_ConnectionInfo *const info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct peer *const peer = calloc(1, sizeof(*peer));
    if (peer == NULL) abort();
    peer->http = http;
    peer->socket = info->connect_fd;
    peer->deadline_ms = clock_monotonic_ms() + REQUEST_MS;
    (void)pthread_mutex_lock(&http->lock);
    peer->next = http->peers;
    if (peer->next != NULL) peer->next->previous = peer;
    http->peers = peer;
    (void)pthread_mutex_unlock(&http->lock);
    *peer_slot = peer;
}

static void peer_close(struct http *http, struct peer *peer)
{
    (void)pthread_mutex_lock(&http->lock);
    assert(peer->working == NULL);
    if (peer->previous != NULL) {
        peer->previous->next = peer->next;
    } else {
        http->peers = peer->next;
    }
    if (peer->next != NULL) peer->next->previous = peer->previous;
    (void)pthread_mutex_unlock(&http->lock);
    free(peer);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **peer_slot,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        peer_open(context, connection, peer_slot);
    } else if (*peer_slot != NULL) {
        peer_close(context, *peer_slot);
    }
}

/* ---- life ---- */

static struct MHD_Daemon *start_daemon(struct http *http, const struct http_options *options,
                                       int listener)
{
    const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO;
    const struct MHD_OptionItem items[] = {
        {MHD_OPTION_LISTEN_SOCKET,                                            listener,                           NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT,                                  POOL_SIZE,                          NULL},
        {MHD_OPTION_CONNECTION_LIMIT,                                         (intptr_t)options->connections_max, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT,                                       IDLE_MS / 1000,                     NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT,                                  http->is_loopback ? 0 : PER_IP_MAX, NULL},
#if MHD_VERSION >= 0x00097701
        {MHD_OPTION_CLIENT_DISCIPLINE_LVL,                                    1,                                  NULL},
#endif
  /* One thread polls by itself; a pool begins at two. */
        {options->threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END,
         (intptr_t)options->threads,                                                                              NULL},
        {MHD_OPTION_END,                                                      0,                                  NULL},
    };
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, /* */
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
                            MHD_OPTION_URI_LOG_CALLBACK, on_target, http, MHD_OPTION_ARRAY, items,
                            MHD_OPTION_END);
}

static bool listen_for(const struct http_options *options, struct listener *ret_listener,
                       struct err *err)
{
    if (!socket_listen(options->listen, ret_listener, err)) return false;
    if (!options->loopback_only || ret_listener->is_loopback) return true;
    (void)close(ret_listener->socket);
    return err_set(err, ERR_INVALID,
                   "--insecure needs a loopback address, not %s; make keys by `sagad keys add` and "
                   "give --keys-file, or listen on 127.0.0.1",
                   options->listen);
}

bool http_open(const struct http_options *options, struct http **ret_http, struct err *err)
{
    struct listener listener;
    if (!listen_for(options, &listener, err)) return false;
    struct http *const http = calloc(1, sizeof(*http));
    if (http == NULL) abort();
    http->api = options->api;
    http->side = options->side;
    http->is_walkable = strcmp(MHD_get_version(), "0.9.76") < 0;
    http->is_loopback = listener.is_loopback;
    (void)snprintf(http->address, sizeof(http->address), "%s", listener.address);
    (void)pthread_mutex_init(&http->lock, NULL);
    http->daemon = start_daemon(http, options, listener.socket);
    if (http->daemon != NULL) {
        *ret_http = http;
        return true;
    }
    (void)close(listener.socket);
    (void)pthread_mutex_destroy(&http->lock);
    free(http);
    return err_set(err, ERR_INTERNAL, "libmicrohttpd does not start on %s", options->listen);
}

const char *http_address(const struct http *http)
{
    return http->address;
}

void http_quiesce(struct http *http)
{
    const int listener = MHD_quiesce_daemon(http->daemon);
    if (listener >= 0) (void)close(listener);
}

void http_close(struct http *http)
{
    if (http == NULL) return;
    MHD_stop_daemon(http->daemon);
    assert(http->peers == NULL);
    (void)pthread_mutex_destroy(&http->lock);
    free(http);
}
