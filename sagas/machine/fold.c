#include "sagas/machine/fold.h"

#include "sagas/machine/turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading an entry ---- */

struct entry {
    const struct fold_entry *given;
    struct bytes type;
    struct bytes step; /* absent: of the saga */
    int32_t index;
    enum op op;
    uint32_t attempt;
    const struct json_view *detail;
};

static const struct json_view *member_of(const struct json_view *view, const char *name)
{
    const struct json_view *const member = view == NULL ? NULL : json_view_member(view, name);
    return member == NULL || member->type == VIEW_NULL ? NULL : member;
}

static struct bytes text_of(const struct json_view *view, const char *name)
{
    const struct json_view *const member = member_of(view, name);
    return member == NULL || member->type != VIEW_STRING ? (struct bytes){0} : member->string;
}

static bool has(const struct entry *entry, const char *name)
{
    return member_of(entry->detail, name) != NULL;
}

static bool says(const struct entry *entry, const char *name, const char *text)
{
    return bytes_equal_text(text_of(entry->detail, name), text);
}

static bool is_type(const struct entry *entry, const char *type)
{
    return bytes_equal_text(entry->type, type);
}

/* Unix ms; 0: not there. */
static int64_t time_of(const struct entry *entry, const char *name)
{
    int64_t at_ms = 0;
    const struct bytes text = text_of(entry->detail, name);
    return text.data != NULL && time_parse(text, &at_ms) ? at_ms : 0;
}

static bool number_of(const struct json_view *view, const char *name, int64_t *ret_number)
{
    const struct json_view *const member = member_of(view, name);
    return member == NULL || json_view_int64(member, ret_number);
}

static bool read_entry(struct fold *fold, const struct fold_entry *given, struct entry *ret_entry)
{
    const struct json_view *const view = given->entry;
    int64_t index = INDEX_NONE;
    int64_t attempt = 0;
    *ret_entry = (struct entry){
        .given = given,
        .type = text_of(view, "type"),
        .step = text_of(view, "step"),
        .detail = member_of(view, "detail"),
    };
    if (!number_of(view, "index", &index) || !number_of(view, "attempt", &attempt) ||
        index < INDEX_NONE || index >= FOREACH_ITEMS_MAX || attempt < 0 || attempt > UINT32_MAX) {
        (void)snprintf(fold->why, sizeof(fold->why), "its index or attempt is no number");
        return false;
    }
    ret_entry->index = (int32_t)index;
    ret_entry->attempt = (uint32_t)attempt;
    const struct bytes op = text_of(view, "op");
    for (enum op each = OP_ACTION; each <= OP_PROBE; each++) {
        if (bytes_equal_text(op, op_name(each))) ret_entry->op = each;
    }
    return true;
}

/* ---- saying what is wrong ---- */

static bool refuse(struct fold *fold, const struct entry *entry, const char *what)
{
    (void)snprintf(fold->why, sizeof(fold->why), "%.*s%s%.*s%s", (int)entry->type.size,
                   entry->type.data, entry->step.data != NULL ? " of step " : "",
                   (int)entry->step.size, entry->step.data != NULL ? entry->step.data : "", what);
    return false;
}

static bool refuse_in(struct fold *fold, const struct entry *entry, const char *state)
{
    char what[80];
    (void)snprintf(what, sizeof(what), " cannot happen to what is %s", state);
    return refuse(fold, entry, what);
}

/* ---- runs ---- */

struct place {
    const struct step *step;
    struct step_runs *runs;
    struct step_run *run;
    struct fold_run *note;
    enum op op_before;
};

/* Items that nothing happened to are skipped where the saga has ended without them. */
static void make_items(struct fold *fold, size_t position, uint32_t count)
{
    struct step_runs *const runs = &fold->saga->steps[position];
    struct fold_step *const step = &fold->steps[position];
    const uint32_t kept = runs->expanded ? runs->count : 0;
    if (runs->expanded && count <= kept) return;
    struct step_run *const run = arena_array(fold->saga->arena, count, sizeof(*run));
    struct fold_run *const note = arena_array(fold->saga->arena, count, sizeof(*note));
    if (kept > 0) memcpy(run, runs->run, kept * sizeof(*run));
    if (kept > 0) memcpy(note, step->run, kept * sizeof(*note));
    for (uint32_t i = kept; i < count; i++) {
        const bool over = step->skipped || saga_is_finished(fold->saga->state);
        run[i].state = over ? STEP_SKIPPED : STEP_WAITING;
    }
    runs->run = run;
    step->run = note;
    runs->expanded = true;
    runs->count = count;
}

