/*
 * orchestrator/engine/operator_batches.c
 *   Carries out the batches that operators made: so many items a second, through the same path as a
 *   single command, some at a time.
 *
 * A thread and a connection of its own. It holds a batch for some seconds and renews that while it
 * works; another node goes on when that ends. Some items are submitted, all their answers awaited,
 * then they are counted: what was done and not counted before a crash is submitted again under the
 * same request key, which tells that it was done.
 */
#include "orchestrator/engine/internal.h"
#include "orchestrator/store/operator_batch.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"
#include "sagas/machine/migrate.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOLD_MS = 4000,
    LOOK_EVERY_MS = 400,
    TICK_MS = 50,
    AGAIN_MS = 200,   /* what could not be taken in now */
    CHUNK_MAX = 500,  /* items submitted at once */
    BURST_SHARE = 5,  /* of a second's items that may be saved up */
    BATCHES_MAX = 16, /* at a time */
    STATEMENT_TIMEOUT_MS = 3000,
    WHY_SIZE = 240,
    COMPLAIN_EVERY = 50,
};

struct verb_row {
    const char *name;
    enum event_kind kind;
    enum command_scope scope;
};

static const struct verb_row VERBS[] = {
    {"cancel",    EVENT_CANCEL,     SCOPE_ONE    },
    {"retry",     EVENT_RETRY,      SCOPE_ONE    },
    {"retry_now", EVENT_STEP_RETRY, SCOPE_WAITING},
    {"skip",      EVENT_STEP_SKIP,  SCOPE_ALL    },
    {"terminate", EVENT_TERMINATE,  SCOPE_ONE    },
    {"pause",     EVENT_PAUSE,      SCOPE_ONE    },
    {"resume",    EVENT_RESUME,     SCOPE_ONE    },
    {"signal",    EVENT_SIGNAL,     SCOPE_ONE    },
    {"migrate",   EVENT_MIGRATE,    SCOPE_ONE    },
};

/* One that is worked on. Bytes live in its arena. */
struct working {
    struct operator_batch batch;
    struct arena arena;
    const struct verb_row *verb; /* NULL: replay */
    struct migration migration;  /* `to` NULL: not looked up yet */
    char signal_key[60]; /* a saga takes the batch's signal once, whatever is carried out twice */
    double credit;       /* items that may be taken now */
    int64_t credited_ms; /* monotonic */
    bool seen;
};

struct crew {
    struct engine *engine;
    struct store *store;
    struct arena arena; /* of one round */
    int64_t holder;
    int64_t next_look_ms; /* monotonic */
    struct working *working[BATCHES_MAX];
    size_t count;
    uint32_t failures;

    pthread_mutex_t lock; /* guards `out` */
    pthread_cond_t home;
    size_t out; /* requests without an answer */
};

struct item {
    struct request request;
    struct crew *crew;
    int64_t seq;
    struct uuid id;
    char key[80];
    bool ended;
    enum item_end end;
    char why[WHY_SIZE];
};

/* ---- one item ---- */

static bool is_past_pivot(const struct saga *saga)
{
    const int pivot = saga->definition->pivot;
    return saga->state == SAGA_RUNNING && pivot >= 0 &&
           saga->steps[pivot].run[0].state == STEP_SUCCEEDED;
}

static enum item_end end_of(const struct request *request, const struct answer *answer)
{
    switch (answer->result) {
    case RESULT_DONE:
    case RESULT_EXISTS:
    case RESULT_REPLAYED: return ITEM_DONE;
    case RESULT_NOT_FOUND:
        if (answer->saga == NULL) return ITEM_NOT_FOUND;
        return request->command.event.kind == EVENT_SIGNAL ? ITEM_NO_SIGNAL : ITEM_NO_STEP;
    case RESULT_NOT_ALLOWED:
        return request->command.event.kind == EVENT_CANCEL && is_past_pivot(answer->saga)
                   ? ITEM_PAST_PIVOT
                   : ITEM_NOT_ALLOWED;
    case RESULT_REFUSED: return ITEM_REFUSED;
    case RESULT_OTHER_BODY:
    case RESULT_ID_TAKEN:
    case RESULT_STALE:
    case RESULT_FULL:
    case RESULT_UNAVAILABLE:
    case RESULT_INTERNAL: return ITEM_INTERNAL;
    }
    abort();
}

static void item_end(struct item *item, enum item_end end, const char *why)
{
    item->ended = true;
    item->end = end;
    (void)snprintf(item->why, sizeof item->why, "%s", why == NULL ? "" : why);
}

