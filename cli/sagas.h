/*
 * cli/sagas.h
 *   Addresses below /v1/sagas, and following one saga by long polls.
 */
#ifndef CLI_SAGAS_H
#define CLI_SAGAS_H

#include "cli/cli.h"

/* "/v1/sagas/<id><below>", the id percent-encoded. */
char *sagas_path(struct arena *arena, const char *id, const char *below);

/* One saga, read again whenever it changed. */
struct follow {
    struct cli *cli;
    const char *id;
    char etag[CLIENT_ETAG_SIZE]; /* of what was read last; "": nothing yet */
    int64_t give_up_at_ms;       /* monotonic, beside the command's own time; 0: none */
    client_tick *tick;           /* called each second while nothing changes; NULL: none */
    void *tick_context;
};

/*
 * At the first call read the saga, at later ones wait until it is another than the one read last.
 * Outlives a restart of the server. STATUS_TIMEOUT, told, when the time of the command is over.
 */
enum status follow_next(struct follow *follow, struct arena *arena, struct answer *ret_answer);

/*
 * Wait for the end, or for one of the states of --for; prints nothing. ENDED when it ended
 * otherwise. The last answer is in *ret_answer unless the status is another than OK and ENDED.
 */
enum status sagas_wait(struct cli *cli, const char *id, struct answer *ret_answer);

/* Show a saga until its end, in the way of `watch`. */
enum status sagas_watch(struct cli *cli, const char *id);

/* Print one saga in the command's format: a table of one row, or the answer as it came. */
void sagas_print(struct cli *cli, const struct answer *answer);

#endif
