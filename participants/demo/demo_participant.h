/*
 * participants/demo/demo_participant.h
 *   The services of the two demo flows: what each command does is README.md beside this file.
 *
 * A pool of workers, each with its own consumer and its own database session, so that commands of
 * different partitions are done side by side and share the disk's flush.
 */
#ifndef PARTICIPANTS_DEMO_DEMO_PARTICIPANT_H
#define PARTICIPANTS_DEMO_DEMO_PARTICIPANT_H

#include <signal.h>

struct demo_options {
    const char *brokers;
    const char *database; /* libpq connection string */
    const char *schema;   /* made when missing, with the barrier and the ledger */
    const char *topics;   /* comma-separated; NULL: all of the demo */
    const char *group;
    unsigned threads;
    const char *ready_file;            /* made when every worker has its partitions; NULL: none */
    const volatile sig_atomic_t *stop; /* ends demo_run when not 0 */
};

extern const char DEMO_TOPICS[];

/* Blocks until *stop. 0, or 1 when it could not start or a worker ended (the reason is on stderr).
 */
int demo_run(const struct demo_options *options);

#endif
