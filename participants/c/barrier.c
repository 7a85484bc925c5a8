/*
 * participants/c/barrier.c
 *   See barrier.h.
 *
 * A commit whose answer is lost is not guessed about: the command is carried out again, and the
 * barrier says what became of it (`replay`: it was committed; `run`: it was not).
 */
#include "participants/c/barrier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 3 };

struct barrier {
    PGconn *connection;
};

enum step_result { STEP_DONE, STEP_BROKEN, STEP_AMBIGUOUS };

static PGresult *run(struct barrier *barrier, const char *sql, int count, const char *const *values)
{
    return PQexecParams(barrier->connection, sql, count, NULL, values, NULL, NULL, 0);
}

static bool did(PGresult *result, ExecStatusType wanted, const char *tag)
{
    const bool ok =
        PQresultStatus(result) == wanted && (tag == NULL || strcmp(PQcmdStatus(result), tag) == 0);
    if (!ok) fprintf(stderr, "database: %s", PQresultErrorMessage(result));
    PQclear(result);
    return ok;
}

static bool prepare(struct barrier *barrier)
{
    return did(PQprepare(barrier->connection, "saga_begin",
                         "select verdict, reply from saga_begin($1, $2)", 2, NULL),
               PGRES_COMMAND_OK, NULL) &&
           did(PQprepare(barrier->connection, "saga_done", "select saga_done($1, $2, $3)", 3, NULL),
               PGRES_COMMAND_OK, NULL);
}

/* Connect again where the connection is lost. */
static bool revive(struct barrier *barrier)
{
    if (PQstatus(barrier->connection) == CONNECTION_OK) return true;
    PQreset(barrier->connection);
    return PQstatus(barrier->connection) == CONNECTION_OK && prepare(barrier);
}

struct barrier *barrier_open(const char *database)
{
    struct barrier *barrier = calloc(1, sizeof *barrier);
    if (barrier == NULL) abort();
    barrier->connection = PQconnectdb(database);
    if (PQstatus(barrier->connection) == CONNECTION_OK && prepare(barrier)) return barrier;
    fprintf(stderr, "database: %s", PQerrorMessage(barrier->connection));
    barrier_close(barrier);
    return NULL;
}

void barrier_close(struct barrier *barrier)
{
    if (barrier == NULL) return;
    PQfinish(barrier->connection);
    free(barrier);
}

static bool roll_back(struct barrier *barrier)
{
    return did(run(barrier, "rollback", 0, NULL), PGRES_COMMAND_OK, NULL);
}

/* A transaction that failed says ROLLBACK and means it; a lost connection says nothing. */
static enum step_result commit(struct barrier *barrier)
{
    if (did(run(barrier, "commit", 0, NULL), PGRES_COMMAND_OK, "COMMIT")) return STEP_DONE;
    return PQstatus(barrier->connection) == CONNECTION_OK ? STEP_BROKEN : STEP_AMBIGUOUS;
}

static enum step_result run_handler(struct barrier *barrier, struct participant_command *command,
                                    participant_handle *handle, void *context,
                                    struct participant_reply *reply)
{
    command->database = barrier->connection;
    *reply = handle(command, context);
    command->database = NULL;
    if (reply->outcome != PARTICIPANT_SUCCESS) return roll_back(barrier) ? STEP_DONE : STEP_BROKEN;
    const char *values[] = {command->key, command->op, reply->value};
    PGresult *done = PQexecPrepared(barrier->connection, "saga_done", 3, values, NULL, NULL, 0);
    return did(done, PGRES_TUPLES_OK, NULL) ? commit(barrier) : STEP_BROKEN;
}

static enum step_result carry_out(struct barrier *barrier, struct participant_command *command,
                                  participant_handle *handle, void *context,
                                  struct participant_reply *reply)
{
    const char *values[] = {command->key, command->op};
    if (!did(run(barrier, "begin", 0, NULL), PGRES_COMMAND_OK, NULL)) return STEP_BROKEN;
    PGresult *result = PQexecPrepared(barrier->connection, "saga_begin", 2, values, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        did(result, PGRES_TUPLES_OK, NULL);
        return STEP_BROKEN;
    }
    char verdict[16];
    snprintf(verdict, sizeof verdict, "%s", PQgetvalue(result, 0, 0));
    *reply = PQgetisnull(result, 0, 1) ? participant_succeed(NULL)
                                       : participant_succeed("%s", PQgetvalue(result, 0, 1));
    PQclear(result);

    if (strcmp(verdict, "run") == 0) return run_handler(barrier, command, handle, context, reply);
    if (strcmp(verdict, "refuse") == 0) {
        *reply = participant_fail("already_compensated", "It was undone before it came.");
    } else if (strcmp(verdict, "skip") == 0 && strcmp(command->op, "probe") == 0) {
        *reply = participant_fail("never_ran", "No command with this key was carried out.");
    }
    /* The commit keeps what `skip` noted: its action will be refused. */
    return commit(barrier);
}

bool barrier_handle(struct barrier *barrier, struct participant_command *command,
                    participant_handle *handle, void *context, struct participant_reply *ret_reply)
{
    bool ambiguous = false;
    for (int i = 0; i < TRIES; i++) {
        if (!revive(barrier)) continue;
        struct participant_reply reply = {0};
        const enum step_result result = carry_out(barrier, command, handle, context, &reply);
        if (result == STEP_DONE) {
            *ret_reply = reply;
            return true;
        }
        free(reply.value);
        ambiguous = ambiguous || result == STEP_AMBIGUOUS;
        if (PQstatus(barrier->connection) == CONNECTION_OK &&
            PQtransactionStatus(barrier->connection) != PQTRANS_IDLE) {
            (void)roll_back(barrier);
        }
    }
    *ret_reply = participant_retry("database_unavailable", 0);
    return !ambiguous;
}
