/*
 * orchestrator/engine/decide.c
 *   The pure core for each event of a batch. Nothing here waits for anything.
 */
#include "orchestrator/engine/batch.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/base/log.h"
#include "sagas/machine/fork.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { UNSENT_TIMER_PAUSE_MS = 1000 };

/* ---- what a decision leaves behind ---- */

void *batch_grow(struct batch *batch, void *old, size_t count, size_t *room, size_t size)
{
    if (count < *room) return old;
    *room = *room == 0 ? 64 : *room * 2;
    void *bigger = arena_array(&batch->worker->arena, *room, size);
    if (count > 0) memcpy(bigger, old, count * size);
    return bigger;
}

void batch_touch(struct batch *batch, struct cached *cached)
{
    if (cached->touched) return;
    cached->touched = true;
    batch->touched[batch->touched_count++] = cached;
}

static void take_history(struct batch *batch, struct cached *cached,
                         const struct decision *decision)
{
    if (decision->history.data == NULL) return;
    batch->histories = batch_grow(batch, batch->histories, batch->history_count,
                                  &batch->history_room, sizeof *batch->histories);
    batch->histories[batch->history_count++] = (struct history_write){
        .id = cached->id,
        .definition_id = cached->saga->definition->stored_id,
        .state = cached->saga->state,
        .seq = decision->history_first_seq,
        .count = decision->history_count,
        .revision = cached->saga->revision,
        .at_ms = batch->now_ms,
        .entries = decision->history,
        .payload = decision->payload,
        .output = decision->saga_output,
    };
    batch_touch(batch, cached);
}

static void take_commands(struct batch *batch, struct cached *cached, const struct event *event,
                          const struct decision *decision)
{
    for (size_t i = 0; i < decision->command_count; i++) {
        batch->outgoing = batch_grow(batch, batch->outgoing, batch->outgoing_count,
                                     &batch->outgoing_room, sizeof *batch->outgoing);
        batch->outgoing[batch->outgoing_count++] = (struct outgoing){
            .command = decision->commands[i],
            .cached = cached,
            .granted = event->kind == EVENT_RESEND && event->held,
            .urged = event->kind >= EVENT_CANCEL,
        };
    }
}

static void decide_holding(struct batch *batch, struct cached *cached, const struct event *event,
                           const struct held_topics *held, struct decision *ret_decision)
{
    struct decide_context context = {
        .now_ms = batch->now_ms,
        .random = &batch->worker->random,
        .arena = &batch->worker->arena,
        .held_topics = held->name,
        .held_topic_count = held->count,
    };
    *ret_decision = (struct decision){0};
    saga_decide(cached->saga, event, &context, ret_decision);
    take_history(batch, cached, ret_decision);
    take_commands(batch, cached, event, ret_decision);
}

void batch_decide_event(struct batch *batch, struct cached *cached, const struct event *event,
                        struct decision *ret_decision)
{
    decide_holding(batch, cached, event, &(struct held_topics){0}, ret_decision);
}

/* ---- requests ---- */

static const char *keep_text(struct batch *batch, const char *text)
{
    return arena_copy(&batch->worker->arena, text, strlen(text));
}

static void add_key(struct batch *batch, const struct request *request, const struct uuid *saga_id,
                    uint16_t status)
{
    if (request->key.key.data == NULL) return;
    struct request_key_write *write = &batch->keys[batch->key_count++];
    *write = (struct request_key_write){
        .key = request->key.key,
        .has_saga = true,
        .saga_id = *saga_id,
        .status = status,
    };
    memcpy(write->fingerprint, request->key.fingerprint, FINGERPRINT_SIZE);
}

/* The Idempotency-Key was used before: the answer is known, or the key is misused. */
static bool answer_from_key(struct batch *batch, size_t i)
{
    struct work *work = batch->works[i];
    const struct request_key_row *row = &batch->key_rows[i];
    if (!row->found) return false;
    if (memcmp(row->fingerprint, work->request->key.fingerprint, FINGERPRINT_SIZE) != 0) {
        work->answer.result = RESULT_OTHER_BODY;
        return true;
    }
    work->answer.result = RESULT_REPLAYED;
    work->answer.stored_status = row->status;
    work->answer.stored_answer = row->answer;
    if (row->has_saga) work->cached = cache_find(batch->worker->cache, &row->saga_id);
    return true;
}

