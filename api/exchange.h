/*
 * api/exchange.h
 *   One HTTP request and its answer, from the first header to the last byte sent.
 *
 * The exchange belongs to one thread at a time: to the HTTP thread until it is handed over
 * (exchange_suspend, then a queue of the readers, the waiters or the engine), then to whoever took
 * it, until exchange_done gives it back. Everything that an answer needs lives in its arena.
 */
#ifndef API_EXCHANGE_H
#define API_EXCHANGE_H

#include "api/framing.h"
#include "api/keys.h"
#include "api/problem.h"
#include "api/uri.h"
#include "orchestrator/base/err.h"
#include "sagas/base/json_view.h"
#include "sagas/base/uuid.h"

#include <stdatomic.h>
#include <stdint.h>

struct api;
struct exchange;
struct peer;
struct route;
struct store;

/* What became of a call to a handler. */
enum handled {
    ANSWERED, /* response is filled */
    LATER,    /* somebody has taken the exchange and will call exchange_done */
};

enum { ARGUMENTS_MAX = 3, RESPONSE_HEADERS_MAX = 10, REQUEST_ID_TEXT_SIZE = 65 };

struct response_header {
    const char *name, *value;
};

/*
 * An answer without a known end: its text so far, and who makes more. `more` runs on a reader
 * thread whenever `ready` was sent, and fills it again or sets `ended`; until then the connection
 * sleeps.
 */
struct stream {
    struct bytes ready; /* in `arena` */
    bool ended;         /* nothing comes behind `ready` */
    enum handled (*more)(struct exchange *exchange, struct store *store);
    int64_t until_ms;        /* monotonic: it ends then */
    int64_t silent_until_ms; /* monotonic: it says that it lives then */
    uint32_t places;         /* of STREAMS_MAX that it takes */
    struct bytes alive;      /* what says so */
    struct arena arena;
};

struct response {
    uint16_t status; /* 0: no answer yet */
    const char *content_type;
    struct bytes body;
    struct stream *stream; /* in the place of `body`; NULL: none */
    struct response_header headers[RESPONSE_HEADERS_MAX];
    size_t header_count;
};

/* What a long poll waits for (waiters.h). */
enum wait_for {
    WAIT_CHANGE,
    WAIT_END,
    WAIT_PLACE, /* no saga's: that of all events is another one */
};

struct wait_entry {
    struct uuid saga_id;
    enum wait_for what;
    uint32_t seen_revision;
    int64_t until_ms; /* monotonic */
    bool parked, fired, expired;
    struct exchange *previous, *next;
};

struct exchange {
    struct api *api;
    struct arena arena;

    /* the request */
    struct bytes method; /* GET for HEAD too */
    struct bytes target; /* as sent */
    struct uri uri;
    const struct header *headers;
    size_t header_count;
    struct bytes body;
    const struct route *route;
    struct bytes argument[ARGUMENTS_MAX]; /* what the {..} of the route stand for */
    struct principal who;
    char request_id[REQUEST_ID_TEXT_SIZE];

    /* the answer */
    struct response response;
    struct refusal refusal;

    /* of a handler that is called again later */
    void *handler_state;
    struct wait_entry wait;
    uint32_t wait_ms; /* asked for; 0: not at all */

    /* of http.c */
    struct exchange *next_free;
    void *connection;
    struct peer *peer;
    const char *target_at; /* where the target stands in the head; only compared */
    int64_t began_us;
    uint16_t status;             /* as answered */
    _Atomic int64_t deadline_ms; /* of the answer, once it was handed over */
    atomic_uint references;
    atomic_bool answered; /* by exchange_done, or by the deadline: whoever comes first */
    bool timed_out;
    bool has_begun, is_refused, is_suspended, must_close, has_body;
    struct arena late_arena; /* of the answer after a deadline: `arena` belongs to somebody else */
    struct response late_response;
    char *body_data;
    size_t body_size, body_capacity, dropped_size;
};

/* `store` is NULL but on a reader thread. */
typedef enum handled route_handler(struct exchange *exchange, struct store *store);

/* ---- handing over: http.c ---- */

/*
 * Thread: HTTP. The connection sleeps until exchange_done; call before the exchange is handed over.
 * A deadline of some seconds begins: when it passes the client gets 503 and the late answer is
 * dropped.
 */
void exchange_suspend(struct exchange *exchange);
/* Thread: any. The answer is complete; the exchange must not be touched any more. */
void exchange_done(struct exchange *exchange);
/* The deadline is `ms` later than it would be (long polls). Thread: whoever has the exchange. */
void exchange_extend(struct exchange *exchange, uint32_t ms);

/* ---- asking: exchange.c ---- */

/* Absent when there is none. */
struct bytes exchange_header_in(const struct exchange *exchange, const char *name);
/* A query parameter that is `true`; false with refusal when it is neither that nor `false`. */
bool exchange_flag(struct exchange *exchange, const char *name, bool *ret_flag);
/* The argument as a saga id; false: refused with 404. */
bool exchange_saga_id(struct exchange *exchange, struct uuid *ret_id);
/* "key:ops" or "anonymous". */
struct bytes exchange_actor(struct exchange *exchange);

/* ---- answering: exchange.c ---- */

/* Takes the place of one with this name. */
void exchange_set_header(struct exchange *exchange, const char *name, const char *value);
__attribute__((format(printf, 3, 4))) void
exchange_set_header_format(struct exchange *exchange, const char *name, const char *format, ...);
/* All of these return ANSWERED. */
enum handled exchange_json(struct exchange *exchange, uint16_t status, struct bytes body);
enum handled exchange_content(struct exchange *exchange, const char *type, struct bytes body);
enum handled exchange_refused(struct exchange *exchange); /* with what `refusal` holds */
__attribute__((format(printf, 3, 4))) enum handled
exchange_problem(struct exchange *exchange, enum problem problem, const char *format, ...);
/* Logs what a client cannot mend. */
enum handled exchange_failed(struct exchange *exchange, const struct err *err,
                             enum problem missing);

/* 503 in the exchange's late arena. */
void exchange_time_out(struct exchange *exchange, struct response *ret_response);

#endif
