/*
 * orchestrator/store/connect.c
 *   How a session comes up: dial, settle, check the schema, prepare everything.
 */
#include "orchestrator/base/cleanup.h"
#include "orchestrator/store/session.h"
#include "orchestrator/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_DEFAULT_MS = 5000 };

DEFINE_CLEANUP(conninfo, PQconninfoOption *, PQconninfoFree);
DEFINE_CLEANUP(pgconn, PGconn *, PQfinish);

static char *copy_text(const char *text)
{
    char *const copy = strdup(text);
    if (copy == NULL) abort();
    return copy;
}

void session_init(struct session *session, const char *url, const char *role, uint32_t timeout_ms)
{
    memset(session, 0, sizeof(*session));
    session->url = copy_text(url);
    session->timeout_ms = timeout_ms != 0 ? timeout_ms : TIMEOUT_DEFAULT_MS;
    char name[64];
    (void)snprintf(name, sizeof(name), "sagad/%s", role);
    session->application_name = copy_text(name);
}

void session_done(struct session *session)
{
    session_drop(session);
    arena_done(&session->own);
    free(session->url);
    free(session->application_name);
    session->url = NULL;
    session->application_name = NULL;
}

/*
 * A WARNING is never routine here. After a cancelled wait for a synchronous standby it is all that
 * tells a commit that may be lost in a failover from one that may not.
 */
static void receive_notice(void *context, const PGresult *notice)
{
    struct session *const session = context;
    const char *const severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity != NULL && strcmp(severity, "WARNING") == 0) session->warned = true;
}

/*
 * A password with @ or / that is not percent-encoded is taken for a host or a database, and would
 * stand in the error about them.
 */
static bool is_ambiguous(const char *url)
{
    const char *const scheme_end = strstr(url, "://");
    if (scheme_end == NULL) return false;
    const char *const start = scheme_end + 3;
    const size_t end = strcspn(start, "?");
    const size_t host = strcspn(start, "@") + 1;
    if (host > end) return false;
    return memchr(start, '/', host) != NULL || memchr(start + host, '@', end - host) != NULL;
}

/* libpq's parser repeats what it does not understand, password and all: say it without. */
static bool check_url(const char *url, struct err *err)
{
    char *reason = NULL;
    CLEANUP(conninfo) PQconninfoOption *options = PQconninfoParse(url, &reason);
    PQfreemem(reason);
    if (options == NULL) {
        return err_set(err, ERR_INVALID,
                       "the database URL cannot be read: expected "
                       "postgresql://user@host:port/name or host=... dbname=...");
    }
    if (is_ambiguous(url)) {
        return err_set(err, ERR_INVALID,
                       "the database URL can be read in two ways: write @ as %%40 and / as %%2F "
                       "in its password");
    }
    return true;
}

static bool fail_to_connect(const PGconn *connection, struct err *err)
{
    const char *const reason = PQerrorMessage(connection);
    return err_set(err, ERR_UNAVAILABLE,
                   "cannot connect to the database (PostgreSQL, --database-url): %.*s",
                   (int)strcspn(reason, "\n"), reason);
}

bool session_dial(const struct session *session, PGconn **ret_connection, struct err *err)
{
    if (!check_url(session->url, err)) return false;
    char user_timeout_ms[16];
    (void)snprintf(user_timeout_ms, sizeof(user_timeout_ms), "%u", session->timeout_ms + 1000);
    /* What stands before dbname can be overridden in the URL, what stands after it cannot. */
    const char *const names[] = {"connect_timeout",      "tcp_user_timeout",
                                 "keepalives_idle",      "keepalives_interval",
                                 "keepalives_count",     "dbname",
                                 "application_name",     "client_encoding",
                                 "target_session_attrs", NULL};
    const char *const values[] = {
        "2",          user_timeout_ms,           "5",    "2",          "3",
        session->url, session->application_name, "UTF8", "read-write", NULL};
    CLEANUP(pgconn) PGconn *connection = PQconnectdbParams(names, values, 1);
    if (connection == NULL) abort();
    if (PQstatus(connection) != CONNECTION_OK) return fail_to_connect(connection, err);
    *ret_connection = TAKE(connection);
    return true;
}

/* Settings and the schema's version, with statements that are not prepared yet. */
static bool settle(struct session *session, struct err *err)
{
    char timeout_ms[16];
    char lock_timeout_ms[16];
    (void)snprintf(timeout_ms, sizeof(timeout_ms), "%u", session->timeout_ms);
    (void)snprintf(lock_timeout_ms, sizeof(lock_timeout_ms), "%u", session->timeout_ms / 2 + 1);
    struct params *const settings = params_new(&session->own);
    params_string(settings, timeout_ms);
    params_string(settings, lock_timeout_ms);

    CLEANUP(round) struct round round;
    round_begin(&round, session);
    round_add(&round, &SQL_SESSION, settings);
    return round_run_unprepared(&round, err);
}

static bool check_schema(struct session *session, struct err *err)
{
    CLEANUP(round) struct round round;
    round_begin(&round, session);
    round_add(&round, &SQL_SCHEMA_VERSION, NULL);
    if (!round_run_unprepared(&round, err)) {
        const bool missing =
            strcmp(round.sqlstate, "42P01") == 0 || strcmp(round.sqlstate, "3F000") == 0;
        if (!missing) return false;
        return err_set(err, ERR_INVALID,
                       "this database has no sagad tables yet: run sagad migrate");
    }
    char *const text = PQgetvalue(round.result[0], 0, 0);
    const uint32_t found = (uint32_t)((uint8_t)text[0] << 24 | (uint8_t)text[1] << 16 |
                                      (uint8_t)text[2] << 8 | (uint8_t)text[3]);
    const uint32_t known = store_schema_newest();
    if (found > known) {
        return err_set(err, ERR_INVALID,
                       "the database has schema version %u, this sagad knows up to %u: "
                       "use a newer sagad",
                       found, known);
    }
    if (found < known) {
        return err_set(err, ERR_INVALID,
                       "the database has schema version %u, this sagad needs %u: "
                       "run sagad migrate",
                       found, known);
    }
    return true;
}

static bool prepare_all(struct session *session, struct err *err)
{
    size_t next = 0;
    while (SQL_ALL[next] != NULL) {
        CLEANUP(round) struct round round;
        round_begin(&round, session);
        while (SQL_ALL[next] != NULL && round.count < ROUND_MAX) {
            round_add(&round, SQL_ALL[next++], NULL);
        }
        if (!round_prepare(&round, err)) return false;
    }
    return true;
}

static bool enter_pipeline(struct session *session, struct err *err)
{
    if (PQsetnonblocking(session->connection, 1) == 0 &&
        PQenterPipelineMode(session->connection) == 1) {
        return true;
    }
    return err_set(err, ERR_UNAVAILABLE, "the connection to PostgreSQL broke");
}

bool session_connect(struct session *session, struct err *err)
{
    session_drop(session);
    arena_reset(&session->own);
    if (!session_dial(session, &session->connection, err)) return false;
    session->opened++;
    PQsetNoticeReceiver(session->connection, receive_notice, session);
    if (enter_pipeline(session, err) && settle(session, err) && check_schema(session, err) &&
        prepare_all(session, err)) {
        return true;
    }
    session_drop(session);
    return false;
}