/* Two requests of one batch with the same key: the second waits for what becomes of the first. */
static bool is_key_in_batch(const struct batch *batch, struct bytes key)
{
    for (size_t i = batch->key_count; i-- > 0;) {
        if (bytes_equal(batch->keys[i].key, key)) return true;
    }
    return false;
}

static bool is_same_start(const struct saga *saga, const struct start_request *start)
{
    return saga->definition->stored_id == start->definition->stored_id &&
           bytes_equal(saga->input, start->input) && bytes_equal(saga->labels, start->labels) &&
           saga->start_at_ms == start->start_at_ms;
}

static struct cached *new_saga(struct batch *batch, const struct work *work)
{
    const struct start_request *start = &work->request->start;
    struct cached *cached = cache_add(batch->worker->cache, &work->saga_id);
    struct saga *saga = saga_new(&cached->arena, start->definition);
    cached->saga = saga;
    cached->fresh = true;
    saga->id = work->saga_id;
    saga->input = bytes_copy(&cached->arena, start->input);
    saga->labels = bytes_copy(&cached->arena, start->labels);
    saga->trace = bytes_copy(&cached->arena, start->trace);
    saga->trace_state = bytes_copy(&cached->arena, start->trace_state);
    saga->created_at_ms = batch->now_ms;
    saga->start_at_ms = start->start_at_ms;
    return cached;
}

/* After the keys and ids that are known: what was accepted once stays accepted. */
static bool refuse_input(struct batch *batch, size_t i)
{
    struct work *work = batch->works[i];
    const struct start_request *start = &work->request->start;
    struct arena *const arena = &batch->worker->arena;
    if (start->definition->input_schema == NULL) return false;
    struct schema_report *const report = arena_alloc(arena, sizeof *report);
    if (saga_input_fits(start->definition, start->input, start->input_view, arena, report)) {
        return false;
    }
    if (batch->key_unread[i]) batch->stale = true; /* no commit tells of its key */
    work->answer.result = RESULT_REFUSED;
    work->answer.input_report = report;
    return true;
}

/* The first event of a saga, or those that make a fork of it: all of them, or nothing is stored. */
static void begin_saga(struct batch *batch, struct cached *cached,
                       const struct start_request *start)
{
    const struct fork *const fork = start->fork;
    const struct event plain = {
        .kind = EVENT_START, .step = -1, .index = INDEX_NONE, .held = start->definition_paused};
    const size_t count = fork == NULL ? 1 : fork_event_count(fork);
    for (size_t i = 0; i < count; i++) {
        const struct event event = fork == NULL ? plain : fork_event(fork, i);
        struct decision decision;
        batch_decide_event(batch, cached, &event, &decision);
        assert(decision.verdict == VERDICT_APPLIED);
    }
}

static void decide_start(struct batch *batch, size_t i)
{
    struct work *work = batch->works[i];
    const struct start_request *start = &work->request->start;
    struct cached *cached = cache_find(batch->worker->cache, &work->saga_id);
    if (cached != NULL) {
        work->cached = cached;
        const bool same = !start->fail_if_exists && is_same_start(cached->saga, start);
        work->answer.result = same ? RESULT_EXISTS : RESULT_ID_TAKEN;
        return;
    }
    if (refuse_input(batch, i)) return;
    cached = new_saga(batch, work);
    struct expression_error error;
    if (!saga_attributes(cached->saga, &cached->arena, &cached->saga->attributes, &error)) {
        cache_drop(batch->worker->cache, cached);
        if (batch->key_unread[i]) batch->stale = true; /* no commit tells of its key */
        work->answer.result = RESULT_REFUSED;
        work->answer.why = keep_text(batch, error.detail);
        work->answer.pointer = "/input";
        return;
    }
    begin_saga(batch, cached, start);
    add_key(batch, work->request, &work->saga_id, 201);
    work->answer.result = RESULT_DONE;
    work->cached = cached;
}

/* A signal that came before has its effect already: that is all its sender asks for. */
static enum request_result command_result(enum event_kind kind, enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_APPLIED:
    case VERDICT_NOTHING: return RESULT_DONE;
    case VERDICT_UNKNOWN: return RESULT_NOT_FOUND;
    case VERDICT_DUPLICATE: return kind == EVENT_SIGNAL ? RESULT_DONE : RESULT_NOT_ALLOWED;
    case VERDICT_LATE:
    case VERDICT_ILLEGAL: return RESULT_NOT_ALLOWED;
    }
    abort();
}

