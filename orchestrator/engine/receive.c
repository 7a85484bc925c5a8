/*
 * orchestrator/engine/receive.c
 *   What the bus brings: replies and signals, copied out of the consumer's hands and handed to the
 *   workers as they came, many at a time.
 */
#include "orchestrator/engine/internal.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"
#include "orchestrator/telemetry/metrics.h"
#include "sagas/base/json_view.h"

#include <string.h>
#include <time.h>

enum {
    QUEUE_PUSH_BACK = 50000,                 /* events waiting before the consumer is held */
    HELD_PUSH_BACK_BYTES = 64 * 1024 * 1024, /* of records in memory */
    PUSH_BACK_MS = 2,
    /* Of a parcel: its last record keeps all of it in memory. */
    PARCEL_RECORDS_MAX = 64,
    PARCEL_BYTES_MAX = 256 * 1024,
};

static struct bytes copy_bytes(struct arena *arena, struct bytes bytes)
{
    return bytes.data == NULL ? bytes : bytes_copy(arena, bytes);
}

static void store_offset(void *bus, struct bytes topic, int32_t partition, int64_t offset)
{
    bus_store_offset(bus, topic, partition, offset);
}

void engine_store_offsets(struct engine *engine)
{
    inbox_store_grown(engine->inbox, store_offset, engine->bus);
}

/* ---- parcels ---- */

/*
 * Records that came together, in one piece of memory: nothing is asked of the heap for each. The
 * receiver holds it while it is filled, each work that lies in it until it is freed.
 */
struct parcel {
    struct arena arena; /* the parcel lives in it */
    atomic_size_t holders;
    size_t records, bytes; /* bytes: as counted in *held_bytes */
    atomic_size_t *held_bytes;
};

static struct parcel *parcel_open(atomic_size_t *held_bytes)
{
    struct arena arena = {0};
    struct parcel *parcel = arena_alloc(&arena, sizeof *parcel);
    parcel->arena = arena;
    parcel->held_bytes = held_bytes;
    atomic_init(&parcel->holders, 1);
    return parcel;
}

void parcel_leave(struct parcel *parcel)
{
    if (atomic_fetch_sub(&parcel->holders, 1) > 1) return;
    atomic_fetch_sub(parcel->held_bytes, parcel->bytes);
    struct arena arena = parcel->arena;
    arena_done(&arena);
}

/* What was put into it is counted from here on. */
static void parcel_count(struct parcel *parcel)
{
    const size_t held = arena_held(&parcel->arena);
    atomic_fetch_add(parcel->held_bytes, held - parcel->bytes);
    parcel->bytes = held;
}

static void copy_record(struct arena *arena, const struct bus_record *record,
                        struct bus_record *ret_copy)
{
    struct bus_header *headers = arena_array(arena, record->header_count + 1, sizeof *headers);
    for (size_t i = 0; i < record->header_count; i++) {
        headers[i].name = copy_bytes(arena, record->headers[i].name);
        headers[i].value = copy_bytes(arena, record->headers[i].value);
    }
    *ret_copy = *record;
    ret_copy->topic = copy_bytes(arena, record->topic);
    ret_copy->key = copy_bytes(arena, record->key);
    ret_copy->value = copy_bytes(arena, record->value);
    ret_copy->headers = headers;
}

/* What it says, read once. */
static void read_record(struct engine *engine, struct inbound *inbound)
{
    struct arena *arena = &inbound->parcel->arena;
    inbound->is_signal = signal_is_one(&inbound->record);
    if (inbound->is_signal) {
        (void)signal_read(&inbound->record, arena, &inbound->signal);
    } else {
        inbound->result = reply_read(&inbound->record, &engine->keys, arena, &inbound->reply);
    }
}

const struct uuid *inbound_saga(const struct inbound *inbound)
{
    if (inbound->is_signal) {
        return inbound->signal.what == NULL ? &inbound->signal.saga_id : NULL;
    }
    return inbound->result == REPLY_FORGED ? NULL : &inbound->reply.token.saga_id;
}

static struct work *put_record(struct engine *engine, struct parcel *parcel,
                               const struct bus_record *record, bool tracked)
{
    struct arena *arena = &parcel->arena;
    struct inbound *inbound = arena_alloc(arena, sizeof *inbound);
    copy_record(arena, record, &inbound->record);
    inbound->parcel = parcel;
    inbound->tracked = tracked;
    read_record(engine, inbound);
    struct work *work = arena_alloc(arena, sizeof *work);
    work->kind = WORK_RECORD;
    work->lag_ms = -1;
    work->inbound = inbound;
    const struct uuid *saga_id = inbound_saga(inbound);
    if (saga_id != NULL) work->saga_id = *saga_id;
    atomic_fetch_add(&parcel->holders, 1);
    parcel->records++;
    return work;
}

static bool parcel_is_full(const struct parcel *parcel)
{
    return parcel->records >= PARCEL_RECORDS_MAX || parcel->arena.used_bytes > PARCEL_BYTES_MAX;
}

/* ---- gathering ---- */

static void gather(struct engine *engine, const struct bus_record *record)
{
    struct receiver *receiver = &engine->receiver;
    if (receiver->parcel == NULL) receiver->parcel = parcel_open(&engine->held_bytes);
    struct work *work = put_record(engine, receiver->parcel, record, true);
    work_push(&receiver->lists[worker_of(engine, &work->saga_id)->number], work);
}

static void hand_on(void *context)
{
    struct engine *engine = context;
    struct receiver *receiver = &engine->receiver;
    if (receiver->parcel == NULL) return;
    parcel_count(receiver->parcel);
    for (uint32_t i = 0; i < engine->options.workers; i++) {
        worker_give_list(&engine->workers[i], &receiver->lists[i]);
    }
    parcel_leave(receiver->parcel);
    receiver->parcel = NULL;
}