void fold_width(struct fold *fold, size_t position, uint32_t count)
{
    fold->steps[position].width = count;
}

static void widen(struct fold *fold, size_t position, uint32_t least)
{
    const uint32_t width = fold->steps[position].width;
    make_items(fold, position, width > least ? width : least);
}

static bool find_place(struct fold *fold, const struct entry *entry, struct place *ret_place)
{
    const struct saga *const saga = fold->saga;
    const int position = definition_find_step(saga->definition, entry->step);
    if (position < 0) return refuse(fold, entry, ", which the definition does not have");
    struct step_runs *const runs = &saga->steps[position];
    if (entry->index != INDEX_NONE && saga->definition->steps[position].foreach == NULL) {
        return refuse(fold, entry, ", which has no items");
    }
    uint32_t item = 0;
    if (entry->index != INDEX_NONE) {
        item = (uint32_t)entry->index;
        widen(fold, (size_t)position, item + 1);
    }
    *ret_place = (struct place){
        .step = &saga->definition->steps[position],
        .runs = runs,
        .run = &runs->run[item],
        .note = &fold->steps[position].run[item],
    };
    return true;
}

static bool is_undo(enum run_event event)
{
    return event >= RUN_UNDO_SENT;
}

static bool is_unsent(enum step_state state)
{
    return state == STEP_WAITING || state == STEP_READY;
}

/* The cell of the table that writes such an entry; its state after. */
static bool find_cell(enum step_state before, const struct entry *entry, enum step_state *ret_after)
{
    for (enum run_event event = 0; event < RUN_EVENT_COUNT; event++) {
        const struct run_transition cell = run_transition(before, event);
        if (cell.entry == NULL || cell.entry[0] == '\0' || !is_type(entry, cell.entry)) continue;
        const bool stays = cell.after == before && !is_undo(event);
        if (!stays && is_undo(event) != (entry->op == OP_COMPENSATE)) continue;
        *ret_after = cell.after;
        return true;
    }
    return false;
}

/* That a step is reached leaves no entry. */
static bool move(struct fold *fold, const struct entry *entry, struct step_run *run)
{
    enum step_state after = run->state;
    if (!find_cell(run->state, entry, &after) &&
        !(is_unsent(run->state) &&
          (find_cell(STEP_READY, entry, &after) || find_cell(STEP_WAITING, entry, &after)))) {
        return refuse_in(fold, entry, step_state_name(run->state));
    }
    run->state = after;
    return true;
}

static bool count_attempt(struct fold *fold, const struct entry *entry, struct place *place)
{
    uint32_t *const attempts = &place->note->attempts[entry->op];
    const bool sent = is_type(entry, "step.dispatched") && !has(entry, "again");
    const uint32_t wanted = *attempts + (sent ? 1 : 0);
    if (entry->attempt != wanted) {
        char what[80];
        (void)snprintf(what, sizeof(what), " tells of attempt %u after attempt %u", entry->attempt,
                       *attempts);
        return refuse(fold, entry, what);
    }
    *attempts = wanted;
    return true;
}

static void take_error(struct fold *fold, const struct entry *entry, struct saga_error *error)
{
    const struct bytes code = text_of(entry->detail, "code");
    const struct bytes text = text_of(entry->detail, "detail");
    const size_t size = code.size < ERROR_CODE_SIZE ? code.size : ERROR_CODE_SIZE - 1;
    if (code.data == NULL) return;
    memcpy(error->code, code.data, size);
    error->code[size] = '\0';
    error->detail = text.data == NULL ? (struct bytes){0} : bytes_copy(fold->saga->arena, text);
}