/* A verb to several runs: applied when it was to any of them. */
struct each {
    struct batch *batch;
    struct cached *cached;
    const struct command_request *command;
    bool applied;
    struct decision refusal;
};

/* To the runs of one step. What an earlier one changed is seen by those behind it. */
static void decide_each_of(struct each *each, const struct event *event, int step)
{
    const struct saga *saga = each->cached->saga;
    for (uint32_t i = 0; i == 0 || i < saga->steps[step].count; i++) {
        const struct step_runs *runs = &saga->steps[step];
        const bool waits = runs->run[i].next_attempt_at_ms != 0;
        if (each->command->scope == SCOPE_WAITING && !waits) continue;
        struct event one = *event;
        struct decision decision;
        one.step = step;
        one.index = runs->expanded && runs->count > 0 ? (int32_t)i : INDEX_NONE;
        batch_decide_event(each->batch, each->cached, &one, &decision);
        if (decision.verdict == VERDICT_APPLIED) {
            each->applied = true;
        } else {
            each->refusal = decision;
        }
    }
}

static void decide_each(struct batch *batch, struct cached *cached,
                        const struct command_request *command, const struct event *event,
                        struct decision *ret_decision)
{
    struct each each = {
        .batch = batch,
        .cached = cached,
        .command = command,
        .refusal = {.verdict = VERDICT_ILLEGAL,
                    .why = "no step of the saga waits for its next attempt"},
    };
    for (int step = 0; step < (int)cached->saga->definition->step_count; step++) {
        if (event->step < 0 || step == event->step) decide_each_of(&each, event, step);
    }
    *ret_decision = each.refusal;
    if (each.applied) ret_decision->verdict = VERDICT_APPLIED;
}

/*
 * A signal's payload breaks its schema: every fault and its place, where the rules have one
 * sentence. What they refuse for another reason, they refuse.
 */
static void tell_faults(struct batch *batch, struct work *work, const struct saga *saga)
{
    struct arena *const arena = &batch->worker->arena;
    const struct event *const event = &work->request->command.event;
    if (event->kind != EVENT_SIGNAL || !saga_takes_signals(saga)) return;
    struct schema_report *const report = arena_alloc(arena, sizeof *report);
    if (saga_signal_fits(saga->definition, event->name, event->payload, arena, report)) return;
    work->answer.result = RESULT_REFUSED;
    work->answer.pointer = "/payload";
    work->answer.input_report = report;
}

static const char *why_of(struct batch *batch, enum event_kind kind,
                          const struct decision *decision)
{
    if (decision->verdict != VERDICT_UNKNOWN) return keep_text(batch, decision->why);
    return kind == EVENT_SIGNAL ? "no step of the saga waits for a signal of that name"
                                : "the step has no such item";
}

static void decide_command(struct batch *batch, struct work *work)
{
    const struct command_request *command = &work->request->command;
    struct cached *cached = cache_find(batch->worker->cache, &command->saga_id);
    work->answer.result = RESULT_NOT_FOUND;
    work->answer.why = "there is no such saga";
    if (cached == NULL) return;
    work->cached = cached;
    struct event event = command->event;
    if (command->step_id.data != NULL) {
        event.step = definition_find_step(cached->saga->definition, command->step_id);
        work->answer.why = "the saga has no such step";
        if (event.step < 0) return;
    }
    work->answer.result = RESULT_STALE;
    if (command->has_if_match && command->if_match != cached->saga->revision) return;
    struct decision decision;
    if (command->scope == SCOPE_ONE) {
        batch_decide_event(batch, cached, &event, &decision);
    } else {
        decide_each(batch, cached, command, &event, &decision);
    }
    work->answer.verdict = decision.verdict;
    work->answer.result = command_result(event.kind, decision.verdict);
    work->answer.why = why_of(batch, event.kind, &decision);
    if (work->answer.result == RESULT_DONE) add_key(batch, work->request, &cached->id, 202);
    if (work->answer.result == RESULT_NOT_ALLOWED) tell_faults(batch, work, cached->saga);
}

/* ---- all requests ---- */

