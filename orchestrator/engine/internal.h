/*
 * orchestrator/engine/internal.h
 *   What the files of the engine share; nobody else includes it.
 */
#ifndef ORCHESTRATOR_ENGINE_INTERNAL_H
#define ORCHESTRATOR_ENGINE_INTERNAL_H

#include "orchestrator/bus/reply.h"
#include "orchestrator/bus/signal.h"
#include "orchestrator/engine/cache.h"
#include "orchestrator/engine/caps.h"
#include "orchestrator/engine/engine.h"
#include "orchestrator/engine/flow/waiting.h"
#include "orchestrator/engine/home.h"
#include "orchestrator/engine/inbox.h"
#include "orchestrator/engine/outbox.h"
#include "orchestrator/engine/timers.h"
#include "orchestrator/engine/topics.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    BATCH_EVENTS_MAX = 4000,
    BATCH_STARTS_MAX = 1000, /* so that sagas under way are never behind a wall of new ones */
    WORKERS_MAX = 16,
    NODE_NAME_MAX = 128,
};

enum work_kind {
    WORK_REQUEST,
    WORK_RECORD,
    WORK_TIMER,
    WORK_RESEND,
    WORK_RELEASE, /* its definition is not paused any more */
    WORK_GRANT,   /* it stands in line for a lock, and it is its turn */
};

/* A record, copied out of the consumer's hands. It and its work lie in the parcel. */
struct inbound {
    struct parcel *parcel;
    struct bus_record record;
    bool tracked;   /* by the inbox: its offset is to be stored */
    bool is_signal; /* which of the two it is */
    union {
        struct {
            struct reply reply;
            enum reply_result result;
        };
        struct signal_record signal;
    };
};

/* The saga that the record is about; NULL: none that could be believed. */
const struct uuid *inbound_saga(const struct inbound *inbound);

/* One event on its way to a worker. */
struct work {
    enum work_kind kind;
    struct uuid saga_id;
    struct request *request; /* WORK_REQUEST */
    struct inbound *inbound; /* WORK_RECORD */
    int64_t due_at_ms;       /* WORK_TIMER; 0: PostgreSQL says so, memory did not know */
    struct topic *topic;     /* WORK_RESEND: what waited for this topic may go; NULL: all */
    struct answer answer;    /* WORK_REQUEST, filled while deciding */
    struct cached *cached;   /* whose saga the answer shows */
    bool deferred;           /* another event of this batch uses the same Idempotency-Key */
    const char *result;      /* replies and signals: what became of it, to be counted */
    int64_t lag_ms;          /* WORK_TIMER that did something: how late it was; else -1 */
    struct work *next;
};

struct work_list {
    struct work *first, *last;
    size_t count;
};

void work_push(struct work_list *list, struct work *work);
struct work *work_pop(struct work_list *list);
/* All of `back` go behind what is in `list`, all of `front` before it. */
void work_append(struct work_list *list, struct work_list *back);
void work_prepend(struct work_list *list, struct work_list *front);
struct work *work_new(enum work_kind kind, const struct uuid *saga_id);
void work_free(struct work *work);
/* Free it; a request that is not answered yet hears 503. */
void work_refuse(struct work *work);

/* What the bus's consumer thread has taken in and not yet handed on. */
struct receiver {
    struct parcel *parcel; /* NULL: nothing */
    struct work_list lists[WORKERS_MAX];
};

struct engine;

struct worker {
    struct engine *engine;
    uint32_t number;
    pthread_t thread;
    atomic_bool running; /* health is asked before the engine starts */
    struct store *store;

    pthread_mutex_t lock; /* guards the queues and what follows them */
    pthread_cond_t wake;
    struct work_list urgent; /* replies, timers, commands */
    struct work_list starts;
    bool stopping;
    int64_t stop_by_ms; /* monotonic, while stopping: what is queued then is left */
    bool closed;        /* it ended: nothing is taken in any more */