static struct bytes take_payload(struct fold *fold)
{
    const struct bytes payload = fold->payload;
    fold->payload = (struct bytes){0};
    return payload.data == NULL ? payload : bytes_copy(fold->saga->arena, payload);
}

static void keep_signal(struct fold *fold, const struct entry *entry)
{
    struct fold_signal **end = &fold->signals;
    struct fold_signal *const signal = arena_alloc(fold->saga->arena, sizeof(*signal));
    while (*end != NULL) {
        end = &(*end)->next;
    }
    signal->name = bytes_copy(fold->saga->arena, text_of(entry->detail, "name"));
    signal->payload = take_payload(fold);
    *end = signal;
}

/* What a wait ended with: the oldest signal of that name. */
static struct bytes take_signal_payload(struct fold *fold, struct bytes name)
{
    for (struct fold_signal **at = &fold->signals; *at != NULL; at = &(*at)->next) {
        if (!bytes_equal((*at)->name, name)) continue;
        const struct bytes payload = (*at)->payload;
        *at = (*at)->next;
        return payload;
    }
    return (struct bytes){0};
}

static void close_run(const struct entry *entry, struct step_run *run)
{
    run->deadline_at_ms = run->next_attempt_at_ms = 0;
    run->finished_at_ms = entry->given->at_ms;
}

typedef void run_effect(struct fold *fold, const struct entry *entry, struct place *place);

/* What the declared effect came to is told when the step is sent first. */
static void take_effect(struct fold *fold, const struct entry *entry, struct step_run *run)
{
    struct arena *const arena = fold->saga->arena;
    const struct json_view *const told = member_of(entry->detail, "effect");
    if (told == NULL) return;
    struct run_effect *const effect = arena_alloc(arena, sizeof(*effect));
    effect->amount = bytes_copy(arena, text_of(told, "amount"));
    effect->currency = bytes_copy(arena, text_of(told, "currency"));
    run->effect = effect;
}

static void effect_dispatched(struct fold *fold, const struct entry *entry, struct place *place)
{
    struct step_run *const run = place->run;
    (void)fold;
    run->deadline_at_ms = time_of(entry, "deadline_at");
    if (has(entry, "again")) return;
    run->next_attempt_at_ms = run->finished_at_ms = 0;
    if (run->started_at_ms == 0) run->started_at_ms = entry->given->at_ms;
    take_effect(fold, entry, run);
}

static void effect_progress(struct fold *fold, const struct entry *entry, struct place *place)
{
    (void)fold;
    place->run->deadline_at_ms = time_of(entry, "deadline_at");
}

static void effect_retry(struct fold *fold, const struct entry *entry, struct place *place)
{
    place->run->deadline_at_ms = 0;
    place->run->next_attempt_at_ms = time_of(entry, "next_attempt_at");
    /* What ended the attempts stays the step's error while whoever knows is asked. */
    if (entry->op == OP_PROBE && place->op_before == OP_PROBE) return;
    take_error(fold, entry, &place->run->error);
}

static void effect_succeeded(struct fold *fold, const struct entry *entry, struct place *place)
{
    close_run(entry, place->run);
    if (entry->op == OP_COMPENSATE) return;
    place->run->error = (struct saga_error){0};
    const struct bytes signal = text_of(entry->detail, "name");
    place->run->output =
        signal.data != NULL ? take_signal_payload(fold, signal) : take_payload(fold);
    if (has(entry, "items")) { /* a foreach over nothing */
        place->runs->count = 0;
        place->runs->expanded = true;
        if (place->run->started_at_ms == 0) place->run->started_at_ms = entry->given->at_ms;
    }
}

/* An output that breaks its schema is kept, for the undo to see; not of an attempt that is
 * followed. While a probe asks, none follows. */
static bool keeps_bad_output(const struct fold *fold, const struct entry *entry,
                             const struct place *place)
{
    const struct saga *const saga = fold->saga;
    const bool goes_on_trying = place->op_before == OP_ACTION &&
                                place->step->on_failure == ON_FAILURE_COMPENSATE &&
                                saga_direction(saga) == SAGA_RUNNING && saga_is_past_pivot(saga);
    return entry->op == OP_ACTION && is_type(entry, "step.unknown") &&
           says(entry, "code", "bad_output") && fold->payload.data != NULL && !goes_on_trying;
}

