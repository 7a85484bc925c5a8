#include "orchestrator/store/session.h"

#include "orchestrator/base/clock.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { SILENCE_GRACE_MS = 1000 };

enum manner { EXECUTE, PARSE_AND_EXECUTE, PREPARE };

void session_drop(struct session *session)
{
    if (session->connection == NULL) return;
    PQfinish(session->connection);
    session->connection = NULL;
}

bool session_is_up(const struct session *session)
{
    return session->connection != NULL && PQstatus(session->connection) == CONNECTION_OK;
}

void round_begin(struct round *round, struct session *session)
{
    memset(round, 0, sizeof(*round));
    round->session = session;
}

void round_add(struct round *round, const struct sql *sql, const struct params *params)
{
    assert(round->count < ROUND_MAX);
    round->sql[round->count] = sql;
    round->params[round->count] = params;
    round->count++;
}

static void clear_results(struct round *round)
{
    for (size_t i = 0; i < ROUND_MAX; i++) {
        PQclear(round->result[i]);
        round->result[i] = NULL;
    }
}

void round_done(struct round *round)
{
    clear_results(round);
    round->count = 0;
}

static bool send_one(PGconn *connection, const struct sql *sql, const struct params *params,
                     enum manner manner)
{
    static const struct params NONE;
    const struct params *const given = params != NULL ? params : &NONE;
    switch (manner) {
    case EXECUTE:
        return PQsendQueryPrepared(connection, sql->name, given->count, given->value, given->length,
                                   given->format, 1) == 1;
    case PARSE_AND_EXECUTE:
        return PQsendQueryParams(connection, sql->text, given->count, NULL, given->value,
                                 given->length, given->format, 1) == 1;
    case PREPARE: return PQsendPrepare(connection, sql->name, sql->text, 0, NULL) == 1;
    }
    return false;
}

static bool send_all(struct round *round, enum manner manner)
{
    PGconn *const connection = round->session->connection;
    for (size_t i = 0; i < round->count; i++) {
        if (!send_one(connection, round->sql[i], round->params[i], manner)) return false;
    }
    return PQpipelineSync(connection) == 1;
}

/* Write what is left and read what came, until a result is complete or the deadline passes. */
static bool wait_for_result(PGconn *connection, int64_t deadline_ms)
{
    for (;;) {
        const int unsent = PQflush(connection);
        if (unsent < 0) return false;
        if (PQisBusy(connection) == 0) return true;

        const int64_t left_ms = deadline_ms - clock_monotonic_ms();
        if (left_ms <= 0) return false;
        struct pollfd socket = {.fd = PQsocket(connection),
                                .events = (short)(POLLIN | (unsent > 0 ? POLLOUT : 0))};
        if (poll(&socket, 1, (int)left_ms) < 0 && errno != EINTR) return false;
        if ((socket.revents & (POLLIN | POLLERR | POLLHUP)) != 0 &&
            PQconsumeInput(connection) == 0) {
            return false;
        }
    }
}

static bool is_success(const PGresult *result)
{
    const ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* The next result, NULL between two statements; false when the connection is of no more use. */
static bool next_result(struct session *session, PGresult **ret_result)
{
    const int64_t deadline_ms =
        clock_monotonic_ms() + (int64_t)session->timeout_ms + SILENCE_GRACE_MS;
    if (!wait_for_result(session->connection, deadline_ms)) return false;
    *ret_result = PQgetResult(session->connection);
    return true;
}

/* Of statement `at`: the first failure is kept, what follows it is not. */
static void keep(struct round *round, size_t at, PGresult *result, PGresult **failure)
{
    if (*failure == NULL && !is_success(result)) {
        *failure = result;
        round->failed = at;
    } else if (*failure == NULL && at < round->count && round->result[at] == NULL) {
        round->result[at] = result;
    } else {
        PQclear(result);
    }
}

/* Results up to the synchronisation point; false when it never came. */
static bool collect(struct round *round, PGresult **ret_failure)
{
    for (size_t at = 0; at <= round->count;) {
        PGresult *result = NULL;
        if (!next_result(round->session, &result)) return false;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return true;
        }
        if (result != NULL) {
            keep(round, at, result, ret_failure);
        } else if (session_is_up(round->session)) {
            at++;
        } else {
            return false;
        }
    }
    return false;
}

static bool fail_lost(struct round *round, struct err *err)
{
    round->lost = true;
    round->failed = round->count;
    round->remedy = REMEDY_RECONNECT;
    session_drop(round->session);
    return err_set(err, ERR_UNAVAILABLE, "the connection to PostgreSQL broke");
}

static bool fail_with(struct round *round, const PGresult *failure, struct err *err)
{
    const char *const sqlstate = PQresultErrorField(failure, PG_DIAG_SQLSTATE);
    if (sqlstate == NULL) return fail_lost(round, err);
    const char *const message = PQresultErrorField(failure, PG_DIAG_MESSAGE_PRIMARY);
    const struct sqlstate_meaning *const meaning = sqlstate_meaning(sqlstate);
    (void)snprintf(round->sqlstate, sizeof(round->sqlstate), "%s", sqlstate);
    round->remedy = meaning->remedy;
    return err_set(err, meaning->kind, "PostgreSQL refused %s: %s (%s)",
                   round->failed < round->count ? round->sql[round->failed]->name : "the round",
                   message != NULL ? message : "no reason given", sqlstate);
}

/* An explicit transaction that failed stays open until it is told to end. */
static bool leave_transaction(struct session *session)
{
    static const struct sql ROLLBACK = {"rollback", "rollback"};
    if (PQtransactionStatus(session->connection) == PQTRANS_IDLE) return true;
    struct round round;
    round_begin(&round, session);
    round_add(&round, &ROLLBACK, NULL);
    PGresult *failure = NULL;
    const bool done = send_all(&round, PARSE_AND_EXECUTE) && collect(&round, &failure) &&
                      failure == NULL && PQtransactionStatus(session->connection) == PQTRANS_IDLE;
    PQclear(failure);
    round_done(&round);
    return done;
}

static bool run(struct round *round, enum manner manner, struct err *err)
{
    struct session *const session = round->session;
    clear_results(round);
    round->lost = false;
    round->sqlstate[0] = '\0';
    round->remedy = REMEDY_NONE;
    if (!session_is_up(session)) return fail_lost(round, err);

    PGresult *failure = NULL;
    const bool whole = send_all(round, manner) && collect(round, &failure);
    if (whole && failure == NULL) return true;

    if (failure != NULL) {
        (void)fail_with(round, failure, err);
    } else {
        (void)fail_lost(round, err);
    }
    PQclear(failure);
    if (!session_is_up(session) || !whole) {
        round->lost = true;
        round->remedy = REMEDY_RECONNECT;
    }
    if (round->remedy == REMEDY_RECONNECT || !leave_transaction(session)) session_drop(session);
    return false;
}

bool round_run(struct round *round, struct err *err)
{
    return run(round, EXECUTE, err);
}

bool round_run_unprepared(struct round *round, struct err *err)
{
    return run(round, PARSE_AND_EXECUTE, err);
}

bool round_prepare(struct round *round, struct err *err)
{
    return run(round, PREPARE, err);
}
