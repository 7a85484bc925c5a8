/*
 * cli/start.h
 *   Making a start: the request's body and many of them at once.
 */
#ifndef CLI_START_H
#define CLI_START_H

#include "cli/cli.h"

struct start {
    const char *definition;
    int64_t version;          /* 0: the newest */
    const char *id;           /* NULL: the server chooses */
    const char *start_at;     /* RFC 3339; NULL: now */
    const char *if_exists;    /* NULL: the server's default */
    const char *const *label; /* "key=value" */
    size_t label_count;
};

/* One start with its input; the input's bytes are put in as they are. */
void start_write(const struct start *start, struct bytes input, struct buffer *body);

/* ---- many (lines.c) ---- */

struct push {
    struct cli *cli;
    const struct start *start;
    struct bytes lines;          /* JSON lines, each an input; checked before */
    const char *idempotency_key; /* NULL: fresh ones */
    int64_t give_up_at_ms;       /* of tally_wait, beside the command's own time; 0: none */
    /* Called after each request; NULL: none. */
    void (*progress)(void *context, size_t done, size_t total);
    void *context;
    /* What came of it. */
    size_t total, accepted, refused;
};

/* Every line must be JSON: false, told with its number, when one is not. Counts them. */
bool push_check(struct push *push);
/*
 * Start all of them, many in a request. A refused line is told with its number and the rest goes
 * on; the status is that of a request that failed as a whole.
 */
enum status push_all(struct push *push);

/* ---- how they are doing ---- */

struct tally {
    size_t total, open, succeeded, compensated, other;
    int64_t first_created_ms, last_finished_ms;
    int64_t p50_ms, p99_ms; /* of created to finished */
};

/* How many sagas with this label have not ended. */
enum status tally_open(struct cli *cli, const char *label, size_t *ret_open);
/* Count all sagas with this label. */
enum status tally_all(struct cli *cli, const char *label, struct tally *ret_tally);

/*
 * Wait until all with this label have ended, calling `progress` with those that did.
 * STATUS_TIMEOUT, told, when the time is over.
 */
enum status tally_wait(struct push *push, const char *label);

/* A progress bar on stderr: in place on a terminal, every quarter a line on a pipe. */
struct progress {
    const char *what;
    int64_t started_ms;
    size_t shown; /* last value printed */
    bool tty, utf8;
};

struct progress progress_begin(const char *what, bool utf8);
void progress_show(void *context, size_t done, size_t total); /* fits push.progress */
void progress_end(struct progress *progress);

#endif
