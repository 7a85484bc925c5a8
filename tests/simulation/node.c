/*
 * A node: load, decide, commit, publish, as the engine does, and able to die between any two of
 * them. The database of the model is a row and its history; the commit is a compare-and-set.
 */
#include "sagas/machine/codec.h"
#include "sagas/machine/migrate.h"
#include "tests/simulation/checks.h"

#include <stdlib.h>
#include <string.h>

enum { CONFLICTS_MAX = 4 };

int64_t node_now(const struct world *world, int node)
{
    return world->now_ms + world->node[node].clock_offset_ms;
}

bool row_is_open(const struct saga_row *row)
{
    return row->exists && !saga_is_finished(row->state);
}

/* ---- loading ---- */

static struct saga *new_saga(struct world *world, int saga_number, struct arena *arena)
{
    const struct saga_row *const row = &world->row[saga_number];
    struct saga *const saga = saga_new(arena, version_of(world, saga_number)->definition);
    saga->id = row->id;
    saga->input = row->input;
    saga->labels = BYTES("{}");
    saga->created_at_ms = row->created_at_ms;
    saga->start_at_ms = row->start_at_ms;
    return saga;
}

/* A planted bug: what was refused looks as if it had been done. */
static void mistake_refused(struct saga *saga)
{
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        for (uint32_t k = 0; k < saga->steps[i].count; k++) {
            struct step_run *const run = &saga->steps[i].run[k];
            if (run->state == STEP_FAILED && run->attempt > 0) run->state = STEP_SUCCEEDED;
        }
    }
}

/* Planted bugs of single runs. */
static void mistake_run(const struct world *world, const struct step *step, struct step_run *run)
{
    const bool held = run->state == STEP_UNKNOWN && step->on_unknown == ON_UNKNOWN_HOLD;
    const bool delays = run->state == STEP_DISPATCHED && step->kind == STEP_DELAY;
    if (world->mutant == MUTANT_DELAYS_DRIFT && delays) run->deadline_at_ms += 100;
    if (world->mutant == MUTANT_COUNTS_ANEW) run->attempts_aside = 0;
    if (world->mutant == MUTANT_RELEASES_HELD && held) run->state = STEP_FAILED;
    if (world->mutant == MUTANT_FORGETS_WORTH) run->effect = NULL;
}

static void mistake_runs(const struct world *world, struct saga *saga)
{
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        for (uint32_t k = 0; k < saga->steps[i].count; k++) {
            mistake_run(world, &saga->definition->steps[i], &saga->steps[i].run[k]);
        }
    }
}

struct saga *load_row(struct world *world, int saga_number, struct arena *arena)
{
    const struct saga_row *const row = &world->row[saga_number];
    struct saga *const saga = new_saga(world, saga_number, arena);
    const char *what = NULL;
    if (!saga_unpack(saga, row->packed, &what)) violate(world, "codec", "%s", what);
    for (const struct history_row *at = row->history; at != NULL; at = at->next) {
        if (at->payload.data != NULL || at->output.data != NULL) {
            saga_attach(saga, at->seq, at->payload, at->output);
        }
    }
    if (world->mutant == MUTANT_FORGETS_UNKNOWN) {
        for (size_t i = 0; i < saga->definition->step_count; i++) {
            for (uint32_t k = 0; k < saga->steps[i].count; k++) {
                saga->steps[i].run[k].unanswered = false;
            }
        }
    }
    if (world->mutant == MUTANT_MISTAKES_REFUSED) mistake_refused(saga);
    if (world->mutant == MUTANT_FORGETS_SIGNALS) saga->signal_count = 0;
    if (world->mutant >= MUTANT_DELAYS_DRIFT) mistake_runs(world, saga);
    if (world->mutant == MUTANT_FORGETS_LINE && saga->lock == LOCK_AWAITED) saga->lock = LOCK_HELD;
    return saga;
}

static void drop_cache(struct cached *cached)
{
    cached->saga = NULL;
    arena_reset(&cached->arena);
}

void drop_caches(struct world *world, int node)
{
    for (int i = 0; i < world->saga_count; i++) {
        drop_cache(&world->node[node].cache[i]);
    }
}

static struct saga *load(struct world *world, int node, int saga_number)
{
    struct cached *const cached = &world->node[node].cache[saga_number];
    if (cached->saga != NULL && chance(world, 70)) return cached->saga;
    drop_cache(cached);
    cached->saga = world->row[saga_number].exists ? load_row(world, saga_number, &cached->arena)
                                                  : new_saga(world, saga_number, &cached->arena);
    return cached->saga;
}

/* ---- the commit ---- */

static struct bytes keep(struct world *world, struct bytes bytes)
{
    return bytes.data == NULL ? bytes : bytes_copy(&world->arena, bytes);
}

