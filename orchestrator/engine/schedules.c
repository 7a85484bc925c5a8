/*
 * orchestrator/engine/schedules.c
 *   Starts the sagas of schedules. A thread and a connection of its own.
 *
 * A round takes what is due, decides each by the pure rules (sagas/calendar/schedule.h), starts at
 * most one saga of each through the engine like any other request, and writes down what came of
 * it. Every node does so; which one is faster does not matter: the saga's id is made of the
 * schedule and the time, so a second start finds the first, and only who read the schedule as it
 * still is moves it on. A crash between the start and its record starts nothing again.
 */
#include "orchestrator/engine/schedules.h"
#include "orchestrator/store/schedule_rows.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"
#include "orchestrator/engine/internal.h"
#include "orchestrator/telemetry/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUND_MS = 200,
    AGAIN_MS = 1000, /* after a failure, and before a start that found no room is tried again */
    BROKEN_AGAIN_MS = 60000, /* one that cannot be read, or has no definition that compiles */
    LEASE_MS = 500,          /* a node that dies in a round holds up others for so long */
    TAKE_MAX = 500,          /* schedules of a round */
    ZONE_KEPT_MS = 24 * 3600 * 1000,
    COMPLAIN_EVERY = 60,
    STATEMENT_TIMEOUT_MS = 5000,
};

struct kept_zone {
    char *name;
    struct zone zone;
    struct arena arena; /* of its changes */
    int64_t read_at_ms; /* monotonic */
    struct kept_zone *next;
};

struct scheduler {
    struct engine *engine;
    struct store *store;
    struct arena arena; /* of a round */
    struct kept_zone *zones;
    uint32_t failures;
    pthread_mutex_t lock; /* guards `flying` and the results of starts */
    pthread_cond_t landed;
    size_t flying;
};

/* One schedule of a round. */
struct firing {
    struct scheduler *scheduler;
    const struct schedule_row *row;
    struct cron cron;
    struct schedule_turn turn;
    struct request request;
    bool submitted;
    enum request_result result;
    char why[300];
    struct schedule_record record;
};

/* ---- time zones ---- */

static struct kept_zone *find_zone(struct scheduler *scheduler, struct bytes name)
{
    struct kept_zone *kept = scheduler->zones;
    while (kept != NULL && !bytes_equal_text(name, kept->name)) {
        kept = kept->next;
    }
    return kept;
}

static struct kept_zone *keep_zone(struct scheduler *scheduler, struct bytes name)
{
    struct kept_zone *const kept = calloc(1, sizeof *kept);
    if (kept == NULL) abort();
    kept->name = strndup(name.data, name.size);
    if (kept->name == NULL) abort();
    kept->next = scheduler->zones;
    scheduler->zones = kept;
    return kept;
}

/* Read again each day: the rules of a zone change, and what lies ahead moves on. */
static bool zone_of(struct scheduler *scheduler, const struct schedule_row *row,
                    const struct zone **ret_zone, struct err *err)
{
    struct kept_zone *kept = find_zone(scheduler, row->time_zone);
    const int64_t now_ms = clock_monotonic_ms();
    if (kept == NULL || now_ms - kept->read_at_ms > ZONE_KEPT_MS) {
        struct arena arena = {0};
        struct zone zone;
        if (!store_zone(scheduler->store, row->time_zone, row->now_ms, &arena, &zone, err)) {
            arena_done(&arena);
            return false;
        }
        if (kept == NULL) kept = keep_zone(scheduler, row->time_zone);
        arena_done(&kept->arena);
        kept->arena = arena;
        kept->zone = zone;
        kept->read_at_ms = now_ms;
    }
    *ret_zone = &kept->zone;
    return true;
}

static void forget_zones(struct scheduler *scheduler)
{
    while (scheduler->zones != NULL) {
        struct kept_zone *const kept = scheduler->zones;
        scheduler->zones = kept->next;
        arena_done(&kept->arena);
        free(kept->name);
        free(kept);
    }
}

/* ---- one firing ---- */

static struct bytes keep_text(struct scheduler *scheduler, const char *text)
{
    return (struct bytes){arena_copy(&scheduler->arena, text, strlen(text)), strlen(text)};
}

static void fail(struct firing *firing, const char *code, const char *detail)
{
    firing->record.error_code = bytes_of(code);
    firing->record.error_detail = keep_text(firing->scheduler, detail);
}

/* It stays as it is and is looked at again. */
static void put_off(struct firing *firing, const char *code, const char *detail)
{
    fail(firing, code, detail);
    firing->record.settled = false;
    firing->record.wake_at_ms = firing->row->now_ms + AGAIN_MS;
}

static void fill_record(struct firing *firing)
{
    const struct schedule_row *const row = firing->row;
    const struct schedule_turn *const turn = &firing->turn;
    firing->record = (struct schedule_record){
        .name = row->name,
        .uid = row->uid,
        .turn = row->turn,
        .next_at_ms = turn->after.next_at_ms,
        .waiting = schedule_pack_waiting(&turn->after, &firing->scheduler->arena),
        .wake_at_ms = turn->wake_at_ms,
        .scheduled_at_ms = turn->start_at_ms,
        .missed = turn->missed,
        .missed_until_ms = turn->missed_until_ms,
        .skipped = turn->skipped,
        .skipped_until_ms = turn->skipped_until_ms,
        .settled = true,
    };
}

