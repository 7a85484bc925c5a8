/*
 * api/server.h
 *   What the handlers of one API share. Private to api/.
 */
#ifndef API_SERVER_H
#define API_SERVER_H

#include "api/admission.h"
#include "api/api.h"
#include "api/exchange.h"

#include <pthread.h>
#include <stdatomic.h>

struct exchange_pool;
struct http;
struct pulse;
struct readers;
struct waiters;

struct api {
    const char *namespace_name;
    const char *version, *commit;
    struct engine *engine;
    struct registry *registry;
    struct bus *bus;
    struct token_keys token_keys;
    struct keys *keys; /* NULL: insecure */
    struct exchange_pool *pool;
    struct readers *readers;
    struct readers *streamers; /* that make streams, so that nobody else waits for them */
    struct pulse *pulse;
    struct waiters *waiters;
    struct http *http, *admin;
    struct admission admission; /* of starts */
    atomic_bool stopping;
    atomic_bool freezes; /* a reader is busy with making a batch */
    atomic_uint streams; /* that are open */
    atomic_bool counts;  /* a reader is busy with a long count */
    atomic_uint_fast64_t next_request;
    uint32_t request_prefix;
    pthread_t clock;
    bool has_clock;
    pthread_mutex_t lock; /* guards clock_ends */
    pthread_cond_t wake;
    bool clock_ends;
    struct arena arena; /* owns the texts above */
};

/* A request id that this process gives to no other request. */
void server_next_request_id(struct api *api, char ret_id[REQUEST_ID_TEXT_SIZE]);

#endif
