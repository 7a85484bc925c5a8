/*
 * orchestrator/engine/house.c
 *   Housekeeping: the node's lock, the sagas of dead nodes, due work that nobody took, commands
 * that were not sent, gauges. One thread; all it does ends as events for the workers.
 */
#include "orchestrator/engine/locks.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"
#include "orchestrator/engine/flow.h"
#include "orchestrator/telemetry/metrics.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ROUND_MS = 250,
    BUSY_ROUND_MS = 1, /* while pages are waiting in PostgreSQL */
    DUE_EVERY_MS = 500,
    DUE_GRACE_MS = 700, /* the node that holds the timer is first */
    NODES_EVERY_MS = 1000,
    PAUSES_EVERY_MS = 1000,
    COMPLAIN_EVERY_MS = 10 * 1000,
    LOCKS_EVERY_MS = 1000,   /* places that nobody gave */
    RELEASE_EVERY_MS = 5000, /* definitions that another node resumed */
    GAUGES_EVERY_MS = 5000,
    STARTS_EVERY_MS = 2000, /* all nodes alike: what they tell is compared */
    GAUGES_SHARE = 20,      /* counting takes at most this part of the time */
    OVERDUE_MS = 10000,     /* what is so late was forgotten */
    TOPIC_EVERY_MS = 10000,
    TOPIC_PATIENCE_MS = 300,
    TAKE_MAX = 1000,
    QUEUE_ROOM = 20000, /* events waiting before more is fetched from PostgreSQL */
};

struct house {
    struct engine *engine;
    struct arena arena;
    /* monotonic: next round of each */
    int64_t due_ms, nodes_ms, locks_ms, release_ms, gauges_ms, pauses_ms, starts_ms;
    uint64_t drawn;        /* ids, when nodes were compared last */
    int64_t complained_ms; /* likewise: what fails is told again then */
    int32_t adopting;      /* a dead node; 0: none */
    struct uuid adopted_last;
    bool adopt_from_start;
    struct uuid released_last; /* of the page before; all zero: none */
    struct lock_sweep locks;
    bool busy; /* more is waiting: no long rest */
};

static void give(struct engine *engine, enum work_kind kind, const struct uuid *id)
{
    (void)worker_give(worker_of(engine, id), work_new(kind, id));
}

static void give_all(struct engine *engine, enum work_kind kind, const struct uuid *ids,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        give(engine, kind, &ids[i]);
    }
}

static bool is_crowded(struct engine *engine)
{
    return atomic_load(&engine->queued) > QUEUE_ROOM;
}

/* Commands that the broker did not take, once it answers again. */
static void send_again(struct engine *engine)
{
    struct uuid ids[TAKE_MAX];
    size_t count = TAKE_MAX;
    while (count == TAKE_MAX && atomic_load(&engine->broker_up) && !is_crowded(engine)) {
        count = outbox_take(engine->outbox, clock_monotonic_ms(), ids, TAKE_MAX);
        give_all(engine, WORK_RESEND, ids, count);
    }
}

static bool find_due(struct house *house, struct err *err)
{
    struct engine *engine = house->engine;
    if (is_crowded(engine)) return true;
    struct uuid *ids = NULL;
    size_t count = 0;
    const int64_t before_ms = clock_wall_ms() - DUE_GRACE_MS;
    if (!store_due(engine->house_store, before_ms, TAKE_MAX, &house->arena, &ids, &count, err)) {
        return false;
    }
    give_all(engine, WORK_TIMER, ids, count);
    house->busy = count == TAKE_MAX;
    if (house->busy) house->due_ms = 0;
    return true;
}

static bool find_released(struct house *house, struct err *err)
{
    struct engine *engine = house->engine;
    if (is_crowded(engine)) return true;
    struct uuid *ids = NULL;
    size_t count = 0;
    if (!store_released(engine->house_store, &house->released_last, TAKE_MAX, &house->arena, &ids,
                        &count, err)) {
        return false;
    }
    give_all(engine, WORK_RELEASE, ids, count);
    house->released_last = count == TAKE_MAX ? ids[count - 1] : (struct uuid){0};
    if (count == TAKE_MAX) house->release_ms = 0;
    return true;
}