/* Thread: engine worker. */
static void item_answered(struct request *request, const struct answer *answer)
{
    struct item *item = request->context;
    struct crew *crew = item->crew;
    const bool later = answer->result == RESULT_FULL || answer->result == RESULT_UNAVAILABLE;
    if (!later) item_end(item, end_of(request, answer), answer->why);
    pthread_mutex_lock(&crew->lock);
    crew->out--;
    if (crew->out == 0) pthread_cond_signal(&crew->home);
    pthread_mutex_unlock(&crew->lock);
}

/* No client can send a key with such a byte. */
static void make_key(const struct working *working, struct item *item)
{
    char id[UUID_TEXT_SIZE];
    uuid_print(&working->batch.id, id);
    const int size = snprintf(item->key, sizeof item->key, "\x01%s/%lld", id, (long long)item->seq);
    item->request.key.key = (struct bytes){item->key, (size_t)size};
    memset(item->request.key.fingerprint, 0, FINGERPRINT_SIZE);
}

static void submit(struct crew *crew, const struct working *working, struct item *item)
{
    const struct operator_batch *batch = &working->batch;
    item->request = (struct request){
        .kind = REQUEST_COMMAND,
        .command = {.saga_id = item->id,
                    .scope = working->verb->scope,
                    .event = {.kind = working->verb->kind,
                              .step = -1,
                              .index = INDEX_NONE,
                              .payload = batch->output,
                              .actor = batch->actor,
                              .reason = batch->reason},
                    .step_id = batch->step},
        .done = item_answered,
        .context = item,
    };
    if (working->verb->kind == EVENT_SIGNAL) {
        struct event *event = &item->request.command.event;
        event->name = batch->name;
        event->payload = batch->payload;
        signal_set_key(event, bytes_of(working->signal_key));
    }
    if (working->verb->kind == EVENT_MIGRATE) {
        item->request.command.event.payload = (struct bytes){0};
        item->request.command.event.migration = &working->migration;
    }
    if (batch->has_item) {
        item->request.command.scope = SCOPE_ONE;
        item->request.command.event.index = batch->item;
    }
    make_key(working, item);
    pthread_mutex_lock(&crew->lock);
    crew->out++;
    pthread_mutex_unlock(&crew->lock);
    engine_submit(crew->engine, &item->request);
}

static void wait_for_all(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    while (crew->out > 0) {
        pthread_cond_wait(&crew->home, &crew->lock);
    }
    pthread_mutex_unlock(&crew->lock);
}

/* First the record, then the mark, as a single replay does. False: not now. */
static bool replay(struct crew *crew, struct item *item, struct err *err)
{
    struct dead_letter_row row;
    struct bus_record record;
    const int64_t number = letter_number(&item->id);
    if (!store_dead_letter(crew->store, number, &crew->arena, &row, err)) {
        if (err->kind != ERR_NOT_FOUND) return false;
        item_end(item, ITEM_NOT_FOUND, "there is no such dead letter");
        return true;
    }
    if (row.settled.data != NULL) {
        const bool replayed = bytes_equal_text(row.settled, "replayed");
        item_end(item, replayed ? ITEM_DONE : ITEM_SETTLED, "it was discarded before");
        return true;
    }
    if (!engine_letter_record(&row, &crew->arena, &record)) {
        item_end(item, ITEM_INTERNAL, "the stored record cannot be read");
        return true;
    }
    if (!engine_replay_record(crew->engine, &record)) {
        return err_set(err, ERR_UNAVAILABLE, "the queue of this node is full");
    }
    if (!store_dead_letter_settle(crew->store, number, "replayed", err) &&
        err->kind != ERR_CONFLICT && err->kind != ERR_NOT_FOUND) {
        return false;
    }
    item_end(item, ITEM_DONE, NULL);
    return true;
}

/* ---- some items ---- */

static size_t try_all(struct crew *crew, const struct working *working, struct item *items,
                      size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        struct err err;
        if (items[i].ended) continue;
        if (working->verb != NULL) {
            submit(crew, working, &items[i]);
        } else if (!replay(crew, &items[i], &err)) {
            left++;
        }
    }
    wait_for_all(crew);
    for (size_t i = 0; working->verb != NULL && i < count; i++) {
        left += !items[i].ended;
    }
    return left;
}

/* False: not all of them can be dealt with now; they come again. */
static bool carry_out(struct crew *crew, const struct working *working, struct item *items,
                      size_t count)
{
    const int64_t until_ms = clock_monotonic_ms() + HOLD_MS / 2;
    while (try_all(crew, working, items, count) > 0) {
        if (!house_rest(crew->engine, AGAIN_MS) || clock_monotonic_ms() > until_ms) return false;
    }
    return true;
}

