/*
 * orchestrator/daemon/dev_command.c
 *   `sagad dev`: hands our node to orchestrator/dev, which does not know it.
 */
#include "orchestrator/daemon/config.h"
#include "orchestrator/daemon/serve.h"
#include "orchestrator/daemon/tools.h"
#include "orchestrator/dev/dev.h"
#include "orchestrator/store/store.h"

#include <stdio.h>

struct dev_node {
    struct config config;
    struct node *node;
};

static bool start_node(void *context, const struct dev_place *place, struct err *err)
{
    struct dev_node *dev = context;
    dev->config.database_url = place->database_url;
    dev->config.kafka_brokers = place->brokers;
    dev->config.listen = place->listen;
    dev->config.admin_listen = place->admin_listen;
    dev->config.insecure = true; /* loopback only */
    uint32_t from = 0;
    uint32_t to = 0;
    return store_migrate(place->database_url, &from, &to, err) &&
           node_start(&dev->config, true, &dev->node, err);
}

static void stop_node(void *context)
{
    struct dev_node *dev = context;
    node_stop(dev->node);
}

static const char *address(void *context)
{
    const struct dev_node *dev = context;
    return node_address(dev->node);
}

static const char *admin_address(void *context)
{
    const struct dev_node *dev = context;
    return node_admin_address(dev->node);
}

int tool_dev(const struct config *config, const char **words)
{
    if (words[0] != NULL) {
        (void)fprintf(stderr, "sagad: dev takes no words, only flags\n");
        return EXIT_USAGE;
    }
    struct dev_node node = {.config = *config};
    const struct dev_options options = {.directory = config->directory,
                                        .temporary = config->temporary,
                                        .port = config->port,
                                        .run = config->run,
                                        .json = config->json,
                                        .no_participants = config->no_participants};
    const struct dev_daemon daemon = {.context = &node,
                                      .start = start_node,
                                      .stop = stop_node,
                                      .address = address,
                                      .admin_address = admin_address};
    return dev_run(&options, &daemon);
}
