/*
 * api/schedule_changes.c
 *   /v1/schedules: what people change. Each is decided on the row as it was read and written in one
 * transaction with its event and the answer to its Idempotency-Key; when somebody else was
 * faster it is decided again.
 */
#include "api/body.h"
#include "api/command_read.h"
#include "api/handlers.h"
#include "api/remember.h"
#include "api/results.h"
#include "api/schedule_read.h"
#include "api/schedule_render.h"
#include "api/server.h"
#include "orchestrator/base/clock.h"
#include "orchestrator/engine/schedules.h"
#include "orchestrator/store/schedule_rows.h"

#include <sodium.h>
#include <string.h>

enum { TRIES_MAX = 5, TIMES_SHOWN = 5 };

struct change {
    struct exchange *exchange;
    struct store *store;
    bool exists; /* `current` is set */
    struct schedule_row current;
    bool has_if_match;
    uint32_t if_match;
    bool dry_run;

    /* what the verb decides */
    struct schedule_write write;
    struct request_key_write key; /* where `write` names one */
    bool does_nothing;            /* it is so already */
    uint16_t status;              /* of the answer */
    struct schedule_row shown;
    const struct schedule_draft *draft; /* NULL: none; its times are shown with dry_run */
    struct uuid saga;                   /* of a trigger */
};

/* False: refused. */
typedef bool decide_change(struct change *change);

/* ---- the way of each change ---- */

static enum handled answer(struct change *change)
{
    struct exchange *const exchange = change->exchange;
    struct buffer body = buffer_in(&exchange->arena);
    schedule_add_whole(exchange, change->store, &body, &change->shown);
    if (change->dry_run && change->draft != NULL) {
        buffer_add_text(&body, ",\"next\":");
        schedule_add_times(&body, &change->draft->cron, &change->draft->zone, change->shown.now_ms,
                           TIMES_SHOWN);
    }
    if (change->write.verb == SCHEDULE_TRIGGER) {
        char id[UUID_TEXT_SIZE];
        uuid_print(&change->saga, id);
        buffer_add_text(&body, ",\"triggered\":{\"scheduled_at\":");
        json_write_time(&body, change->write.at_ms);
        buffer_add_format(&body, ",\"saga\":\"%s\"}", id);
    }
    buffer_add_char(&body, '}');
    exchange_set_header_format(exchange, "ETag", "\"%u\"", change->shown.revision);
    if (change->status == 201) {
        exchange_set_header_format(exchange, "Location", "/v1/schedules/%.*s",
                                   (int)change->shown.name.size, change->shown.name.data);
    }
    return exchange_json(exchange, change->status, buffer_bytes(&body));
}

static bool load(struct change *change, struct bytes name, struct err *err)
{
    change->exists =
        store_schedule(change->store, name, &change->exchange->arena, &change->current, err);
    return change->exists || err->kind == ERR_NOT_FOUND;
}

static bool is_stale(struct change *change)
{
    if (!change->has_if_match) return false;
    if (!change->exists) {
        return !refuse(&change->exchange->refusal, PROBLEM_STALE, "there is no such schedule");
    }
    if (change->if_match == change->current.revision) return false;
    return !refuse(&change->exchange->refusal, PROBLEM_STALE, "the current ETag is \"%u\"",
                   change->current.revision);
}

/* True: done, the exchange is answered. False: somebody was faster, try again. */
static bool write_down(struct change *change)
{
    struct exchange *const exchange = change->exchange;
    struct request_key key;
    struct err err;
    (void)answer(change);
    struct request_key_write *const remembered = &change->key;
    *remembered = (struct request_key_write){.status = exchange->response.status,
                                             .answer = exchange->response.body};
    request_key_fill(exchange, &key);
    if (key.key.data != NULL) {
        remembered->key = key.key;
        memcpy(remembered->fingerprint, key.fingerprint, FINGERPRINT_SIZE);
        change->write.key = remembered;
    }
    change->write.actor = exchange_actor(exchange);
    if (store_schedule_write(change->store, &change->write, &err)) return true;
    if (err.kind == ERR_CONFLICT) return false;
    (void)exchange_failed(exchange, &err, PROBLEM_SCHEDULE_NOT_FOUND);
    return true;
}

/* True: answered. */
static bool try_change(struct change *change, struct bytes name, decide_change *decide)
{
    struct exchange *const exchange = change->exchange;
    struct err err;
    exchange->refusal = (struct refusal){.arena = &exchange->arena};
    if (!change->dry_run && remember_replay(exchange, change->store)) return true;
    if (!load(change, name, &err)) {
        (void)exchange_failed(exchange, &err, PROBLEM_SCHEDULE_NOT_FOUND);
        return true;
    }
    if (is_stale(change) || !decide(change)) {
        (void)exchange_refused(exchange);
        return true;
    }
    if (change->dry_run) {
        change->status = 200;
        (void)answer(change);
        return true;
    }
    if (change->does_nothing) {
        (void)answer(change);
        (void)remember_answer(exchange, change->store);
        return true;
    }
    return write_down(change);
}

