#include "orchestrator/daemon/serve.h"

#include "api/api.h"
#include "orchestrator/base/log.h"
#include "orchestrator/daemon/config.h"
#include "orchestrator/daemon/version.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/telemetry/metrics.h"

#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FLUSH_MS = 3000, HOST_NAME_MAX_BYTES = 128 };

struct node {
    const struct config *config;
    struct registry *registry;
    struct engine *engine;
    struct bus *bus;
    struct api *api;
    char host[HOST_NAME_MAX_BYTES];
};

void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

void wait_for_signal(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    int which = 0;
    while (sigwait(&set, &which) != 0) {
    }
    log_event(LOG_INFO, "stopping", "signal=%d", which);
}

/* ---- the key of the reply tokens ---- */

static bool read_hex_key(const char *text, const char *flag, uint8_t ret_key[TOKEN_KEY_SIZE],
                         struct err *err)
{
    size_t size = 0;
    const char *end = NULL;
    if (sodium_hex2bin(ret_key, TOKEN_KEY_SIZE, text, strlen(text), NULL, &size, &end) != 0 ||
        size != TOKEN_KEY_SIZE || *end != '\0') {
        return err_set(err, ERR_INVALID,
                       "--%s must be 64 hex digits; `openssl rand -hex 32` makes one", flag);
    }
    return true;
}

static bool stored_key(const struct config *config, uint8_t ret_key[TOKEN_KEY_SIZE],
                       struct err *err)
{
    const struct store_options options = {
        .url = config->database_url,
        .namespace_name = config->namespace_name,
        .role = "start",
        .statement_timeout_ms = 5000,
    };
    struct store *store = NULL;
    if (!store_open(&options, &store, err)) return false;
    uint8_t fresh[TOKEN_KEY_SIZE];
    randombytes_buf(fresh, sizeof fresh);
    const bool good = store_secret(store, "reply_token", fresh, sizeof fresh, ret_key, err);
    store_close(store);
    return good;
}

static bool find_token_keys(const struct config *config, struct token_keys *ret_keys,
                            struct err *err)
{
    *ret_keys = (struct token_keys){.count = 1};
    const bool good = config->token_key != NULL
                          ? read_hex_key(config->token_key, "token-key", ret_keys->key[0], err)
                          : stored_key(config, ret_keys->key[0], err);
    if (!good || config->token_key_previous == NULL) return good;
    ret_keys->count = 2;
    return read_hex_key(config->token_key_previous, "token-key-previous", ret_keys->key[1], err);
}

/* ---- the parts ---- */

static bool start_engine(struct node *node, struct err *err)
{
    const struct config *config = node->config;
    const struct definition_rules rules = {.topics_allow = config->topics_allow};
    node->registry = registry_new(&rules);
    if (gethostname(node->host, sizeof node->host - 1) != 0) node->host[0] = '\0';
    const struct engine_options options = {
        .database_url = config->database_url,
        .namespace_name = config->namespace_name,
        .node_name = config->node_name != NULL ? config->node_name : node->host,
        .workers = config->workers,
        .queue_max = config->queue_max,
        .cache_bytes = (uint64_t)config->cache_mb * 1024 * 1024,
        .undispatched_max = config->undispatched_max,
        .window_max = config->window_max,
        .open_max = config->open_max,
        .open_max_per_definition = config->open_max_per_definition,
        .retention_ms = (int64_t)config->retention_days * 24 * 3600 * 1000,
        .events = (enum events)config->events,
        .registry = node->registry,
    };
    return engine_open(&options, &node->engine, err);
}

static bool start_bus(struct node *node, bool embedded, const struct token_keys *keys,
                      struct err *err)
{
    const struct config *config = node->config;
    struct bus_callbacks callbacks;
    engine_bus_callbacks(node->engine, &callbacks);
    const struct bus_options options = {
        .brokers = config->kafka_brokers,
        .cluster = config->cluster,
        .topic_prefix = config->topic_prefix,
        .group = config->group,
        .instance = config->instance,
        .extra = config->kafka_settings,
        .embedded = embedded,
        .keys = *keys,
    };
    return bus_open(&options, &callbacks, &node->bus, err);
}

static bool start_api(struct node *node, const struct token_keys *keys, struct err *err)
{
    const struct config *config = node->config;
    const struct api_options options = {
        .listen = config->listen,
        .admin_listen = config->admin_listen,
        .database_url = config->database_url,
        .namespace_name = config->namespace_name,
        .threads = config->http_threads,
        .readers = config->readers,
        .keys_file = config->keys_file,
        .insecure = config->insecure,
        .engine = node->engine,
        .registry = node->registry,
        .bus = node->bus,
        .token_keys = *keys,
        .version = SAGAD_VERSION,
        .commit = SAGAD_COMMIT,
    };
    return api_start(&options, &node->api, err);
}

static bool start_parts(struct node *node, bool embedded, struct err *err)
{
    struct token_keys keys;
    return find_token_keys(node->config, &keys, err) && start_engine(node, err) &&
           start_bus(node, embedded, &keys, err) && start_api(node, &keys, err) &&
           engine_start(node->engine, node->bus, &keys, err);
}

bool node_start(const struct config *config, bool embedded, struct node **ret_node, struct err *err)
{
    if (config->database_url == NULL) {
        return err_set(err, ERR_INVALID,
                       "no database: give --database-url or SAGAD_DATABASE_URL, "
                       "e.g. postgresql://user@host/database");
    }
    if (!config->insecure && config->keys_file == NULL) {
        return err_set(err, ERR_INVALID,
                       "no API keys: make one with `sagad keys add --keys-file FILE --role admin "
                       "NAME` and give --keys-file FILE, or say --insecure on a loopback address");
    }
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL) abort();
    node->config = config;
    if (!start_parts(node, embedded, err)) {
        node_stop(node);
        return false;
    }
    metrics_set(METRIC_BUILD_INFO, 1, SAGAD_VERSION, SAGAD_COMMIT, NULL);
    log_event(LOG_INFO, "serving", "version=%s api=%s admin=%s namespace=%s brokers=%s",
              SAGAD_VERSION, node_address(node), node_admin_address(node), config->namespace_name,
              config->kafka_brokers);
    *ret_node = node;
    return true;
}

const char *node_address(const struct node *node)
{
    return api_address(node->api);
}

const char *node_admin_address(const struct node *node)
{
    return api_admin_address(node->api);
}

void node_stop(struct node *node)
{
    if (node == NULL) return;
    const uint32_t grace_ms = node->config->grace_s * 1000;
    if (node->api != NULL) api_stop(node->api, grace_ms / 2);
    if (node->engine != NULL) engine_stop(node->engine, grace_ms / 4);
    if (node->bus != NULL) bus_stop_consuming(node->bus);
    bus_close(node->bus, FLUSH_MS);
    if (node->api != NULL) api_close(node->api);
    engine_close(node->engine);
    registry_free(node->registry);
    log_event(LOG_INFO, "stopped", "grace_s=%u", node->config->grace_s);
    free(node);
}
