/*
 * orchestrator/bus/client.h
 *   What the producer and the consumer have in common: settings and a log that does not flood.
 *   Private to orchestrator/bus.
 */
#ifndef ORCHESTRATOR_BUS_CLIENT_H
#define ORCHESTRATOR_BUS_CLIENT_H

#include "orchestrator/base/log.h"
#include "orchestrator/bus/bus.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>

/* The opaque of every handle: rd_kafka_opaque() gives a struct client. */
struct client {
    const char *role; /* "producer", "consumer" */
    void *owner;
    pthread_mutex_t lock;    /* guards the rest */
    int64_t window_since_ms; /* the log's budget is per window */
    uint32_t lines, suppressed;
};

struct setting {
    const char *name, *value; /* value NULL: not set */
};

void client_init(struct client *client, const char *role, void *owner);
void client_done(struct client *client);

/*
 * A configuration: what both roles share, then `settings`, then options->extra, with the log going
 * to `client`. ERR_INVALID names the setting that librdkafka refuses.
 */
MUST_CHECK bool client_configure(struct client *client, const struct bus_options *options,
                                 const struct setting *settings, size_t setting_count,
                                 rd_kafka_conf_t **ret_conf, struct err *err);
/* Takes the configuration, whatever comes of it. */
MUST_CHECK bool client_create(struct client *client, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                              rd_kafka_t **ret_kafka, struct err *err);

/* Like log_event at WARNING, but at most a few lines each ten seconds. Thread-safe. */
__attribute__((format(printf, 3, 4))) void client_warn(struct client *client, const char *event,
                                                       const char *format, ...);

/* pthread_create with all signals left to the main thread. Aborts when it cannot. */
pthread_t client_thread(void *(*run)(void *), void *argument);

#endif