static bool sweep_locks(struct house *house, struct err *err)
{
    struct engine *engine = house->engine;
    if (is_crowded(engine)) return true;
    return locks_sweep(engine, engine->house_store, &house->locks, &house->arena, err);
}

/* One page of a dead node's sagas: their commands may never have left, so they are sent again. */
static bool adopt_some(struct house *house, struct err *err)
{
    struct engine *engine = house->engine;
    if (is_crowded(engine)) return true;
    struct uuid *ids = NULL;
    size_t count = 0;
    if (!store_node_adopt(engine->house_store, house->adopting,
                          house->adopt_from_start ? NULL : &house->adopted_last, TAKE_MAX,
                          &house->arena, &ids, &count, err)) {
        return false;
    }
    give_all(engine, WORK_RESEND, ids, count);
    if (count > 0) {
        house->adopted_last = ids[count - 1];
        house->adopt_from_start = false;
        log_event(LOG_INFO, "sagas_adopted", "node=%d from=%d sagas=%zu", engine->node,
                  house->adopting, count);
    }
    house->busy = true;
    if (count < TAKE_MAX) house->adopting = 0;
    return true;
}

static bool find_dead(struct house *house, struct err *err)
{
    struct engine *engine = house->engine;
    if (!store_node_hold(engine->house_store, err)) return false;
    int32_t *nodes = NULL;
    size_t count = 0;
    if (!store_nodes_dead(engine->house_store, &house->arena, &nodes, &count, err)) return false;
    if (count == 0) return true;
    house->adopting = nodes[0];
    house->adopt_from_start = true;
    house->nodes_ms = 0; /* look again as soon as this one is done */
    log_event(LOG_WARNING, "node_dead", "node=%d", nodes[0]);
    return true;
}

static void count_attention(const struct state_count *row)
{
    static const struct {
        enum attention bit;
        const char *name;
    } REASONS[] = {
        {ATTENTION_RETRYING,   "retrying"  },
        {ATTENTION_NO_HANDLER, "no_handler"},
        {ATTENTION_OVERDUE,    "overdue"   },
        {ATTENTION_STUCK,      "stuck"     },
        {ATTENTION_PAUSED,     "paused"    },
        {ATTENTION_BAD_REPLY,  "bad_reply" },
        {ATTENTION_HELD,       "held"      }
    };
    for (size_t i = 0; i < sizeof REASONS / sizeof *REASONS; i++) {
        if ((row->attention & (uint32_t)REASONS[i].bit) == 0) continue;
        metrics_add(METRIC_ATTENTION, (double)row->count, REASONS[i].name, NULL, NULL);
    }
}

/* Timers that memory lost. What waits for room is found by the next count again. */
static void fire_overdue(struct engine *engine, const struct state_count *row)
{
    if (is_crowded(engine)) return;
    for (size_t at = 0; at + sizeof(struct uuid) <= row->overdue.size; at += sizeof(struct uuid)) {
        struct uuid id;
        memcpy(&id, row->overdue.data + at, sizeof id);
        give(engine, WORK_TIMER, &id);
    }
}

/* Also as many as may be overdue: their timers are fired. */
static bool count_open(struct engine *engine, struct arena *arena, struct err *err)
{
    struct state_count *rows = NULL;
    size_t count = 0;
    const uint64_t begin = engine->caps == NULL ? 0 : caps_count_begin(engine->caps);
    if (!store_count_open(engine->house_store, clock_wall_ms() - OVERDUE_MS, arena, &rows, &count,
                          err)) {
        return false;
    }
    if (engine->caps != NULL) caps_counted(engine->caps, begin, rows, count);
    metrics_clear(METRIC_ACTIVE);
    metrics_clear(METRIC_ATTENTION);
    metrics_clear(METRIC_COMPENSATION_STUCK);
    for (size_t i = 0; i < count; i++) {
        const struct state_count *row = &rows[i];
        const double value = (double)row->count;
        metrics_add(METRIC_ACTIVE, value, row->definition.data, saga_state_name(row->state), NULL);
        if (row->state == SAGA_STUCK) {
            metrics_add(METRIC_COMPENSATION_STUCK, value, row->definition.data, NULL, NULL);
        }
        count_attention(row);
        if (atomic_load(&engine->started)) fire_overdue(engine, row);
    }
    return true;
}