/* False, its record says why: not one that can be carried out now. */
static bool decide(struct firing *firing, struct err *err)
{
    const struct schedule_row *const row = firing->row;
    const struct zone *zone = NULL;
    char fault[CRON_FAULT_SIZE];
    struct schedule_state state;
    schedule_unpack(row, &state);
    firing->turn = (struct schedule_turn){.after = state};
    fill_record(firing);
    if (!zone_of(firing->scheduler, row, &zone, err)) return false;
    if (!cron_parse(row->cron, &firing->cron, fault)) {
        return err_set(err, ERR_INVALID, "the cron expression %s", fault);
    }
    const struct schedule_rules rules = {&firing->cron,           zone,         row->catch_up,
                                         row->catch_up_window_ms, row->overlap, row->paused};
    schedule_decide(&rules, &state, row->previous_is_open, row->now_ms, &firing->turn);
    fill_record(firing);
    return true;
}

static struct bytes labels_of(struct firing *firing)
{
    struct buffer labels = buffer_in(&firing->scheduler->arena);
    buffer_add_text(&labels, "{\"schedule\":");
    json_write_string(&labels, firing->row->name);
    buffer_add_text(&labels, ",\"scheduled_at\":");
    json_write_time(&labels, firing->turn.start_at_ms);
    buffer_add_char(&labels, '}');
    return buffer_bytes(&labels);
}

/* Thread: engine worker. */
static void landed(struct request *request, const struct answer *answer)
{
    struct firing *const firing = request->context;
    struct scheduler *const scheduler = firing->scheduler;
    pthread_mutex_lock(&scheduler->lock);
    firing->result = answer->result;
    if (answer->input_report != NULL) {
        const struct schema_fault *const fault = &answer->input_report->fault[0];
        (void)snprintf(firing->why, sizeof firing->why, "/input%.*s %.*s", (int)fault->pointer.size,
                       fault->pointer.data, (int)fault->detail.size, fault->detail.data);
    } else {
        (void)snprintf(firing->why, sizeof firing->why, "%s",
                       answer->why == NULL ? "" : answer->why);
    }
    scheduler->flying--;
    pthread_cond_signal(&scheduler->landed);
    pthread_mutex_unlock(&scheduler->lock);
}

static void submit(struct firing *firing, const struct registered *registered)
{
    struct scheduler *const scheduler = firing->scheduler;
    firing->request = (struct request){
        .kind = REQUEST_START,
        .start = {.definition = registered->definition,
                  .definition_paused = registered->paused,
                  .has_id = true,
                  .id = schedule_saga_id(&firing->row->uid, firing->turn.start_at_ms),
                  .input = firing->row->input,
                  .labels = labels_of(firing)},
        .done = landed,
        .context = firing,
    };
    firing->submitted = true;
    pthread_mutex_lock(&scheduler->lock);
    scheduler->flying++;
    pthread_mutex_unlock(&scheduler->lock);
    engine_submit(scheduler->engine, &firing->request);
}

static bool start(struct firing *firing, struct err *err)
{
    struct scheduler *const scheduler = firing->scheduler;
    const struct schedule_row *const row = firing->row;
    struct registered found;
    if (!registry_by_name(scheduler->engine->options.registry, scheduler->store, row->definition,
                          row->version, &found, err)) {
        if (err->kind != ERR_NOT_FOUND) return false;
        fail(firing, "unknown-definition", "the definition is not registered");
    } else if (found.deprecated) {
        fail(firing, "definition-deprecated", "this version of the definition is deprecated");
    } else {
        submit(firing, &found);
    }
    return true;
}

/* ---- what came of it ---- */

/* An id of ours that is taken is taken by ourselves: an earlier try, under another version. */
static void judge(struct firing *firing)
{
    switch (firing->result) {
    case RESULT_DONE:
    case RESULT_EXISTS:
    case RESULT_ID_TAKEN:
    case RESULT_REPLAYED: firing->record.saga = firing->request.start.id; return;
    case RESULT_FULL:
        put_off(firing, "overloaded", "too much is open or waits to be dispatched");
        return;
    case RESULT_UNAVAILABLE: put_off(firing, "unavailable", "the database is away"); return;
    case RESULT_REFUSED: fail(firing, "invalid", firing->why); return;
    case RESULT_OTHER_BODY:
    case RESULT_NOT_FOUND:
    case RESULT_NOT_ALLOWED:
    case RESULT_STALE:
    case RESULT_INTERNAL: break;
    }
    fail(firing, "internal", "the start failed; the log of the node says why");
}

