/*
 * orchestrator/engine/internal.h
 *   What the files of the engine share; nobody else includes it.
 */
#ifndef ORCHESTRATOR_ENGINE_INTERNAL_H
#define ORCHESTRATOR_ENGINE_INTERNAL_H

#include "orchestrator/bus/reply.h"
#include "orchestrator/engine/cache.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/engine/inbox.h"
#include "orchestrator/engine/outbox.h"
#include "orchestrator/engine/timers.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    BATCH_EVENTS_MAX = 4000,
    BATCH_STARTS_MAX = 1000, /* so that sagas under way are never behind a wall of new ones */
    WORKERS_MAX = 16,
    NODE_NAME_MAX = 128,
};

enum work_kind { WORK_REQUEST, WORK_RECORD, WORK_TIMER, WORK_RESEND };

/* A reply record, copied out of the consumer's hands. Everything lives in its arena. */
struct inbound {
    struct arena arena;
    struct bus_record record;
    struct reply reply;
    enum reply_result result;
    bool tracked; /* by the inbox: its offset is to be stored */
};

/* One event on its way to a worker. */
struct work {
    enum work_kind kind;
    struct uuid saga_id;
    struct request *request; /* WORK_REQUEST */
    struct inbound *inbound; /* WORK_RECORD */
    int64_t due_at_ms;       /* WORK_TIMER */
    struct answer answer;    /* WORK_REQUEST, filled while deciding */
    struct cached *cached;   /* whose saga the answer shows */
    bool deferred;           /* another event of this batch uses the same Idempotency-Key */
    struct work *next;
};

struct work_list {
    struct work *first, *last;
    size_t count;
};

void work_push(struct work_list *list, struct work *work);
void work_push_front(struct work_list *list, struct work *work);
struct work *work_pop(struct work_list *list);
void work_free(struct work *work);

struct engine;

struct worker {
    struct engine *engine;
    uint32_t number;
    pthread_t thread;
    atomic_bool running; /* health is asked before the engine starts */
    struct store *store;

    pthread_mutex_t lock; /* guards the queues and `stopping` */
    pthread_cond_t wake;
    struct work_list urgent; /* replies, timers, commands */
    struct work_list starts;
    bool stopping;

    /* of the worker's thread alone */
    struct cache *cache;
    struct timers *timers;
    struct arena arena; /* of one batch */
    uint64_t random;
    uint32_t pause_ms;        /* while the database is away */
    atomic_llong progress_ms; /* monotonic: when it last came round */
    atomic_size_t timer_count;
    atomic_bool database_up;
};

struct engine {
    struct engine_options options;
    char node_name[NODE_NAME_MAX];
    struct worker workers[WORKERS_MAX];
    struct bus *bus;
    struct token_keys keys;
    struct inbox *inbox;
    struct outbox *outbox;
    struct store *inbox_store; /* of the bus's consumer thread */
    struct store *house_store; /* of the housekeeper; holds the node's lock */
    int32_t node;
    pthread_t house_thread;
    bool house_running;
    pthread_mutex_t house_lock; /* guards `house_stop` */
    pthread_cond_t house_wake;
    bool house_stop;
    atomic_bool broker_up;
    atomic_bool stopping;
    atomic_size_t queued;
    engine_changed *changed;
    void *changed_context;
};

/* worker.c */
struct worker *worker_of(struct engine *engine, const struct uuid *id);
/* Thread-safe; blocks nobody. */
void worker_give(struct worker *worker, struct work *work);
void *worker_main(void *worker);
/* Wait on the worker's condition for at most `ms`, holding its lock. */
void worker_wait(struct worker *worker, int64_t ms);

/* batch.c: carry out `works`, all of them, whatever happens; each is freed or queued again. */
void batch_carry_out(struct worker *worker, struct work **works, size_t count);

/* house.c */
void *house_main(void *engine);

#endif