static void commit_history(struct world *world, int node, struct saga_row *row,
                           const struct saga *saga, const struct decision *decision)
{
    struct history_row *const history = arena_alloc(&world->arena, sizeof(*history));
    history->seq = decision->history_first_seq;
    history->count = decision->history_count;
    history->revision = saga->revision;
    history->at_ms = node_now(world, node);
    history->entries = keep(world, decision->history);
    history->payload = keep(world, decision->payload);
    history->output = keep(world, decision->saga_output);
    *row->history_end = history;
    row->history_end = &history->next;
}

/* Nothing comes of it by itself. */
static bool asks_somebody(const struct saga *saga)
{
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        for (uint32_t k = 0; k < saga->steps[i].count; k++) {
            const struct step_run *const run = &saga->steps[i].run[k];
            if (run_waits(saga, i, k) && run->deadline_at_ms == 0) return true;
            if (run->state != STEP_UNKNOWN) continue;
            if (saga->definition->steps[i].on_unknown == ON_UNKNOWN_HOLD) return true;
        }
    }
    return false;
}

static int number_of(const struct world *world, const struct saga *saga)
{
    int number = 0;
    while (world->version[number].definition != saga->definition) {
        number++;
    }
    return number;
}

/*
 * False: somebody else was faster. What writes nothing is checked as well: a node that answers from
 * memory must know that its memory is the newest.
 */
static bool commit(struct world *world, int node, int saga_number, const struct saga *saga,
                   const struct decision *decision, struct bytes *ret_line)
{
    struct saga_row *const row = &world->row[saga_number];
    const uint32_t before = saga->revision - (decision->verdict == VERDICT_APPLIED ? 1 : 0);
    const bool newest =
        row->revision == before && row->history_seq + 1 == decision->history_first_seq;
    if (!newest && world->mutant != MUTANT_NO_CAS) return false;
    if (decision->history.data == NULL) return true;
    commit_history(world, node, row, saga, decision);
    if (world->mutant == MUTANT_TORN_COMMIT && row->exists && fault(world, 20)) return true;
    struct buffer packed = buffer_in(&world->arena);
    saga_pack(saga, &packed);
    row->exists = true;
    if (world->mutant != MUTANT_FORGETS_VERSION) row->version = number_of(world, saga);
    row->state = saga->state;
    row->paused = saga->paused;
    row->asks = asks_somebody(saga);
    row->revision = saga->revision;
    row->history_seq = saga->history_seq;
    row->due_at_ms = saga_next_due_ms(saga);
    row->owner = node;
    row->packed = buffer_bytes(&packed);
    const bool moves = lines_change(world, saga_number, saga);
    if (moves) *ret_line = row->line.key;
    return true;
}

static void set_timer(struct world *world, int node, int saga_number)
{
    struct saga_row *const row = &world->row[saga_number];
    if (row->due_at_ms == 0) return;
    row->wake = ++world->wakes;
    schedule(world, row->due_at_ms - node_now(world, node),
             (struct happening){.kind = HAPPENS_WAKE,
                                .node = node,
                                .wake = row->wake,
                                .record = {.saga = saga_number}});
}

/* ---- dying ---- */

void node_crashes(struct world *world, int node)
{
    world->node[node].up = false;
    drop_caches(world, node);
    trace(world, "node %d dies", node);
    schedule(world, 1 + (int64_t)below(world, 2000),
             (struct happening){.kind = HAPPENS_RESTART, .node = node});
}

void node_restarts(struct world *world, int node)
{
    world->node[node].up = true;
    trace(world, "node %d is back", node);
    for (int i = 0; i < world->saga_count; i++) {
        if (!row_is_open(&world->row[i]) || world->row[i].owner != node) continue;
        set_timer(world, node, i);
        node_handles(world, node, i,
                     &(struct event){.kind = EVENT_RESEND, .step = -1, .index = INDEX_NONE}, NULL);
        if (!world->node[node].up) return;
    }
}

bool node_releases(struct world *world, int saga_number)
{
    struct saga_row *const row = &world->row[saga_number];
    if (!row->held || !row_is_open(row)) return true;
    if (!world->node[row->owner].up) return false;
    row->held = false;
    counters[COUNT_TOPIC_RELEASES]++;
    set_timer(world, row->owner, saga_number);
    node_handles(world, row->owner, saga_number,
                 &(struct event){.kind = EVENT_RESEND,
                                 .step = -1,
                                 .index = INDEX_NONE,
                                 .name = BYTES("t"),
                                 .held = true},
                 NULL);
    return true;
}

static bool dies(struct world *world, int node, const struct happening *again, enum counter counter)
{
    if (!fault(world, 6)) return false;
    counters[counter]++;
    node_crashes(world, node);
    if (again != NULL) schedule(world, 1 + (int64_t)below(world, 3000), *again);
    return true;
}

/* ---- one event ---- */

static enum verdict decide(struct world *world, int node, struct saga *saga,
                           const struct event *event, struct decision *ret_decision)
{
    struct decide_context context = {
        .now_ms = node_now(world, node),
        .random = &world->random,
        .arena = &world->scratch,
    };
    const struct bytes topic = BYTES("t");
    if (event->kind == EVENT_TIMER && world->stands && world->mutant != MUTANT_TIME_RUNS) {
        context.held_topics = &topic;
        context.held_topic_count = 1;
    }
    if (world->mutant == MUTANT_EARLY_TIMER && event->kind == EVENT_TIMER) context.now_ms += 20;
    saga_decide(saga, event, &context, ret_decision);
    counters[COUNT_EVENTS]++;
    return ret_decision->verdict;
}