static void effect_failed(struct fold *fold, const struct entry *entry, struct place *place)
{
    close_run(entry, place->run);
    take_error(fold, entry, &place->run->error);
    if (keeps_bad_output(fold, entry, place)) place->run->output = take_payload(fold);
    place->note->started_loose |= entry->attempt == 0 && entry->op == OP_ACTION;
}

static void effect_skipped(struct fold *fold, const struct entry *entry, struct place *place)
{
    close_run(entry, place->run);
    take_error(fold, entry, &place->run->error);
    if (entry->op == OP_ACTION) place->run->output = take_payload(fold);
}

static void effect_none(struct fold *fold, const struct entry *entry, struct place *place)
{
    (void)fold;
    (void)entry;
    (void)place;
}

static const struct {
    const char *type;
    run_effect *effect;
} RUN_EFFECTS[] = {
    {"step.dispatched",      effect_dispatched},
    {"step.progress",        effect_progress  },
    {"step.pending",         effect_progress  },
    {"step.retry_scheduled", effect_retry     },
    {"step.succeeded",       effect_succeeded },
    {"step.failed",          effect_failed    },
    {"step.unknown",         effect_failed    },
    {"step.skipped",         effect_skipped   },
    {"step.ready",           effect_none      },
};

/* Without an index, of a step with items: those that were never sent. */
static void skip_unsent(struct fold *fold, struct place *place)
{
    fold->steps[place->step->position].skipped = true;
    for (uint32_t i = 0; i < place->runs->count; i++) {
        if (is_unsent(place->runs->run[i].state)) place->runs->run[i].state = STEP_SKIPPED;
    }
}

static bool fold_run(struct fold *fold, const struct entry *entry)
{
    struct place place;
    if (!find_place(fold, entry, &place)) return false;
    if (is_type(entry, "operator.command") || is_type(entry, "reply.ignored")) {
        /* The input that a retry brought is no output. */
        if (says(entry, "verb", "retry")) fold->payload = (struct bytes){0};
        return true;
    }
    if (is_type(entry, "step.signal_received")) {
        keep_signal(fold, entry);
        return true;
    }
    if (is_type(entry, "step.skipped") && has(entry, "items")) {
        skip_unsent(fold, &place);
        return true;
    }
    if (!count_attempt(fold, entry, &place)) return false;
    const bool again = has(entry, "again");
    if (!again && !move(fold, entry, place.run)) return false;
    place.op_before = place.run->op;
    run_face(place.run, entry->op);
    place.run->attempt = entry->attempt;
    place.note->seq = entry->given->seq;
    for (size_t i = 0; i < sizeof(RUN_EFFECTS) / sizeof(RUN_EFFECTS[0]); i++) {
        if (is_type(entry, RUN_EFFECTS[i].type)) RUN_EFFECTS[i].effect(fold, entry, &place);
    }
    fold->payload = (struct bytes){0};
    if (fold->saga->state == SAGA_STUCK) fold->error_known = false; /* another step may be blamed */
    return true;
}

/* ---- the saga ---- */

static struct saga_error *cause_of(struct saga *saga)
{
    return saga->state == SAGA_STUCK ? &saga->cause : &saga->error;
}

/* What is said besides tells cells of one entry apart. */
static bool find_saga_cell(const struct fold *fold, const struct entry *entry,
                           enum saga_state *ret_after)
{
    const struct bytes stated = text_of(entry->detail, "state");
    for (enum saga_event event = 0; event < SAGA_EVENT_COUNT; event++) {
        const struct saga_transition cell = saga_transition(fold->saga->state, event);
        if (cell.entry == NULL || !is_type(entry, cell.entry)) continue;
        if (stated.data != NULL && !bytes_equal_text(stated, saga_state_name(cell.after))) continue;
        *ret_after = cell.after;
        return true;
    }
    return false;
}

typedef void saga_effect(struct fold *fold, const struct entry *entry, enum saga_state before);