bool house_count_open(struct engine *engine, struct err *err)
{
    struct arena arena = {0};
    const bool good = count_open(engine, &arena, err);
    arena_done(&arena);
    return good;
}

static bool measure(struct house *house, struct err *err)
{
    const int64_t begun_ms = clock_monotonic_ms();
    if (!count_open(house->engine, &house->arena, err)) return false;
    const int64_t took_ms = clock_monotonic_ms() - begun_ms;
    if (took_ms * GAUGES_SHARE > GAUGES_EVERY_MS) {
        house->gauges_ms = clock_monotonic_ms() + took_ms * GAUGES_SHARE;
    }
    return true;
}

static void measure_memory(struct engine *engine)
{
    size_t timers = 0;
    for (uint32_t i = 0; i < engine->options.workers; i++) {
        timers += atomic_load(&engine->workers[i].timer_count);
    }
    const int64_t since_ms = outbox_since_ms(engine->outbox);
    metrics_set(METRIC_TIMERS_PENDING, (double)timers, NULL, NULL, NULL);
    metrics_set(METRIC_OUTBOX_PENDING,
                (double)(outbox_count(engine->outbox) + flow_waiting(engine)), NULL, NULL, NULL);
    metrics_set(METRIC_OUTBOX_OLDEST_SECONDS,
                since_ms == 0 ? 0 : (double)(clock_monotonic_ms() - since_ms) / 1000, NULL, NULL,
                NULL);
}

/*
 * One topic a round: does anybody read it? The embedded broker cannot tell. Commands on a topic
 * that nobody reads time out like others; this says why.
 */
static void look_at_a_topic(struct engine *engine)
{
    if (!atomic_load(&engine->broker_up)) return;
    struct topic *topic = topics_next(engine->topics, clock_monotonic_ms(), TOPIC_EVERY_MS);
    if (topic == NULL) return;
    int64_t participants = BUS_LAG_UNKNOWN;
    const int64_t lag =
        bus_topic_readers(engine->bus, bytes_of(topic->name), TOPIC_PATIENCE_MS, &participants);
    const bool news = topic_set_readers(topic, lag, participants);
    if (participants < 0) return;
    metrics_set(METRIC_TOPIC_PARTICIPANTS, (double)participants, topic->name, NULL, NULL);
    if (lag >= 0) metrics_set(METRIC_TOPIC_LAG, (double)lag, topic->name, NULL, NULL);
    if (!news) return;
    const bool is_read = participants > 0 || lag == 0;
    log_event(is_read ? LOG_INFO : LOG_WARNING, is_read ? "topic_read" : "topic_unread",
              "topic=%s reason=\"%s\"", topic->name,
              is_read ? "participants read it" : "no participant reads it");
}

/* Replies go by it; it changes when somebody adds partitions. */
static void count_partitions(struct engine *engine)
{
    if (!atomic_load(&engine->broker_up)) return;
    home_set_count(engine->home, bus_reply_partitions(engine->bus, TOPIC_PATIENCE_MS));
}

static bool compare_starts(struct house *house, struct err *err)
{
    struct engine *engine = house->engine;
    const uint64_t drawn = home_drawn(engine->home), own = drawn - house->drawn;
    uint64_t others = 0;
    if (!store_node_starts(engine->house_store, own, &others, err)) return false;
    house->drawn = drawn;
    home_set_starts(engine->home, own, others);
    return true;
}

static bool is_time(int64_t *next_ms, int64_t every_ms)
{
    const int64_t now_ms = clock_monotonic_ms();
    if (now_ms < *next_ms) return false;
    *next_ms = now_ms + every_ms;
    return true;
}