static void count(const struct firing *firing)
{
    const struct schedule_record *const record = &firing->record;
    const bool has_started = firing->submitted && record->error_code.data == NULL;
    if (!record->settled) return;
    if (record->missed > 0) metrics_add(METRIC_CRON_FIRINGS, record->missed, "missed", NULL, NULL);
    if (record->skipped > 0) {
        metrics_add(METRIC_CRON_FIRINGS, record->skipped, "skipped", NULL, NULL);
    }
    if (record->error_code.data != NULL) metrics_add(METRIC_CRON_FIRINGS, 1, "failed", NULL, NULL);
    if (!has_started || firing->result != RESULT_DONE) return;
    metrics_add(METRIC_CRON_FIRINGS, 1, "started", NULL, NULL);
    const int64_t late_ms = clock_wall_ms() - record->scheduled_at_ms;
    metrics_observe(METRIC_CRON_DELAY_SECONDS, late_ms > 0 ? (double)late_ms / 1000 : 0, NULL, NULL,
                    NULL);
}

static void tell(const struct firing *firing)
{
    const struct schedule_record *const record = &firing->record;
    if (record->error_code.data == NULL) return;
    log_event(LOG_WARNING, "schedule_failed",
              "schedule=%.*s scheduled_at_ms=%lld reason=\"%.*s: %.*s\"", (int)record->name.size,
              record->name.data, (long long)record->scheduled_at_ms, (int)record->error_code.size,
              record->error_code.data, (int)record->error_detail.size, record->error_detail.data);
}

static void wait_for_all(struct scheduler *scheduler)
{
    pthread_mutex_lock(&scheduler->lock);
    while (scheduler->flying > 0) {
        pthread_cond_wait(&scheduler->landed, &scheduler->lock);
    }
    pthread_mutex_unlock(&scheduler->lock);
}

/*
 * False: the database is away; what is not submitted stays as it is. A schedule that cannot be
 * carried out holds up no other.
 */
static bool begin(struct firing *firing, struct err *err)
{
    if (decide(firing, err) && (firing->turn.start_at_ms == 0 || start(firing, err))) return true;
    if (err->kind == ERR_UNAVAILABLE) return false;
    put_off(firing, err->kind == ERR_INVALID ? "invalid" : "internal", err->text);
    firing->record.wake_at_ms = firing->row->now_ms + BROKEN_AGAIN_MS;
    return true;
}

static bool carry_out(struct scheduler *scheduler, const struct schedule_row *rows, size_t count_of,
                      struct err *err)
{
    struct firing *const firings = arena_array(&scheduler->arena, count_of, sizeof *firings);
    struct schedule_record *const records =
        arena_array(&scheduler->arena, count_of, sizeof *records);
    size_t begun = 0;
    bool good = true;
    for (; good && begun < count_of; begun += good) {
        firings[begun].scheduler = scheduler;
        firings[begun].row = &rows[begun];
        good = begin(&firings[begun], err);
    }
    wait_for_all(scheduler);
    if (begun == 0) return good;
    for (size_t i = 0; i < begun; i++) {
        if (firings[i].submitted) judge(&firings[i]);
        records[i] = firings[i].record;
    }
    struct err failure;
    if (!store_schedules_record(scheduler->store, records, begun, &failure)) {
        *err = failure;
        return false;
    }
    for (size_t i = 0; i < begun; i++) {
        count(&firings[i]);
        tell(&firings[i]);
    }
    return good;
}

/* ---- rounds ---- */

static bool open_scheduler(struct scheduler *scheduler, struct err *err)
{
    if (scheduler->store != NULL) return true;
    const struct store_options options = {
        .url = scheduler->engine->options.database_url,
        .namespace_name = scheduler->engine->options.namespace_name,
        .role = "schedules",
        .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
    };
    return store_open(&options, &scheduler->store, err);
}

static bool go_round(struct scheduler *scheduler, bool *ret_busy, struct err *err)
{
    struct schedule_row *rows = NULL;
    size_t count_of = 0;
    arena_reset(&scheduler->arena);
    *ret_busy = false;
    if (!open_scheduler(scheduler, err)) return false;
    if (!store_schedules_due(scheduler->store, TAKE_MAX, LEASE_MS, &scheduler->arena, &rows,
                             &count_of, err)) {
        return false;
    }
    *ret_busy = count_of > 0;
    return count_of == 0 || carry_out(scheduler, rows, count_of, err);
}

void *schedules_main(void *context)
{
    struct scheduler scheduler = {.engine = context};
    pthread_mutex_init(&scheduler.lock, NULL);
    pthread_cond_init(&scheduler.landed, NULL);
    int64_t rest_ms = ROUND_MS;
    do {
        struct err err;
        bool busy = false;
        const bool good = go_round(&scheduler, &busy, &err);
        scheduler.failures = good ? 0 : scheduler.failures + 1;
        if (scheduler.failures % COMPLAIN_EVERY == 1) {
            log_event(LOG_WARNING, "schedules_failed", "reason=\"%s\"", err.text);
        }
        rest_ms = !good ? AGAIN_MS : busy ? 1 : ROUND_MS;
    } while (house_rest(scheduler.engine, rest_ms));
    store_close(scheduler.store);
    forget_zones(&scheduler);
    arena_done(&scheduler.arena);
    pthread_cond_destroy(&scheduler.landed);
    pthread_mutex_destroy(&scheduler.lock);
    return NULL;
}
