/*
 * orchestrator/store/migrate.c
 *   Bring the schema up to what this binary knows.
 *
 * Forward only. Each migration is applied in a transaction of its own together with its row of
 * sagad.schema_version; a session advisory lock lets one process at a time do so, the others
 * wait and then find nothing to do. Scripts hold many statements: this is the one place
 * that speaks the simple protocol.
 */
#include "migrations/migrations.h"
#include "orchestrator/store/store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOCK_WAIT_MS = 60000 };

DEFINE_CLEANUP(pgconn, PGconn *, PQfinish);
DEFINE_CLEANUP(pgresult, PGresult *, PQclear);

static void cleanup_session(struct session *session)
{
    session_done(session);
}

static uint32_t number_of(const struct sql *migration)
{
    return (uint32_t)strtoul(migration->name, NULL, 10);
}

uint32_t store_schema_newest(void)
{
    uint32_t newest = 0;
    for (size_t i = 0; MIGRATION_ALL[i] != NULL; i++) {
        newest = number_of(MIGRATION_ALL[i]);
    }
    return newest;
}

/* `what` names the work in the error. The caller owns the result. */
static bool check(PGconn *connection, PGresult *result, const char *what, struct err *err)
{
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return true;
    const char *const sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *const message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (sqlstate == NULL || PQstatus(connection) != CONNECTION_OK) {
        return err_set(err, ERR_UNAVAILABLE, "%s: the connection to PostgreSQL broke", what);
    }
    return err_set(err, sqlstate_meaning(sqlstate)->kind, "%s: %s (%s)", what,
                   message != NULL ? message : "refused", sqlstate);
}

static bool run_script(PGconn *connection, const struct sql *script, struct err *err)
{
    CLEANUP(pgresult) PGresult *result = PQexec(connection, script->text);
    return check(connection, result, script->name, err);
}

/* A statement whose parameters are text; its result if asked for. */
static bool run(PGconn *connection, const struct sql *sql, int count, const char *const *values,
                PGresult **ret_result, struct err *err)
{
    CLEANUP(pgresult)
    PGresult *result = PQexecParams(connection, sql->text, count, NULL, values, NULL, NULL, 0);
    if (!check(connection, result, sql->name, err)) return false;
    if (ret_result != NULL) *ret_result = TAKE(result);
    return true;
}

static bool read_version(PGconn *connection, uint32_t *ret_version, struct err *err)
{
    CLEANUP(pgresult) PGresult *result = NULL;
    if (!run(connection, &SQL_SCHEMA_VERSION, 0, NULL, &result, err)) return false;
    *ret_version = (uint32_t)strtoul(PQgetvalue(result, 0, 0), NULL, 10);
    return true;
}

/* What was applied must be what this binary holds, or nothing can be said of the tables. */
static bool check_applied(PGconn *connection, const struct sql *migration, struct err *err)
{
    char number[16];
    (void)snprintf(number, sizeof(number), "%u", number_of(migration));
    const char *const values[] = {number, migration->text};
    CLEANUP(pgresult) PGresult *result = NULL;
    if (!run(connection, &SQL_SCHEMA_VERSION_CHECK, 2, values, &result, err)) return false;
    if (PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't') return true;
    return err_set(err, ERR_INVALID,
                   "migration %s was applied to this database with other content: "
                   "it belongs to another build of sagad, or was damaged",
                   migration->name);
}

static bool apply(PGconn *connection, const struct sql *migration, struct err *err)
{
    char number[16];
    (void)snprintf(number, sizeof(number), "%u", number_of(migration));
    const char *const values[] = {number, migration->name, migration->text};
    return run(connection, &SQL_BEGIN, 0, NULL, NULL, err) &&
           run_script(connection, migration, err) &&
           run(connection, &SQL_SCHEMA_VERSION_INSERT, 3, values, NULL, err) &&
           run(connection, &SQL_COMMIT, 0, NULL, NULL, err);
}

static bool apply_missing(PGconn *connection, uint32_t from, struct err *err)
{
    if (from > store_schema_newest()) {
        return err_set(err, ERR_INVALID,
                       "the database has schema version %u, this sagad knows up to %u: "
                       "use a newer sagad",
                       from, store_schema_newest());
    }
    for (size_t i = 0; MIGRATION_ALL[i] != NULL; i++) {
        const struct sql *const migration = MIGRATION_ALL[i];
        const bool applied = number_of(migration) <= from;
        if (applied ? !check_applied(connection, migration, err)
                    : !apply(connection, migration, err)) {
            return false;
        }
    }
    return true;
}

bool store_migrate(const char *url, uint32_t *ret_from, uint32_t *ret_to, struct err *err)
{
    CLEANUP(session) struct session session;
    session_init(&session, url, "migrate", LOCK_WAIT_MS);
    CLEANUP(pgconn) PGconn *connection = NULL;
    if (!session_dial(&session, &connection, err)) return false;

    /* Closing the connection gives the lock back and undoes what was not committed. */
    uint32_t from = 0;
    if (!run(connection, &SQL_MIGRATE_SESSION, 0, NULL, NULL, err)) return false;
    if (!run(connection, &SQL_MIGRATE_LOCK, 0, NULL, NULL, err)) return false;
    if (!run_script(connection, &SQL_SCHEMA_VERSION_CREATE, err)) return false;
    if (!read_version(connection, &from, err)) return false;
    if (!apply_missing(connection, from, err)) return false;
    *ret_from = from;
    *ret_to = store_schema_newest();
    return true;
}