static enum handled carry_out(struct change *change, struct bytes name, decide_change *decide)
{
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        if (try_change(change, name, decide)) return ANSWERED;
    }
    return exchange_problem(change->exchange, PROBLEM_UNAVAILABLE,
                            "others change this schedule all the time");
}

static bool begin(struct exchange *exchange, struct store *store, struct change *ret_change)
{
    *ret_change = (struct change){.exchange = exchange, .store = store};
    return exchange_flag(exchange, "dry_run", &ret_change->dry_run) &&
           command_if_match(exchange, &ret_change->has_if_match, &ret_change->if_match);
}

static bool refuse_missing(struct change *change)
{
    return refuse(&change->exchange->refusal, PROBLEM_SCHEDULE_NOT_FOUND,
                  "there is no schedule of this name");
}

/* ---- making and changing ---- */

static int64_t next_after(const struct schedule_draft *draft, int64_t after_ms)
{
    int64_t next_ms = 0;
    return cron_next(&draft->cron, &draft->zone, after_ms, &next_ms) ? next_ms : 0;
}

static bool decide_new(struct change *change)
{
    const struct schedule_draft *const draft = change->draft;
    struct schedule_row *const row = &change->write.row;
    *row = draft->row;
    randombytes_buf(&row->uid, sizeof(row->uid));
    row->revision = 1;
    row->created_at_ms = row->updated_at_ms = row->now_ms = draft->row.now_ms;
    row->next_at_ms = next_after(draft, row->now_ms);
    row->waiting = BYTES("");
    if (row->next_at_ms == 0) {
        return refuse_at(&change->exchange->refusal, BYTES("/cron"),
                         "does not fire in the next %d years", CRON_YEARS);
    }
    change->write.verb = SCHEDULE_CREATE;
    change->write.kind = "created";
    change->write.reason = draft->reason;
    change->shown = *row;
    change->status = 201;
    return true;
}

static bool is_same(const struct schedule_draft *draft, const struct schedule_row *row)
{
    const struct schedule_row *const wanted = &draft->row;
    return bytes_equal(wanted->definition, row->definition) && wanted->version == row->version &&
           bytes_equal(wanted->cron, row->cron) && bytes_equal(wanted->time_zone, row->time_zone) &&
           bytes_equal(wanted->input, row->input) && wanted->catch_up == row->catch_up &&
           wanted->catch_up_window_ms == row->catch_up_window_ms &&
           wanted->overlap == row->overlap && (!draft->has_paused || wanted->paused == row->paused);
}

static bool leave(struct change *change)
{
    change->shown = change->current;
    change->status = 200;
    change->does_nothing = true;
    return true;
}

static bool decide_create(struct change *change)
{
    if (!change->exists) return decide_new(change);
    if (is_same(change->draft, &change->current)) return leave(change);
    return refuse(&change->exchange->refusal, PROBLEM_SCHEDULE_EXISTS,
                  "a schedule of this name exists with other content");
}

/* A pause ends: where nothing is caught up, what was due until now is over. */
static void end_pause(struct change *change, const struct cron *cron, const struct zone *zone)
{
    struct schedule_write *const write = &change->write;
    const struct schedule_rules rules = {.cron = cron, .zone = zone};
    struct schedule_state state = {.next_at_ms = write->row.next_at_ms};
    if (write->row.catch_up != CATCH_UP_NONE) return;
    schedule_pass_over(&rules, &state, change->current.now_ms, &write->missed);
    write->sets_next = write->sets_next || write->missed > 0;
    write->row.next_at_ms = state.next_at_ms;
}

static void show_changed(struct change *change)
{
    change->shown = change->write.row;
    change->shown.revision++;
    change->shown.updated_at_ms = change->current.now_ms;
    change->shown.missed += change->write.missed;
    change->status = 200;
}

/* The new settings on top of where the schedule stands. */
static void settle_row(struct change *change)
{
    const struct schedule_draft *const draft = change->draft;
    struct schedule_row *const row = &change->write.row;
    const bool paused = draft->has_paused ? draft->row.paused : change->current.paused;
    *row = change->current;
    row->definition = draft->row.definition;
    row->version = draft->row.version;
    row->cron = draft->row.cron;
    row->time_zone = draft->row.time_zone;
    row->input = draft->row.input;
    row->catch_up = draft->row.catch_up;
    row->catch_up_window_ms = draft->row.catch_up_window_ms;
    row->overlap = draft->row.overlap;
    row->paused = paused;
}

static bool decide_replace(struct change *change)
{
    const struct schedule_draft *const draft = change->draft;
    const struct schedule_row *const current = &change->current;
    struct schedule_write *const write = &change->write;
    if (!change->exists) return decide_new(change);
    if (is_same(draft, current)) return leave(change);
    *write = (struct schedule_write){
        .verb = SCHEDULE_CHANGE, .kind = "changed", .reason = draft->reason};
    settle_row(change);
    write->sets_next = !bytes_equal(draft->row.cron, current->cron) ||
                       !bytes_equal(draft->row.time_zone, current->time_zone);
    if (write->sets_next) {
        const int64_t last_ms = current->last_scheduled_at_ms;
        write->row.next_at_ms =
            next_after(draft, last_ms > current->now_ms ? last_ms : current->now_ms);
    } else if (current->paused && !write->row.paused) {
        end_pause(change, &draft->cron, &draft->zone);
    }
    show_changed(change);
    return true;
}