    /* of the worker's thread alone */
    struct cache *cache;
    struct timers *timers;
    struct arena arena; /* of one batch */
    uint64_t random;
    uint64_t batch_number;
    /* events of the batch at hand that are to come again, in their order */
    struct work_list urgent_again, starts_again;
    uint32_t pause_ms;             /* while the database is away */
    int64_t keys_doubted_until_ms; /* monotonic: until then keys of starts may be repeated ones */
    atomic_llong progress_ms;      /* monotonic: when it last came round */
    atomic_size_t timer_count;
    atomic_bool database_up;
};

struct engine {
    struct engine_options options;
    char node_name[NODE_NAME_MAX];
    struct worker workers[WORKERS_MAX];
    uint32_t opened; /* of them */
    struct bus *bus;
    struct token_keys keys;
    struct inbox *inbox;
    struct outbox *outbox;
    struct topics *topics;
    struct home *home;
    struct waiting *waiting;     /* commands that a topic holds back */
    struct caps *caps;           /* NULL: none */
    pthread_mutex_t pauses_lock; /* held while pauses are read and taken over */
    struct store *inbox_store;   /* of the bus's consumer thread, as the next */
    struct receiver receiver;
    struct store *house_store; /* of the housekeeper; holds the node's lock */
    int32_t node;
    pthread_t house_thread, keeper_thread, schedules_thread, batches_thread, events_thread,
        flow_thread;
    bool keeper_running, schedules_running, batches_running, events_running, flow_running;
    bool house_running;
    pthread_mutex_t house_lock; /* guards `house_stop` */
    pthread_cond_t house_wake;
    bool house_stop;
    atomic_bool release_wanted; /* a definition was resumed here */
    atomic_bool broker_up;      /* a broker answers */
    atomic_bool broker_lost;    /* none answers any more; neither is set before the first answer */
    atomic_bool started, stopping;
    atomic_size_t queued;
    atomic_size_t held_bytes; /* of records in memory */
    engine_changed *changed;
    void *changed_context;
};

/* worker.c: it is over, whatever came of it. */
void request_answer(struct request *request, const struct answer *answer);

/* receive.c: thread-safe */
void engine_store_offsets(struct engine *engine);
void parcel_leave(struct parcel *parcel);

/* worker.c */
struct worker *worker_of(struct engine *engine, const struct uuid *id);
/* Thread-safe; blocks nobody. False: the worker has ended, the work was refused. */
bool worker_give(struct worker *worker, struct work *work);
/* The same with urgent works, all at once; the list is empty afterwards. */
void worker_give_list(struct worker *worker, struct work_list *list);
/* Nothing is taken in from now on; what is queued is refused. */
void worker_shut(struct worker *worker);
bool worker_is_stopping(struct worker *worker);
void *worker_main(void *context); /* the worker */
/* Wait on the worker's condition for at most `ms`, holding its lock. */
void worker_wait(struct worker *worker, int64_t ms);

/*
 * batch.c: carry out `works`, all of them, whatever happens; each is freed or queued again, at the
 * front and in order.
 */
void batch_carry_out(struct worker *worker, struct work **works, size_t count);

/* house.c */
void *house_main(void *context); /* the engine */
/* Sleep; false: the house and its keeper are to stop. */
bool house_rest(struct engine *engine, int64_t ms);

/* How many sagas are open: gauges and caps. */
MUST_CHECK bool house_count_open(struct engine *engine, struct err *err);

/* keeper.c, schedules.c */
void *keeper_main(void *context);    /* the engine */
void *schedules_main(void *context); /* the engine */

/* events.c */
void *events_main(void *context); /* the engine */

/* operator_batches.c */
void *operator_batches_main(void *context); /* the engine */

/* effects.c: what the saga says now is stored. */
void effects_stored(struct cached *cached);

/* failures.c */
uint64_t failures_key(const struct saga *saga); /* 0: nothing is wrong */
/* Looking through the sagas that were there before their failures were kept. All zero: it begins.
 */
struct look_back {
    bool begun, done;
    struct uuid after;
    uint64_t sagas;
};
/* One page. Any node at any time. */
MUST_CHECK bool failures_look_back(struct engine *engine, struct store *store,
                                   struct look_back *look, struct err *err);

#endif