/* What is done while every node lives. */
static bool do_chores(struct house *house, struct err *err)
{
    if (is_time(&house->due_ms, DUE_EVERY_MS) && !find_due(house, err)) return false;
    if (is_time(&house->locks_ms, LOCKS_EVERY_MS) && !sweep_locks(house, err)) return false;
    if (atomic_exchange(&house->engine->release_wanted, false)) house->release_ms = 0;
    if (is_time(&house->release_ms, RELEASE_EVERY_MS) && !find_released(house, err)) return false;
    if (is_time(&house->starts_ms, STARTS_EVERY_MS) && !compare_starts(house, err)) return false;
    return !is_time(&house->gauges_ms, GAUGES_EVERY_MS) || measure(house, err);
}

static bool go_round(struct house *house, struct err *err)
{
    struct engine *engine = house->engine;
    arena_reset(&house->arena);
    house->busy = false;
    send_again(engine);
    measure_memory(engine);
    if (is_time(&house->pauses_ms, PAUSES_EVERY_MS) &&
        !flow_read_pauses(engine, engine->house_store, err)) {
        return false;
    }
    if (house->adopting != 0) return adopt_some(house, err);
    if (is_time(&house->nodes_ms, NODES_EVERY_MS) && !find_dead(house, err)) return false;
    return house->adopting != 0 || do_chores(house, err);
}

bool house_rest(struct engine *engine, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&engine->house_lock);
    if (!engine->house_stop) {
        pthread_cond_timedwait(&engine->house_wake, &engine->house_lock, &until);
    }
    const bool go_on = !engine->house_stop;
    pthread_mutex_unlock(&engine->house_lock);
    return go_on;
}

static void start_events(struct engine *engine)
{
    if (engine->options.events == EVENTS_OFF) return;
    engine->events_running = pthread_create(&engine->events_thread, NULL, events_main, engine) == 0;
    if (!engine->events_running) log_event(LOG_ERROR, "events_failed", "reason=\"no thread\"");
}

void *house_main(void *context)
{
    struct engine *engine = context;
    struct house house = {.engine = engine};
    engine->keeper_running = pthread_create(&engine->keeper_thread, NULL, keeper_main, engine) == 0;
    if (!engine->keeper_running) log_event(LOG_ERROR, "keeper_failed", "reason=\"no thread\"");
    engine->batches_running =
        pthread_create(&engine->batches_thread, NULL, operator_batches_main, engine) == 0;
    if (!engine->batches_running) log_event(LOG_ERROR, "batches_failed", "reason=\"no thread\"");
    engine->schedules_running =
        pthread_create(&engine->schedules_thread, NULL, schedules_main, engine) == 0;
    if (!engine->schedules_running) {
        log_event(LOG_ERROR, "schedules_failed", "reason=\"no thread\"");
    }
    start_events(engine);
    engine->flow_running = pthread_create(&engine->flow_thread, NULL, flow_main, engine) == 0;
    if (!engine->flow_running) log_event(LOG_ERROR, "flow_failed", "reason=\"no thread\"");
    do {
        struct err err;
        if (!go_round(&house, &err) && is_time(&house.complained_ms, COMPLAIN_EVERY_MS)) {
            log_event(LOG_WARNING, "housekeeping_failed", "reason=\"%s\"", err.text);
        }
        look_at_a_topic(engine);
        count_partitions(engine);
    } while (house_rest(engine, house.busy ? BUSY_ROUND_MS : ROUND_MS));
    if (engine->flow_running) pthread_join(engine->flow_thread, NULL);
    if (engine->schedules_running) pthread_join(engine->schedules_thread, NULL);
    if (engine->keeper_running) pthread_join(engine->keeper_thread, NULL);
    if (engine->batches_running) pthread_join(engine->batches_thread, NULL);
    if (engine->events_running) pthread_join(engine->events_thread, NULL);
    arena_done(&house.locks.arena);
    arena_done(&house.arena);
    return NULL;
}
