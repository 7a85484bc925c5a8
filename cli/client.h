/*
 * cli/client.h
 *   One conversation with sagad over HTTP.
 *
 * Every POST, PUT and DELETE carries an Idempotency-Key, so that asking again after a broken
 * connection, 429, 502, 503 or 504 is safe; reads are safe anyway. Both are repeated, with growing
 * pauses and Retry-After obeyed, until the request's patience is over. An answer is told only by
 * client_call; client_try leaves it to the caller.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "cli/talk.h"
#include "sagas/base/json_view.h"

#include <stdint.h>

struct client;

struct client_options {
    const char *url;       /* http://host:port, may have a path */
    const char *key;       /* API key; NULL: none */
    bool verbose;          /* a line for each request */
    int64_t give_up_at_ms; /* monotonic; 0: no limit */
};

/* Called about once a second while an answer is awaited. */
typedef void client_tick(void *context);

enum { CLIENT_ETAG_SIZE = 80 };

struct request {
    const char *method;          /* NULL: GET */
    const char *path;            /* "/v1/...", with the query */
    struct bytes body;           /* JSON; absent: none */
    const char *if_none_match;   /* NULL or "": none */
    const char *idempotency_key; /* of a POST; NULL: a fresh one */
    uint32_t wait_s;             /* the path asks the server to hold the answer so long */
    int64_t patience_ms;         /* repeat for so long; 0: the default of the method */
    client_tick *tick;           /* NULL: none */
    void *tick_context;
};

struct answer {
    long http_status; /* 0: none came */
    struct bytes body;
    const struct json_view *json; /* NULL: no JSON */
    char etag[CLIENT_ETAG_SIZE];
    char trouble[256]; /* where none came: why */
};

/* STATUS_USAGE, told, when the URL is none. */
enum status client_open(const struct client_options *options, struct client **ret_client);
void client_close(struct client *client);
const char *client_url(const struct client *client); /* without a slash at the end */

/*
 * STATUS_OK for 2xx and 304, STATUS_TIMEOUT when the time of the whole command is over, else by
 * the answer: 404 NOT_FOUND, 409 and 412 CONFLICT, the rest ERROR. Nothing is told.
 */
enum status client_try(struct client *client, const struct request *request, struct arena *arena,
                       struct answer *ret_answer);
/* The same, and anything but STATUS_OK is told (problem.h). */
enum status client_call(struct client *client, const struct request *request, struct arena *arena,
                        struct answer *ret_answer);

/* Monotonic ms that are left of the command's time; INT64_MAX without a limit. */
int64_t client_left_ms(const struct client *client);

/* ---- paths ---- */

/* Append percent-encoded: one path segment or one query value. */
void path_add(struct buffer *path, const char *text);
/* "?name=value" or "&name=value". */
void path_add_query(struct buffer *path, const char *name, const char *value);

#endif
