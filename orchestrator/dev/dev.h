/*
 * orchestrator/dev/dev.h
 *   `sagad dev`: everything that sagad needs, in one process and its children.
 *
 * A private PostgreSQL, the embedded broker, a node, and the demo participants: started in this
 * order, stopped in the reverse one. Nothing that it started outlives it, not even after kill -9.
 * This folder does not know the daemon: main hands over how a node is started.
 */
#ifndef ORCHESTRATOR_DEV_DEV_H
#define ORCHESTRATOR_DEV_DEV_H

#include "orchestrator/base/err.h"

struct dev_options {
    /* Where the cluster is kept. NULL: /var/lib/sagad-dev as root, else below XDG_STATE_HOME. */
    const char *directory;
    bool temporary; /* a new cluster, removed at the end; `directory` is not looked at */
    unsigned
        port; /* of the API; 0: 8080 when it is free, else any; any with `temporary` or `run` */
    const char *run; /* shell command: run it when all is ready, then stop and return its status */
    bool json;       /* say where things are as one JSON object instead of in words */
    bool no_participants; /* the demo's topics are served by somebody else, or not at all */
};

/* What a node is told. */
struct dev_place {
    const char *database_url, *brokers;
    char listen[32], admin_listen[32];
};

struct dev_daemon {
    void *context;
    /* Migrate the database, then serve. `place` is valid until stop. */
    bool (*start)(void *context, const struct dev_place *place, struct err *err);
    void (*stop)(void *context); /* also after a start that failed */
    const char *(*address)(void *context);
    const char *(*admin_address)(void *context);
};

/*
 * Blocks until SIGINT, SIGTERM or SIGHUP, or until `run` ended. The exit status of the process.
 * The signals must be blocked before any thread was made.
 */
int dev_run(const struct dev_options *options, const struct dev_daemon *daemon);

#endif
