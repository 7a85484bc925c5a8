/*
 * orchestrator/daemon/config.h
 *   Every setting of sagad in one table: flag over environment over file over default.
 *
 * Read once, passed on as `const struct config *`. A bad or unknown name is named together with
 * its nearest match and stops the start. Secrets may come from a file: SAGAD_..._FILE.
 */
#ifndef ORCHESTRATOR_DAEMON_CONFIG_H
#define ORCHESTRATOR_DAEMON_CONFIG_H

#include "orchestrator/base/err.h"
#include "orchestrator/base/log.h"
#include "sagas/base/bytes.h"

#include <stdint.h>

/* Subcommands that take settings. */
enum command_bit {
    FOR_SERVE = 1 << 0,
    FOR_MIGRATE = 1 << 1,
    FOR_TOPICS = 1 << 2,
    FOR_KEYS = 1 << 3,
    FOR_HEALTHCHECK = 1 << 4,
    FOR_CONFIG = 1 << 5,
    FOR_DEV = 1 << 6,
    FOR_MAINTAIN = 1 << 7,
};

struct config {
    const char *listen, *admin_listen;
    const char *database_url;
    const char *kafka_brokers, *kafka_settings;
    const char *namespace_name, *cluster, *topic_prefix, *topics_allow;
    const char *group, *instance, *node_name;
    const char *keys_file;
    bool insecure;
    const char *token_key, *token_key_previous;
    bool migrate;
    uint32_t workers, readers, http_threads;
    uint32_t cache_mb, queue_max, undispatched_max, window_max;
    uint32_t open_max, open_max_per_definition;
    uint32_t grace_s;
    uint32_t retention_days;
    uint32_t events; /* enum events of the engine */
    enum log_level log_level;
    /* topics apply|plan */
    uint32_t partitions, replication;
    bool all;
    /* keys add */
    const char *role;
    /* dev */
    const char *directory, *run;
    bool temporary, json, no_participants;
    uint32_t port;
    bool help;
    struct arena arena; /* owns the texts */
};

/*
 * `arguments` are those after the subcommand; words that are no flags are left in *ret_words
 * (borrowed, NULL-terminated, in the config's arena). ERR_INVALID: err->text is for the user.
 */
MUST_CHECK bool config_read(int bit, char **arguments, struct config *ret_config,
                            const char ***ret_words, struct err *err);
void config_done(struct config *config);
/* The flags of one subcommand, for --help. */
void config_write_help(int bit, struct buffer *buffer);
/* name=value lines of what is in force; secrets are masked. */
void config_write(const struct config *config, struct buffer *buffer);

#endif
