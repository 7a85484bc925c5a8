/*
 * api/api.h
 *   The HTTP side: REST on one listener, probes and metrics also on a second one.
 *
 * Order: api_start between engine_open and engine_start (it asks the engine to be told of changes);
 * api_stop first when the node stops, then the engine, then api_close, before engine_close.
 */
#ifndef API_API_H
#define API_API_H

#include "orchestrator/base/err.h"
#include "orchestrator/bus/bus.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/engine/registry.h"

#include <stdint.h>

struct api;

struct api_options {
    const char *listen;       /* host:port; port 0 picks one */
    const char *admin_listen; /* probes, metrics, version */
    const char *database_url; /* of the readers */
    const char *namespace_name;
    uint32_t threads;      /* of libmicrohttpd */
    uint32_t readers;      /* reading connections */
    const char *keys_file; /* salted hashes; NULL with insecure */
    bool insecure;         /* no authentication: loopback only, checked here */
    struct engine *engine;
    struct registry *registry;
    struct bus *bus;
    struct token_keys token_keys;
    const char *version, *commit;
};

/* ERR_INVALID: port in use, keys file unreadable, insecure on a public address; text names the
 * cure. */
MUST_CHECK bool api_start(const struct api_options *options, struct api **ret_api, struct err *err);
/* "127.0.0.1:8080": what was bound. */
const char *api_address(const struct api *api);
const char *api_admin_address(const struct api *api);
/* Readiness goes to 503 at once; open requests get grace_ms to end. */
void api_stop(struct api *api, uint32_t grace_ms);
/* The engine is stopped: it answers nobody any more. NULL is fine. */
void api_close(struct api *api);

/* `sagad keys add --file F --role R NAME`: appends the hash, returns the key to show once. */
MUST_CHECK bool api_keys_add(const char *file, const char *name, const char *role, char ret_key[80],
                             struct err *err);

#endif
