/*
 * orchestrator/dev/child.h
 *   A program that we run and that never outlives us.
 *
 * Between us and the program stands a watcher process. It holds one end of a socket whose other
 * end only we have: when we die, whatever the way, the watcher ends the program, with patience
 * first and by force at last. The program runs in a session of its own, so that Ctrl-C on our
 * terminal reaches only us and we choose the order of ending.
 */
#ifndef ORCHESTRATOR_DEV_CHILD_H
#define ORCHESTRATOR_DEV_CHILD_H

#include "orchestrator/base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct child;

/* Whom a program runs as. */
struct child_user {
    uid_t uid;
    gid_t gid;
    gid_t groups[64];
    int group_count;
};

struct child_options {
    const char *const *argv;        /* argv[0] is the path of the program; NULL-terminated */
    const char *const *environment; /* NULL: ours */
    const char *directory;          /* working directory; NULL: ours */
    const char *log;                /* stdout and stderr are appended there; NULL: ours */
    const struct child_user *user;  /* NULL: ourselves */
    int error_fd;                   /* becomes its stderr; 0: as above */
    int keep_fd;                    /* a lock the watcher holds until the program ended; 0: none */
    int stop_signal;                /* what asks the program to end */
    int force_signal;               /* after 10 s; SIGKILL 5 s later */
    const char *remove_when_orphan; /* tree the watcher removes when we died; NULL: none */
};

enum { CHILD_RUNNING = -1 };

/* Blocks until the watcher said that the program was started (not: that it works). */
MUST_CHECK bool child_start(const struct child_options *options, struct child **ret_child,
                            struct err *err);
pid_t child_pid(const struct child *child);
/* CHILD_RUNNING, or as a shell sees it: exit status, or 128 + signal. 127: could not be run. */
int child_status(struct child *child);
/* Wait for the end up to timeout_ms; returns as child_status(). */
int child_wait(struct child *child, uint32_t timeout_ms);
void child_signal(struct child *child, int signal_number);
/* Ask with stop_signal, insist as the options say, wait, free. Returns its status; NULL is fine. */
int child_stop(struct child *child);

/*
 * Start a program in front: it keeps our stdin, our terminal and our session, and gets Ctrl-C as we
 * do. No watcher; stop_signal reaches it when our thread dies. Returns its process, -1: not
 * started.
 */
pid_t child_spawn(const struct child_options *options);
/* CHILD_RUNNING, or its status: of a process of child_spawn. */
int child_spawned_status(pid_t pid);

/* Run a program to its end; same meaning of the options. Returns its status, 127 when it could not
 * be run. */
int child_run(const struct child_options *options);
/* Remove a directory tree; what does not exist is fine. */
void child_remove_tree(const char *directory);

#endif
