/*
 * orchestrator/store/session.h
 *   One connection in pipeline mode, and rounds of prepared statements on it.
 *
 * A round is sent as a whole and answered as a whole. The socket never blocks: what the server
 * says is read while we still write, so full buffers on both sides cannot deadlock. A server
 * that says nothing for the statement timeout and a second counts as gone.
 */
#ifndef ORCHESTRATOR_STORE_SESSION_H
#define ORCHESTRATOR_STORE_SESSION_H

#include "orchestrator/base/err.h"
#include "orchestrator/store/params.h"
#include "orchestrator/store/sql.h"
#include "orchestrator/store/sqlstate.h"

#include <libpq-fe.h>

enum { ROUND_MAX = 64, SQLSTATE_SIZE = 6 };

struct session {
    PGconn *connection; /* NULL: none */
    char *url;
    char *application_name;
    uint32_t timeout_ms;
    bool warned;      /* a WARNING came since this was last set to false */
    uint64_t opened;  /* connections made so far */
    struct arena own; /* of connecting, so that parameters of a waiting round stay valid */
};

struct round {
    struct session *session;
    size_t count;
    const struct sql *sql[ROUND_MAX];
    const struct params *params[ROUND_MAX]; /* NULL: none */
    PGresult *result[ROUND_MAX];            /* after success, each; binary */
    size_t failed;                          /* after failure: which; `count` when lost */
    char sqlstate[SQLSTATE_SIZE];           /* after failure: of the server, else "" */
    enum remedy remedy;                     /* after failure */
    bool
        lost; /* after failure: the connection broke or went silent; what became of it is unknown */
};

void session_init(struct session *session, const char *url, const char *role, uint32_t timeout_ms);
void session_done(struct session *session);
/* Connect, settle the session, check the schema's version and prepare SQL_ALL. */
MUST_CHECK bool session_connect(struct session *session, struct err *err);
/* Only connect: for migrations. The caller owns the connection. */
MUST_CHECK bool session_dial(const struct session *session, PGconn **ret_connection,
                             struct err *err);
void session_drop(struct session *session);
bool session_is_up(const struct session *session);

void round_begin(struct round *round, struct session *session);
void round_add(struct round *round, const struct sql *sql, const struct params *params);
/* Execute once; on failure no transaction is left open. */
MUST_CHECK bool round_run(struct round *round, struct err *err);
/* The same, parsing each statement as it comes / preparing it under its name. */
MUST_CHECK bool round_run_unprepared(struct round *round, struct err *err);
MUST_CHECK bool round_prepare(struct round *round, struct err *err);
void round_done(struct round *round);

static inline void cleanup_round(struct round *round)
{
    round_done(round);
}

#endif