static struct saga *copy_of(struct world *world, const struct saga *saga, int saga_number)
{
    struct buffer packed = buffer_in(&world->scratch);
    struct saga *const copy = new_saga(world, saga_number, &world->scratch);
    const char *what = NULL;
    saga_pack(saga, &packed);
    if (!saga_unpack(copy, buffer_bytes(&packed), &what)) violate(world, "codec", "%s", what);
    return copy;
}

static void count_verdict(const struct event *event, const struct decision *decision)
{
    const bool verb = event->kind >= EVENT_CANCEL;
    const bool applied = decision->verdict == VERDICT_APPLIED;
    if (verb) counters[applied ? COUNT_VERBS_APPLIED : COUNT_VERBS_REFUSED]++;
    if (event->kind == EVENT_RESEND && decision->command_count > 0) counters[COUNT_RESENDS]++;
    if (event->kind == EVENT_BAD_REPLY) counters[COUNT_BAD_REPLIES]++;
    if (event->kind != EVENT_REPLY) return;
    if (decision->verdict == VERDICT_DUPLICATE) counters[COUNT_DUPLICATE]++;
    if (decision->verdict == VERDICT_LATE) counters[COUNT_LATE]++;
    if (decision->verdict == VERDICT_ILLEGAL) counters[COUNT_ILLEGAL_REPLIES]++;
}

/* Checks compare step by step: what was before, as it would stand in the version that it got. */
static void migrate_copy(struct world *world, struct saga *before, const struct event *event)
{
    struct migration_plan plan;
    migration_plan(before->definition, event->migration->to, NULL, 0, &world->scratch, &plan);
    migration_apply(&plan, before);
}

enum attempt_result { ATTEMPT_DONE, ATTEMPT_CONFLICT };

/* What it recorded, or why nothing. */
static const char *shown(struct world *world, const struct decision *decision)
{
    const char *what = NULL;
    struct buffer json = buffer_in(&world->scratch);
    if (decision->history.data == NULL) return decision->why;
    if (!history_write_json(decision->history, &json, &what)) return what;
    return json.data;
}

static enum attempt_result try_once(struct world *world, int node, int saga_number,
                                    const struct event *event, const struct happening *again)
{
    struct saga *const saga = load(world, node, saga_number);
    struct saga *const before = copy_of(world, saga, saga_number);
    struct decision decision;
    struct bytes line = {0}; /* that has changed */
    decide(world, node, saga, event, &decision);
    if (dies(world, node, again, COUNT_CRASHES_BEFORE_COMMIT)) {
        if (world->mutant == MUTANT_EARLY_PUBLISH) transport_sends(world, saga_number, &decision);
        return ATTEMPT_DONE;
    }
    if (decision.verdict != VERDICT_APPLIED) check_unchanged(world, before, saga, &decision);
    if (!commit(world, node, saga_number, saga, &decision, &line)) {
        drop_cache(&world->node[node].cache[saga_number]);
        counters[COUNT_CONFLICTS]++;
        return ATTEMPT_CONFLICT;
    }
    trace(world, "node %d at %lld: %s step %d[%d] attempt %u of saga %d -> %s %s", node,
          (long long)node_now(world, node), event_kind_name(event->kind), event->step, event->index,
          event->attempt, saga_number, verdict_name(decision.verdict), shown(world, &decision));
    count_verdict(event, &decision);
    if (event->kind == EVENT_MIGRATE && decision.verdict == VERDICT_APPLIED) {
        migrate_copy(world, before, event);
    }
    if (event->kind == EVENT_TIMER && world->stands) world->row[saga_number].held = true;
    if (decision.history.data != NULL) set_timer(world, node, saga_number);
    check_decision(world, &(struct decided){.node = node,
                                            .number = saga_number,
                                            .before = before,
                                            .after = saga,
                                            .event = event,
                                            .decision = &decision});
    if (chance(world, 3)) check_why(world, saga, node);
    if (dies(world, node, again, COUNT_CRASHES_BEFORE_PUBLISH)) return ATTEMPT_DONE;
    transport_sends(world, saga_number, &decision);
    if (line.data != NULL) lines_settle(world, node, line);
    (void)dies(world, node, again, COUNT_CRASHES_AFTER_PUBLISH);
    return ATTEMPT_DONE;
}

void node_handles(struct world *world, int node, int saga_number, const struct event *event,
                  const struct happening *again)
{
    for (int i = 0; i < CONFLICTS_MAX; i++) {
        arena_reset(&world->scratch);
        if (try_once(world, node, saga_number, event, again) == ATTEMPT_DONE) return;
    }
    violate(world, "S3", "saga %d: a fresh copy lost the compare-and-set", saga_number);
}