static bool settle(struct crew *crew, struct working *working, const struct item *items,
                   size_t count, struct err *err)
{
    struct operator_batch *batch = &working->batch;
    struct item_failure *failures = arena_array(&crew->arena, count, sizeof *failures);
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i].end == ITEM_DONE) continue;
        failures[failed++] =
            (struct item_failure){items[i].seq, items[i].end, bytes_of(items[i].why)};
    }
    if (!store_batch_settle(crew->store, &batch->id, crew->holder, batch->done + batch->failed,
                            (int64_t)(count - failed), failures, failed, HOLD_MS, &batch->state,
                            err)) {
        return false;
    }
    batch->done += (int64_t)(count - failed);
    batch->failed += (int64_t)failed;
    return true;
}

/* How many may be taken now. */
static size_t portion(struct working *working, int64_t now_ms)
{
    const struct operator_batch *batch = &working->batch;
    const double most =
        (double)batch->rate / BURST_SHARE > 1 ? (double)batch->rate / BURST_SHARE : 1;
    working->credit += (double)(now_ms - working->credited_ms) * batch->rate / 1000;
    working->credited_ms = now_ms;
    if (working->credit > most) working->credit = most;
    const int64_t at = batch->done + batch->failed;
    int64_t count = (int64_t)working->credit;
    if (count > CHUNK_MAX) count = CHUNK_MAX;
    if (count > BATCH_PAGE - at % BATCH_PAGE) count = BATCH_PAGE - at % BATCH_PAGE;
    if (count > batch->total - at) count = batch->total - at;
    return (size_t)count;
}

/* {"definition", "version", "step_map"}, as api/batches.c wrote it: its bytes are the batch's. */
static bool look_up_migration(struct crew *crew, struct working *working, struct err *err)
{
    const struct json_view *view = NULL;
    struct json_error error;
    struct registered found;
    int64_t version = 0;
    struct migration *const migration = &working->migration;
    if (!json_view_parse(working->batch.output, &working->arena, &view, &error) ||
        !json_view_int64(json_view_member(view, "version"), &version)) {
        return err_set(err, ERR_INTERNAL, "a batch does not say where to");
    }
    const struct json_view *const map = json_view_member(view, "step_map");
    struct step_move *const moves = arena_array(&working->arena, map->count, sizeof *moves);
    if (!registry_by_name(crew->engine->options.registry, crew->store,
                          json_view_member(view, "definition")->string, (uint32_t)version, &found,
                          err)) {
        return false;
    }
    migration->move_count = 0;
    for (const struct json_view *at = map->child; at != NULL; at = at->next) {
        moves[migration->move_count++] = (struct step_move){at->key, at->string};
    }
    migration->moves = moves;
    migration->to = found.definition;
    return true;
}

static bool work_on(struct crew *crew, struct working *working, struct err *err)
{
    const struct operator_batch *batch = &working->batch;
    const bool migrates = working->verb != NULL && working->verb->kind == EVENT_MIGRATE;
    if (migrates && working->migration.to == NULL && !look_up_migration(crew, working, err)) {
        return false;
    }
    const size_t count = portion(working, clock_monotonic_ms());
    const int64_t at = batch->done + batch->failed;
    struct bytes ids;
    if (count == 0) return true;
    if (!store_batch_page(crew->store, &batch->id, (int32_t)(at / BATCH_PAGE), &crew->arena, &ids,
                          err)) {
        return false;
    }
    struct item *items = arena_array(&crew->arena, count, sizeof *items);
    for (size_t i = 0; i < count; i++) {
        const size_t place = (size_t)(at % BATCH_PAGE) + i;
        items[i].crew = crew;
        items[i].seq = at + (int64_t)i;
        if ((place + 1) * sizeof(struct uuid) > ids.size) {
            return err_set(err, ERR_INTERNAL, "a page of a batch is too short");
        }
        memcpy(&items[i].id, ids.data + place * sizeof(struct uuid), sizeof(struct uuid));
    }
    working->credit -= (double)count;
    if (!carry_out(crew, working, items, count)) return true;
    return settle(crew, working, items, count, err);
}

/* ---- which batches ---- */

static void forget(struct crew *crew, size_t i)
{
    arena_done(&crew->working[i]->arena);
    free(crew->working[i]);
    crew->working[i] = crew->working[--crew->count];
}