static void restart_deadline_at(struct fold *fold, int64_t at_ms)
{
    struct saga *const saga = fold->saga;
    if (saga->definition->timeout_ms == 0) return;
    saga->deadline_at_ms = at_ms + (int64_t)saga->definition->timeout_ms;
}

static void effect_started(struct fold *fold, const struct entry *entry, enum saga_state before)
{
    (void)before;
    fold->saga->started_at_ms = entry->given->at_ms;
    fold->saga->deadline_at_ms = time_of(entry, "deadline_at");
}

static void effect_queued(struct fold *fold, const struct entry *entry, enum saga_state before)
{
    (void)before;
    fold->saga->lock = LOCK_AWAITED;
    fold->saga->lock_key = bytes_copy(fold->saga->arena, text_of(entry->detail, "key"));
}

static void effect_granted(struct fold *fold, const struct entry *entry, enum saga_state before)
{
    (void)entry;
    (void)before;
    fold->saga->lock = LOCK_HELD;
}

static void effect_paused(struct fold *fold, const struct entry *entry, enum saga_state before)
{
    (void)before;
    fold->saga->paused = true;
    fold->saga->paused_by_timeout = says(entry, "reason", "on_timeout");
}

/* An operator's time is not the saga's: where it is over it begins anew. */
static void effect_resumed(struct fold *fold, const struct entry *entry, enum saga_state before)
{
    struct saga *const saga = fold->saga;
    const int64_t at_ms = entry->given->at_ms;
    const bool overdue = saga->deadline_at_ms != 0 && saga->deadline_at_ms <= at_ms;
    const bool won = says(entry, "reason", "the pivot succeeded: there is no way back");
    const bool by_timeout = saga->paused_by_timeout;
    if (won) {
        *cause_of(saga) = (struct saga_error){0};
        return;
    }
    if (before == SAGA_STUCK && saga->state != SAGA_STUCK) {
        saga->error = saga->cause;
        saga->cause = (struct saga_error){0};
        fold->error_known = saga->error.code[0] != '\0' || saga->definition->pivot < 0;
        if (saga->state == SAGA_RUNNING && overdue) restart_deadline_at(fold, at_ms);
        return;
    }
    saga->paused = saga->paused_by_timeout = false;
    if (says(entry, "reason", "cancelled")) return;
    if (says(entry, "reason", "an operator decided") ? overdue : by_timeout) {
        restart_deadline_at(fold, at_ms);
    }
}

static void effect_cancel(struct fold *fold, const struct entry *entry, enum saga_state before)
{
    (void)entry;
    (void)before;
    fold->saga->cancel_requested = true;
}

static void effect_overdue(struct fold *fold, const struct entry *entry, enum saga_state before)
{
    (void)entry;
    (void)before;
    fold->saga->attention |= ATTENTION_OVERDUE;
}

static void effect_turned(struct fold *fold, const struct entry *entry, enum saga_state before)
{
    struct saga *const saga = fold->saga;
    saga->attention &= ~(uint32_t)ATTENTION_OVERDUE;
    take_error(fold, entry, cause_of(saga));
    if (before != SAGA_STUCK) fold->error_known = true;
    if (before == SAGA_STUCK) saga->stuck_in = SAGA_COMPENSATING;
}

static void effect_stuck(struct fold *fold, const struct entry *entry, enum saga_state before)
{
    struct saga *const saga = fold->saga;
    saga->stuck_in = before;
    saga->cause = saga->error;
    take_error(fold, entry, &saga->error);
    fold->error_known = true;
}

static void effect_ended(struct fold *fold, const struct entry *entry, enum saga_state before)
{
    struct saga *const saga = fold->saga;
    (void)before;
    if (saga->state == SAGA_SUCCEEDED) {
        fold->error_known = true;
        saga->error = (struct saga_error){0};
        take_error(fold, entry, &saga->error);
        saga->output = entry->given->output;
    }
    for (struct run_walk walk = walk_of(saga); walk_on(&walk);) {
        if (is_unsent(walk.ref.run->state)) walk.ref.run->state = STEP_SKIPPED;
    }
    saga->finished_at_ms = entry->given->at_ms;
    saga->paused = saga->paused_by_timeout = false;
    release_lock(saga);
}

