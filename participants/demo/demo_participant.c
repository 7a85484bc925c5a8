#include "participants/demo/demo_participant.h"

#include "participants/c/barrier.h"
#include "participants/demo/services.h"
#include "participants/demo/shop_sql.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 64, URL_MAX = 1024 };

const char DEMO_TOPICS[] =
    "inventory.commands,risk.commands,payments.commands,shipping.commands,"
    "mail.commands,content.commands";

struct pool {
    const struct demo_options *options;
    const char *database; /* with the schema as its search path */
    atomic_int failed;
    atomic_uint unassigned; /* workers that have no partitions yet */
};

struct worker {
    struct pool *pool;
    struct barrier *barrier;
    bool assigned;
    pthread_t thread;
};

/*
 * The barrier is ours and not the library's, because one card of the demo loses the answer after
 * the effect: for a library that would be a fault.
 */
static struct participant_reply handle(const struct participant_command *command, void *context)
{
    struct worker *worker = context;
    struct participant_command copy = *command;
    struct participant_reply reply = {.outcome = PARTICIPANT_LATER};
    if (!barrier_handle(worker->barrier, &copy, service_handle, NULL, &reply)) {
        return participant_say(PARTICIPANT_LATER);
    }
    if (!service_loses_answer(command)) return reply;
    free(reply.value);
    return participant_say(PARTICIPANT_LATER);
}

static void on_assigned(void *context)
{
    struct worker *worker = context;
    const char *ready_file = worker->pool->options->ready_file;
    if (worker->assigned) return;
    worker->assigned = true;
    if (atomic_fetch_sub(&worker->pool->unassigned, 1) > 1 || ready_file == NULL) return;
    FILE *file = fopen(ready_file, "we");
    if (file != NULL) (void)fclose(file);
}

static void *work(void *context)
{
    struct worker *worker = context;
    const struct demo_options *options = worker->pool->options;
    const struct participant_handler handlers[] = {
        {"*", handle}
    };
    const struct participant_options participant = {
        .brokers = options->brokers,
        .group = options->group,
        .topics = options->topics != NULL ? options->topics : DEMO_TOPICS,
        .handlers = handlers,
        .handler_count = 1,
        .context = worker,
        .stop = options->stop,
        .on_assigned = on_assigned};
    worker->barrier = barrier_open(worker->pool->database);
    if (worker->barrier == NULL || participant_run(&participant) != 0) {
        atomic_store(&worker->pool->failed, 1);
    }
    barrier_close(worker->barrier);
    return NULL;
}

static bool execute(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_FATAL_ERROR) (void)fprintf(stderr, "%s", PQresultErrorMessage(result));
    PQclear(result);
    return status != PGRES_FATAL_ERROR;
}

static bool make_schema(PGconn *connection, const char *schema)
{
    char *name = PQescapeIdentifier(connection, schema, strlen(schema));
    if (name == NULL) return false;
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "begin; set local client_min_messages = warning; "
                   "select pg_advisory_xact_lock(hashtext('saga_shop')); "
                   "create schema if not exists %s; commit",
                   name);
    PQfreemem(name);
    return execute(connection, sql);
}

static bool install(const struct pool *pool)
{
    PGconn *connection = PQconnectdb(pool->database);
    bool done = PQstatus(connection) == CONNECTION_OK;
    if (!done) (void)fprintf(stderr, "database: %s", PQerrorMessage(connection));
    done = done && make_schema(connection, pool->options->schema) &&
           execute(connection, "set client_min_messages = warning") &&
           execute(connection, SQL_BARRIER.text) && execute(connection, SQL_SHOP.text);
    PQfinish(connection);
    return done;
}

/* A URI takes the search path as a parameter, a conninfo string as a further word. */
static bool add_schema(const char *database, const char *schema, char ret_url[URL_MAX])
{
    const bool is_uri = strstr(database, "://") != NULL;
    int length = 0;
    if (!is_uri) {
        length = snprintf(ret_url, URL_MAX, "%s options='-c search_path=%s'", database, schema);
    } else {
        length = snprintf(ret_url, URL_MAX, "%s%soptions=-c%%20search_path%%3D%s", database,
                          strchr(database, '?') == NULL ? "?" : "&", schema);
    }
    return length > 0 && length < URL_MAX;
}

int demo_run(const struct demo_options *options)
{
    char database[URL_MAX];
    struct pool pool = {.options = options, .database = database};
    if (!add_schema(options->database, options->schema, database)) {
        (void)fprintf(stderr, "the database URL is too long\n");
        return 1;
    }
    if (!install(&pool)) return 1;

    struct worker workers[THREADS_MAX];
    const unsigned count = options->threads < THREADS_MAX ? options->threads : THREADS_MAX;
    atomic_store(&pool.unassigned, count);
    for (unsigned i = 0; i < count; i++) {
        workers[i] = (struct worker){.pool = &pool};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) abort();
    }
    for (unsigned i = 0; i < count; i++) {
        (void)pthread_join(workers[i].thread, NULL);
    }
    return atomic_load(&pool.failed);
}