static const struct verb_row *verb_of(struct bytes name)
{
    for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++) {
        if (bytes_equal_text(name, VERBS[i].name)) return &VERBS[i];
    }
    return NULL;
}

static void take_on(struct crew *crew, const struct operator_batch *batch)
{
    struct working *working = calloc(1, sizeof *working);
    if (working == NULL) abort();
    working->batch = *batch;
    working->batch.verb = bytes_copy(&working->arena, batch->verb);
    working->batch.step = bytes_copy(&working->arena, batch->step);
    working->batch.output = bytes_copy(&working->arena, batch->output);
    working->batch.name = bytes_copy(&working->arena, batch->name);
    working->batch.payload = bytes_copy(&working->arena, batch->payload);
    working->batch.reason = bytes_copy(&working->arena, batch->reason);
    working->batch.actor = bytes_copy(&working->arena, batch->actor);
    working->verb = verb_of(batch->verb);
    char id[UUID_TEXT_SIZE];
    uuid_print(&batch->id, id);
    (void)snprintf(working->signal_key, sizeof working->signal_key, "batch:%s", id);
    working->credit = 1;
    working->credited_ms = clock_monotonic_ms();
    working->seen = true;
    crew->working[crew->count++] = working;
}

static void meet(struct crew *crew, const struct operator_batch *batch)
{
    for (size_t i = 0; i < crew->count; i++) {
        struct working *working = crew->working[i];
        if (!uuid_equal(&working->batch.id, &batch->id)) continue;
        working->seen = true;
        working->batch.done = batch->done;
        working->batch.failed = batch->failed;
        return;
    }
    if (crew->count < BATCHES_MAX) take_on(crew, batch);
}

/* What is ours to do; what was paused, stopped or taken by others is not there any more. */
static bool look(struct crew *crew, struct err *err)
{
    struct operator_batch *batches = NULL;
    size_t count = 0;
    if (!store_batch_hold(crew->store, crew->holder, HOLD_MS, BATCHES_MAX, &crew->arena, &batches,
                          &count, err)) {
        return false;
    }
    for (size_t i = 0; i < crew->count; i++) {
        crew->working[i]->seen = false;
    }
    for (size_t i = 0; i < count; i++) {
        meet(crew, &batches[i]);
    }
    for (size_t i = crew->count; i-- > 0;) {
        if (!crew->working[i]->seen) forget(crew, i);
    }
    crew->next_look_ms = clock_monotonic_ms() + LOOK_EVERY_MS;
    return true;
}

static void work_on_all(struct crew *crew)
{
    for (size_t i = crew->count; i-- > 0;) {
        struct working *working = crew->working[i];
        struct err err;
        const bool good = work_on(crew, working, &err);
        if (!good && err.kind == ERR_INTERNAL) {
            log_event(LOG_ERROR, "batch_failed", "reason=\"%s\"", err.text);
        }
        if (!good) crew->next_look_ms = 0;
        if (!good || working->batch.state != BATCH_RUNNING) forget(crew, i);
    }
}

static bool go_round(struct crew *crew, struct err *err)
{
    const struct store_options options = {
        .url = crew->engine->options.database_url,
        .namespace_name = crew->engine->options.namespace_name,
        .role = "batches",
        .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
    };
    arena_reset(&crew->arena);
    if (crew->store == NULL && !store_open(&options, &crew->store, err)) return false;
    if (clock_monotonic_ms() >= crew->next_look_ms && !look(crew, err)) return false;
    work_on_all(crew);
    return true;
}

void *operator_batches_main(void *context)
{
    struct crew crew = {.engine = context};
    pthread_mutex_init(&crew.lock, NULL);
    pthread_cond_init(&crew.home, NULL);
    randombytes_buf(&crew.holder, sizeof crew.holder);
    if (crew.holder == 0) crew.holder = 1;
    int64_t rest_ms = 0;
    do {
        struct err err;
        const bool good = go_round(&crew, &err);
        crew.failures = good ? 0 : crew.failures + 1;
        if (crew.failures % COMPLAIN_EVERY == 1) {
            log_event(LOG_WARNING, "batches_failed", "reason=\"%s\"", err.text);
        }
        rest_ms = good && crew.count > 0 ? TICK_MS : LOOK_EVERY_MS;
    } while (house_rest(crew.engine, rest_ms));
    while (crew.count > 0) {
        forget(&crew, crew.count - 1);
    }
    store_close(crew.store);
    arena_done(&crew.arena);
    pthread_cond_destroy(&crew.home);
    pthread_mutex_destroy(&crew.lock);
    return NULL;
}