/* Where a turn to undo waited for the pivot, its cause came without an entry. */
static void effect_terminated(struct fold *fold, const struct entry *entry, enum saga_state before)
{
    fold->error_known = before == SAGA_COMPENSATING && fold->error_known;
    effect_ended(fold, entry, before);
}

static const struct {
    const char *type;
    saga_effect *effect;
} SAGA_EFFECTS[] = {
    {"saga.started",          effect_started   },
    {"saga.lock_queued",      effect_queued    },
    {"saga.lock_granted",     effect_granted   },
    {"saga.paused",           effect_paused    },
    {"saga.resumed",          effect_resumed   },
    {"saga.cancel_requested", effect_cancel    },
    {"saga.overdue",          effect_overdue   },
    {"saga.compensating",     effect_turned    },
    {"saga.stuck",            effect_stuck     },
    {"saga.succeeded",        effect_ended     },
    {"saga.compensated",      effect_ended     },
    {"saga.terminated",       effect_terminated},
};

static bool fold_saga(struct fold *fold, const struct entry *entry)
{
    struct saga *const saga = fold->saga;
    const enum saga_state before = saga->state;
    if (is_type(entry, "operator.command")) return true;
    if (is_type(entry, "step.signal_received")) {
        keep_signal(fold, entry);
        return true;
    }
    if (is_type(entry, "saga.migrated")) {
        const char *const wrong = fold_version(fold, entry->detail);
        return wrong == NULL || refuse(fold, entry, wrong);
    }
    if (is_type(entry, "saga.created")) {
        if (entry->given->seq != 1) return refuse(fold, entry, " is not the first entry");
        saga->created_at_ms = entry->given->at_ms;
        saga->start_at_ms = time_of(entry, "start_at");
        return true;
    }
    enum saga_state after = before;
    if (!find_saga_cell(fold, entry, &after)) {
        return refuse_in(fold, entry, saga_state_name(before));
    }
    saga->state = after;
    fold->saga_seq = entry->given->seq;
    for (size_t i = 0; i < sizeof(SAGA_EFFECTS) / sizeof(SAGA_EFFECTS[0]); i++) {
        if (is_type(entry, SAGA_EFFECTS[i].type)) {
            SAGA_EFFECTS[i].effect(fold, entry, before);
        }
    }
    return true;
}

/* ---- all of it ---- */

struct fold *fold_new(struct arena *arena, const struct definition *definition)
{
    struct fold *const fold = arena_alloc(arena, sizeof(*fold));
    fold->saga = saga_new(arena, definition);
    fold->error_known = definition->pivot < 0;
    fold->steps = fold_notes(arena, definition);
    return fold;
}

static bool follows(struct fold *fold, const struct fold_entry *given)
{
    const struct saga *const saga = fold->saga;
    if (given->seq != fold->seq + 1) {
        (void)snprintf(fold->why, sizeof(fold->why), "entry %u comes after entry %u", given->seq,
                       fold->seq);
        return false;
    }
    if (given->revision != saga->revision && given->revision != saga->revision + 1) {
        (void)snprintf(fold->why, sizeof(fold->why), "revision %u comes after revision %u",
                       given->revision, saga->revision);
        return false;
    }
    return true;
}

bool fold_add(struct fold *fold, const struct fold_entry *given)
{
    struct saga *const saga = fold->saga;
    struct entry entry;
    fold->why[0] = '\0';
    if (!follows(fold, given) || !read_entry(fold, given, &entry)) return false;
    if (given->payload.data != NULL) fold->payload = given->payload;
    if (given->revision > saga->revision) saga->updated_at_ms = given->at_ms;
    if (!(entry.step.data != NULL ? fold_run(fold, &entry) : fold_saga(fold, &entry))) return false;
    fold->seq = given->seq;
    saga->history_seq = given->seq;
    saga->revision = given->revision;
    saga->attention = attention_of(saga);
    return true;
}

void fold_finish(struct fold *fold)
{
    for (size_t i = 0; i < fold->saga->definition->step_count; i++) {
        if (fold->steps[i].width > 0) widen(fold, i, 0);
    }
}