static enum handled make(struct exchange *exchange, struct store *store, struct bytes name,
                         decide_change *decide)
{
    struct change change;
    struct schedule_draft draft;
    const int64_t now_ms = clock_wall_ms();
    if (!begin(exchange, store, &change)) return exchange_refused(exchange);
    if (!schedule_read(exchange, store, name, now_ms, &draft)) return exchange_refused(exchange);
    draft.row.now_ms = now_ms;
    change.draft = &draft;
    return carry_out(&change, draft.row.name, decide);
}

enum handled schedule_create(struct exchange *exchange, struct store *store)
{
    return make(exchange, store, (struct bytes){0}, decide_create);
}

enum handled schedule_replace(struct exchange *exchange, struct store *store)
{
    return make(exchange, store, exchange->argument[0], decide_replace);
}

/* ---- the other verbs ---- */

static bool decide_delete(struct change *change)
{
    if (!change->exists) return refuse_missing(change);
    change->write.verb = SCHEDULE_DELETE;
    change->write.kind = "deleted";
    change->write.row = change->shown = change->current;
    change->status = 200;
    return true;
}

static bool decide_pause(struct change *change)
{
    if (!change->exists) return refuse_missing(change);
    if (change->current.paused) return leave(change);
    change->write.verb = SCHEDULE_CHANGE;
    change->write.kind = "paused";
    change->write.row = change->current;
    change->write.row.paused = true;
    show_changed(change);
    return true;
}

static bool decide_resume(struct change *change)
{
    struct cron cron;
    struct zone zone;
    struct err err;
    if (!change->exists) return refuse_missing(change);
    if (!change->current.paused) return leave(change);
    if (!schedule_calendar(change->exchange, change->store, &change->current, &cron, &zone, &err)) {
        return refuse(&change->exchange->refusal, problem_of_err(&err, PROBLEM_INTERNAL), "%s",
                      err.kind == ERR_UNAVAILABLE ? "the database is away"
                                                  : "the schedule's calendar cannot be read");
    }
    change->write = (struct schedule_write){.verb = SCHEDULE_CHANGE,
                                            .kind = "resumed",
                                            .reason = change->write.reason,
                                            .row = change->current};
    change->write.row.paused = false;
    end_pause(change, &cron, &zone);
    show_changed(change);
    return true;
}

/* Later than every time that waits, so that none has the id of another. */
static int64_t moment_of(const struct schedule_row *row, const struct schedule_state *state)
{
    int64_t at_ms = row->now_ms;
    if (row->last_scheduled_at_ms >= at_ms) at_ms = row->last_scheduled_at_ms + 1;
    if (state->waiting_count > 0 && state->waiting[state->waiting_count - 1] >= at_ms) {
        at_ms = state->waiting[state->waiting_count - 1] + 1;
    }
    return schedule_trigger_time(at_ms);
}

static bool decide_trigger(struct change *change)
{
    struct schedule_state state;
    if (!change->exists) return refuse_missing(change);
    schedule_unpack(&change->current, &state);
    if (state.waiting_count == SCHEDULE_WAITING_MAX) {
        return refuse(&change->exchange->refusal, PROBLEM_NOT_ALLOWED,
                      "%d times wait already; trigger it again when some have started",
                      SCHEDULE_WAITING_MAX);
    }
    change->write.verb = SCHEDULE_TRIGGER;
    change->write.kind = "triggered";
    change->write.row = change->shown = change->current;
    change->write.at_ms = moment_of(&change->current, &state);
    change->saga = schedule_saga_id(&change->current.uid, change->write.at_ms);
    state.waiting[state.waiting_count++] = change->write.at_ms;
    change->shown.waiting = schedule_pack_waiting(&state, &change->exchange->arena);
    change->status = 202;
    return true;
}

static enum handled act(struct exchange *exchange, struct store *store, decide_change *decide)
{
    struct change change;
    if (!begin(exchange, store, &change) || !schedule_reason(exchange, &change.write.reason)) {
        return exchange_refused(exchange);
    }
    return carry_out(&change, exchange->argument[0], decide);
}

enum handled schedule_delete(struct exchange *exchange, struct store *store)
{
    return act(exchange, store, decide_delete);
}

enum handled schedule_pause(struct exchange *exchange, struct store *store)
{
    return act(exchange, store, decide_pause);
}

enum handled schedule_resume(struct exchange *exchange, struct store *store)
{
    return act(exchange, store, decide_resume);
}

enum handled schedule_trigger(struct exchange *exchange, struct store *store)
{
    return act(exchange, store, decide_trigger);
}