static void decide_request(struct batch *batch, size_t i)
{
    struct work *work = batch->works[i];
    const struct request *request = work->request;
    work->answer = (struct answer){.result = RESULT_DONE};
    work->cached = NULL;
    work->deferred = false;
    work->result = NULL;
    if (batch->key_given[i]) {
        work->deferred = is_key_in_batch(batch, request->key.key);
        if (work->deferred) batch_doubt_keys(batch);
        if (work->deferred || answer_from_key(batch, i)) return;
    }
    switch (request->kind) {
    case REQUEST_START: decide_start(batch, i); break;
    case REQUEST_COMMAND: decide_command(batch, work); break;
    case REQUEST_REPLY:
        work->answer.verdict =
            batch_decide_reply(batch, &request->reply.token, &request->reply.event, &work->cached);
        work->answer.result =
            work->answer.verdict == VERDICT_UNKNOWN ? RESULT_NOT_FOUND : RESULT_DONE;
        work->result = verdict_name(work->answer.verdict);
        break;
    }
}

/* ---- timers ---- */

/*
 * The saga's command never left, so the time of whoever should answer does not run. Where it is
 * refused although the broker is there (no such topic), time goes on.
 */
static bool is_held(struct engine *engine, const struct uuid *id)
{
    const enum outbox_place place = outbox_find(engine->outbox, id);
    if (place == OUTBOX_NOT) return false;
    return place == OUTBOX_WAITING || !atomic_load(&engine->broker_up);
}

static void decide_timer(struct batch *batch, struct work *work)
{
    struct worker *worker = batch->worker;
    work->lag_ms = -1;
    work->cached = cache_find(worker->cache, &work->saga_id);
    if (work->cached == NULL) return;
    if (is_held(worker->engine, &work->saga_id)) {
        timers_set(worker->timers, &work->saga_id, batch->now_ms + UNSENT_TIMER_PAUSE_MS,
                   batch->now_ms);
        work->cached = NULL;
        return;
    }
    struct saga *saga = work->cached->saga;
    const struct endings endings = batch_endings(batch, saga);
    const struct event event = {.kind = EVENT_TIMER, .step = -1, .index = INDEX_NONE};
    const struct held_topics held = batch_held_topics(batch, saga);
    struct decision decision;
    work->cached->held = held.count > 0;
    decide_holding(batch, work->cached, &event, &held, &decision);
    if (decision.verdict != VERDICT_APPLIED) return;
    batch_note_timeouts(batch, saga, &endings);
    if (endings.count > 0) batch_mark_unread(batch, saga, &endings);
    if (work->due_at_ms == 0) return;
    work->lag_ms = batch->now_ms > work->due_at_ms ? batch->now_ms - work->due_at_ms : 0;
}

static void decide_resend(struct batch *batch, struct work *work)
{
    work->cached = cache_find(batch->worker->cache, &work->saga_id);
    if (work->cached == NULL) return;
    struct event event = {.kind = EVENT_RESEND, .step = -1, .index = INDEX_NONE};
    struct decision decision;
    work->cached->held = false;
    if (work->topic != NULL) {
        event.name = bytes_of(work->topic->name);
        event.held = true;
    }
    batch_decide_event(batch, work->cached, &event, &decision);
}

static void decide_release(struct batch *batch, struct work *work)
{
    work->cached = cache_find(batch->worker->cache, &work->saga_id);
    if (work->cached == NULL) return;
    const struct event event = {.kind = EVENT_RESUME,
                                .step = -1,
                                .index = INDEX_NONE,
                                .held = true,
                                .reason = BYTES("the definition was resumed")};
    struct decision decision;
    batch_decide_event(batch, work->cached, &event, &decision);
}

static void decide_grant(struct batch *batch, struct work *work)
{
    work->cached = cache_find(batch->worker->cache, &work->saga_id);
    if (work->cached == NULL) return;
    const struct event event = {.kind = EVENT_GRANTED, .step = -1, .index = INDEX_NONE};
    struct decision decision;
    batch_decide_event(batch, work->cached, &event, &decision);
}

void batch_decide(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        switch (batch->works[i]->kind) {
        case WORK_REQUEST: decide_request(batch, i); break;
        case WORK_RECORD: batch_decide_record(batch, batch->works[i]); break;
        case WORK_TIMER: decide_timer(batch, batch->works[i]); break;
        case WORK_RESEND: decide_resend(batch, batch->works[i]); break;
        case WORK_RELEASE: decide_release(batch, batch->works[i]); break;
        case WORK_GRANT: decide_grant(batch, batch->works[i]); break;
        }
    }
}
