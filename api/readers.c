#include "api/readers.h"

#include "orchestrator/base/log.h"
#include "orchestrator/store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATEMENT_MS = 4000 };

struct job {
    struct exchange *exchange; /* NULL: a task */
    route_handler *handle;
    reader_task *task;
    void *context;
    struct job *next;
};

struct reader {
    struct readers *readers;
    pthread_t thread;
    struct store *store;
    char role[24];
};

struct readers {
    char *database_url, *namespace_name;
    struct reader *reader;
    uint32_t count;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct job *first, **last, *free;
    uint32_t queued;
    bool ends;
};

/* With the lock held. */
static struct job *take_job(struct readers *readers)
{
    struct job *const job = readers->first;
    if (job == NULL) return NULL;
    readers->first = job->next;
    if (readers->first == NULL) readers->last = &readers->first;
    readers->queued--;
    return job;
}

static bool wait_for_job(struct readers *readers, struct job *ret_job)
{
    (void)pthread_mutex_lock(&readers->lock);
    struct job *job = take_job(readers);
    while (job == NULL && !readers->ends) {
        (void)pthread_cond_wait(&readers->wake, &readers->lock);
        job = take_job(readers);
    }
    if (job != NULL) {
        *ret_job = *job;
        job->next = readers->free;
        readers->free = job;
    }
    (void)pthread_mutex_unlock(&readers->lock);
    return job != NULL;
}

static bool connect_reader(struct reader *reader, struct err *err)
{
    if (reader->store != NULL) return true;
    const struct store_options options = {
        .url = reader->readers->database_url,
        .namespace_name = reader->readers->namespace_name,
        .role = reader->role,
        .statement_timeout_ms = STATEMENT_MS,
    };
    return store_open(&options, &reader->store, err);
}

static void carry_out(struct reader *reader, const struct job *job)
{
    struct err err;
    const bool is_connected = connect_reader(reader, &err);
    if (job->exchange == NULL) {
        job->task(job->context, is_connected ? reader->store : NULL);
        return;
    }
    enum handled handled = ANSWERED;
    if (is_connected) {
        handled = job->handle(job->exchange, reader->store);
    } else if (job->exchange->response.stream != NULL) {
        handled = job->exchange->response.stream->more(job->exchange, NULL);
    } else if (job->exchange->response.status != 0) {
        handled = ANSWERED; /* it only wanted a better answer than it has */
    } else if (err.kind == ERR_INVALID) {
        handled = exchange_problem(job->exchange, PROBLEM_UNAVAILABLE,
                                   "the database does not fit this sagad; its operators know more");
    } else {
        handled = exchange_failed(job->exchange, &err, PROBLEM_NO_ROUTE);
    }
    if (handled == ANSWERED) exchange_done(job->exchange);
}

static void *read_for_ever(void *context)
{
    struct reader *const reader = context;
    for (struct job job; wait_for_job(reader->readers, &job);) {
        carry_out(reader, &job);
    }
    store_close(reader->store);
    return NULL;
}

struct readers *readers_start(const char *database_url, const char *namespace_name,
                              const char *role, uint32_t count)
{
    struct readers *const readers = calloc(1, sizeof(*readers));
    if (readers == NULL) abort();
    readers->database_url = strdup(database_url);
    readers->namespace_name = strdup(namespace_name);
    readers->reader = calloc(count, sizeof(*readers->reader));
    if (readers->database_url == NULL || readers->namespace_name == NULL ||
        readers->reader == NULL) {
        abort();
    }
    readers->last = &readers->first;
    readers->count = count;
    (void)pthread_mutex_init(&readers->lock, NULL);
    (void)pthread_cond_init(&readers->wake, NULL);
    for (uint32_t i = 0; i < count; i++) {
        struct reader *const reader = &readers->reader[i];
        reader->readers = readers;
        (void)snprintf(reader->role, sizeof(reader->role), "%s-%u", role, i);
        if (pthread_create(&reader->thread, NULL, read_for_ever, reader) != 0) abort();
    }
    return readers;
}

void readers_stop(struct readers *readers)
{
    if (readers == NULL) return;
    (void)pthread_mutex_lock(&readers->lock);
    readers->ends = true;
    (void)pthread_cond_broadcast(&readers->wake);
    (void)pthread_mutex_unlock(&readers->lock);
    for (uint32_t i = 0; i < readers->count; i++) {
        (void)pthread_join(readers->reader[i].thread, NULL);
    }
    while (readers->free != NULL) {
        struct job *const job = readers->free;
        readers->free = job->next;
        free(job);
    }
    (void)pthread_cond_destroy(&readers->wake);
    (void)pthread_mutex_destroy(&readers->lock);
    free(readers->reader);
    free(readers->namespace_name);
    free(readers->database_url);
    free(readers);
}

static bool put(struct readers *readers, const struct job *wanted, uint32_t queue_max)
{
    (void)pthread_mutex_lock(&readers->lock);
    const bool has_room = readers->queued < queue_max;
    if (has_room) {
        struct job *job = readers->free;
        if (job != NULL) {
            readers->free = job->next;
        } else {
            job = malloc(sizeof(*job));
        }
        if (job == NULL) abort();
        *job = *wanted;
        job->next = NULL;
        *readers->last = job;
        readers->last = &job->next;
        readers->queued++;
        (void)pthread_cond_signal(&readers->wake);
    }
    (void)pthread_mutex_unlock(&readers->lock);
    return has_room;
}

void readers_put(struct readers *readers, struct exchange *exchange, route_handler *handle)
{
    const struct job job = {.exchange = exchange, .handle = handle};
    if (put(readers, &job, READERS_QUEUE_MAX)) return;
    (void)exchange_problem(exchange, PROBLEM_OVERLOADED, "too many requests wait to be read");
    exchange_done(exchange);
}

void readers_put_waiting(struct readers *readers, struct exchange *exchange, route_handler *handle)
{
    const struct job job = {.exchange = exchange, .handle = handle};
    (void)put(readers, &job, UINT32_MAX);
}

bool readers_run(struct readers *readers, reader_task *task, void *context)
{
    const struct job job = {.task = task, .context = context};
    return put(readers, &job, READERS_QUEUE_MAX);
}