static bool is_crowded(struct engine *engine)
{
    return atomic_load(&engine->queued) > QUEUE_PUSH_BACK ||
           atomic_load(&engine->held_bytes) > HELD_PUSH_BACK_BYTES;
}

/* Settled in an earlier life: whatever it did then, now it is a duplicate. */
static void pass_over(struct engine *engine, const struct bus_record *record)
{
    metrics_add(signal_is_one(record) ? METRIC_SIGNALS : METRIC_REPLIES, 1,
                verdict_name(VERDICT_DUPLICATE), NULL, NULL);
    inbox_done(engine->inbox, record->topic, record->partition, record->offset);
    engine_store_offsets(engine);
}

/* While stopping nothing is taken in: its offset is not stored, so it is delivered again. */
static void on_record(void *context, const struct bus_record *record)
{
    struct engine *engine = context;
    if (is_crowded(engine)) hand_on(engine);
    while (is_crowded(engine) && !atomic_load(&engine->stopping)) {
        const struct timespec pause = {.tv_nsec = PUSH_BACK_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
    if (atomic_load(&engine->stopping)) return;
    if (inbox_begin(engine->inbox, record->topic, record->partition, record->offset,
                    record->at_ms)) {
        gather(engine, record);
        if (parcel_is_full(engine->receiver.parcel)) hand_on(engine);
    } else {
        pass_over(engine, record);
    }
}

/* Of replies; signals are few. */
static void set_home(struct engine *engine, const char *topic, int32_t partition, bool is_ours)
{
    if (strcmp(topic, bus_reply_topic(engine->bus)) == 0) {
        home_set(engine->home, partition, is_ours);
    }
}

static void on_assigned(void *context, const char *topic, int32_t partition)
{
    struct engine *engine = context;
    struct arena arena = {0};
    struct processed_row *rows = NULL;
    size_t count = 0;
    struct err err;
    if (atomic_load(&engine->stopping)) return; /* nothing is taken in any more */
    if (!store_processed(engine->inbox_store, bytes_of(topic), partition, &arena, &rows, &count,
                         &err)) {
        /* Only a shortcut is lost: the state machine knows duplicates. */
        log_event(LOG_WARNING, "processed_unknown", "topic=%s partition=%d reason=\"%s\"", topic,
                  partition, err.text);
        count = 0;
    }
    inbox_assign(engine->inbox, bytes_of(topic), partition, rows, count);
    arena_done(&arena);
    set_home(engine, topic, partition, true);
    log_event(LOG_INFO, "partition_assigned", "topic=%s partition=%d", topic, partition);
}

static void on_revoked(void *context, const char *topic, int32_t partition)
{
    struct engine *engine = context;
    inbox_revoke(engine->inbox, bytes_of(topic), partition);
    set_home(engine, topic, partition, false);
    log_event(LOG_INFO, "partition_revoked", "topic=%s partition=%d", topic, partition);
}

static void on_undelivered(void *context, const struct uuid *saga_id)
{
    struct engine *engine = context;
    outbox_add(engine->outbox, saga_id);
}

static void on_broker(void *context, bool up)
{
    struct engine *engine = context;
    if (atomic_exchange(&engine->broker_up, up) != up) {
        atomic_store(&engine->broker_lost, !up);
        if (up) outbox_hurry(engine->outbox);
        log_event(up ? LOG_INFO : LOG_WARNING, up ? "broker_up" : "broker_down", "undispatched=%zu",
                  outbox_count(engine->outbox));
    }
}

void engine_bus_callbacks(struct engine *engine, struct bus_callbacks *ret_callbacks)
{
    *ret_callbacks = (struct bus_callbacks){
        .context = engine,
        .on_record = on_record,
        .on_records_end = hand_on,
        .on_assigned = on_assigned,
        .on_revoked = on_revoked,
        .on_undelivered = on_undelivered,
        .on_broker = on_broker,
    };
}

/*
 * Of this moment: should it be dead again before its letter is marked, it gets a letter of its own.
 */
bool engine_letter_record(const struct dead_letter_row *row, struct arena *arena,
                          struct bus_record *ret_record)
{
    const struct json_view *headers = NULL;
    struct json_error error;
    if (!json_view_parse(row->headers, arena, &headers, &error)) return false;
    struct bus_header *made = arena_array(arena, (size_t)headers->count + 1, sizeof *made);
    size_t count = 0;
    for (const struct json_view *pair = headers->child; pair != NULL; pair = pair->next) {
        const struct json_view *name = json_view_item(pair, 0);
        const struct json_view *value = json_view_item(pair, 1);
        if (name == NULL || value == NULL) return false;
        made[count].name = name->string;
        if (value->type == VIEW_STRING) made[count].value = value->string;
        count++;
    }
    *ret_record = (struct bus_record){
        .topic = row->topic,
        .partition = row->partition,
        .offset = row->offset,
        .at_ms = clock_wall_ms(),
        .key = row->key,
        .value = row->value,
        .headers = made,
        .header_count = count,
    };
    return true;
}

bool engine_replay_record(struct engine *engine, const struct bus_record *record)
{
    if (!atomic_load(&engine->started) || atomic_load(&engine->stopping)) return false;
    if (atomic_load(&engine->queued) > engine->options.queue_max) return false;
    struct parcel *parcel = parcel_open(&engine->held_bytes);
    struct work *work = put_record(engine, parcel, record, false);
    parcel_count(parcel);
    parcel_leave(parcel);
    return worker_give(worker_of(engine, &work->saga_id), work);
}
