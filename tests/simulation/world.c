/* The clock of the model, who does what next, and the end of the faults. */
#include "tests/simulation/world.h"
#include "sagas/machine/migrate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    START_MS = 1700000000,
    FAULTS_LAST_MS = 12000,
    TOPIC_STANDS_MS = 15000,
    SWEEP_MS = 2000,
    SECOND_VERSION_AFTER_MS = 2500,
    CONVERGE_MS =
        4 * 60 * 60 * 1000, /* L1: every saga has ended by then, or waits for an operator */
    PATIENT_ROUNDS = 4,
    ROUNDS_MAX = 120, /* of the operator that clears up */
};

uint64_t counters[COUNTER_COUNT];

/* ---- chance ---- */

uint64_t below(struct world *world, uint64_t limit)
{
    return random_next(&world->random) % limit;
}

bool chance(struct world *world, unsigned percent)
{
    return below(world, 100) < percent;
}

bool healed(const struct world *world)
{
    return world->now_ms >= world->heal_at_ms;
}

bool fault(struct world *world, unsigned per_mille)
{
    return !healed(world) && below(world, 1000) < per_mille;
}

/* ---- telling ---- */

void trace(const struct world *world, const char *format, ...)
{
    if (!world->traces) return;
    va_list args;
    va_start(args, format);
    (void)printf("%8lld  ", (long long)(world->now_ms - START_MS));
    (void)vprintf(format, args);
    (void)printf("\n");
    va_end(args);
}

void violate(const struct world *world, const char *invariant, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fflush(stdout);
    (void)fprintf(stderr, "VIOLATION of %s: ", invariant);
    (void)vfprintf(stderr, format, args);
    (void)fprintf(stderr,
                  "\nseed %llu, mutant %d, %lld ms after the start; again, with a trace: "
                  "simulation --seed %llu --worlds 1 --trace\n",
                  (unsigned long long)world->seed, world->mutant,
                  (long long)(world->now_ms - START_MS), (unsigned long long)world->seed);
    va_end(args);
    exit(1);
}

const struct version *version_of(const struct world *world, int saga)
{
    return &world->version[world->row[saga].version];
}

struct ledger *ledger_of(struct world *world, int saga, uint16_t step, int32_t index)
{
    return &world->row[saga].ledger[step][index + 1];
}

/* ---- what happens next: a heap by time, then by order ---- */

static bool is_sooner(const struct happening *a, const struct happening *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void schedule(struct world *world, int64_t in_ms, struct happening happening)
{
    if (world->heap_count == world->heap_room) {
        const size_t room = world->heap_room == 0 ? 256 : world->heap_room * 2;
        struct happening *const heap = arena_array(&world->arena, room, sizeof(*heap));
        if (world->heap_count > 0) memcpy(heap, world->heap, world->heap_count * sizeof(*heap));
        world->heap = heap;
        world->heap_room = room;
    }
    happening.at_ms = world->now_ms + (in_ms > 0 ? in_ms : 0);
    happening.order = world->order++;
    size_t at = world->heap_count++;
    while (at > 0 && is_sooner(&happening, &world->heap[(at - 1) / 2])) {
        world->heap[at] = world->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->heap[at] = happening;
}

static struct happening take_next(struct world *world)
{
    const struct happening next = world->heap[0];
    const struct happening last = world->heap[--world->heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= world->heap_count) break;
        if (child + 1 < world->heap_count &&
            is_sooner(&world->heap[child + 1], &world->heap[child])) {
            child++;
        }
        if (!is_sooner(&world->heap[child], &last)) break;
        world->heap[at] = world->heap[child];
        at = child;
    }
    world->heap[at] = last;
    return next;
}

/* ---- the kinds of happening ---- */

/* The node that a saga's records come to; after a rebalance it is the other one. */
static int some_node(struct world *world, int saga)
{
    const int usual = saga % NODES;
    const int node = chance(world, 88) ? usual : (usual + 1) % NODES;
    if (world->node[node].up) return node;
    return world->node[(node + 1) % NODES].up ? (node + 1) % NODES : -1;
}

static void put_off(struct world *world, const struct happening *happening)
{
    schedule(world, 200, *happening);
}

static void start(struct world *world, const struct happening *happening)
{
    const int node = some_node(world, happening->record.saga);
    struct saga_row *const row = &world->row[happening->record.saga];
    if (node < 0) {
        put_off(world, happening);
        return;
    }
    if (row->exists) return; /* the caller's retry finds it */
    row->created_at_ms = node_now(world, node);
    row->first_version = row->version = world->now_ms < START_MS + SECOND_VERSION_AFTER_MS ? 0 : 1;
    if (chance(world, 10)) row->start_at_ms = row->created_at_ms + (int64_t)below(world, 3000);
    node_handles(
        world, node, happening->record.saga,
        &(struct event){
            .kind = EVENT_START, .step = -1, .index = INDEX_NONE, .held = chance(world, 2)},
        happening);
}

static struct event reply_event(const struct record *reply)
{
    return (struct event){
        .kind = reply->malformed ? EVENT_BAD_REPLY : EVENT_REPLY,
        .step = reply->step,
        .index = reply->index,
        .op = reply->op,
        .attempt = reply->attempt,
        .outcome = reply->outcome,
        .delay_stated = reply->delay_stated,
        .delay_ms = reply->delay_ms,
        .code = bytes_of(reply->code),
        .payload = reply->payload,
    };
}

static void take_reply(struct world *world, const struct happening *happening)
{
    const struct record *const reply = &happening->record;
    const int node = some_node(world, reply->saga);
    if (node < 0) {
        put_off(world, happening);
        return;
    }
    struct event event = reply_event(reply);
    if (fault(world, 4)) { /* nonsense with a good token, as after a restored backup */
        event.attempt += 3;
        event.op = (enum op)below(world, OPS);
        if (event.op != reply->op && event.outcome == OUTCOME_SUCCESS) {
            ledger_of(world, reply->saga, reply->step, reply->index)->tainted = true;
        }
    }
    node_handles(world, node, reply->saga, &event, happening);
}

static void take_command(struct world *world, const struct happening *happening)
{
    const struct record *const command = &happening->record;
    const struct ledger *const ledger =
        ledger_of(world, command->saga, command->step, command->index);
    if (ledger->attempts_committed[command->op] < command->attempt) {
        violate(world, "S7", "saga %d step %u[%d]: %s attempt %u came without a commit",
                command->saga, command->step, command->index, op_name(command->op),
                command->attempt);
    }
    participant_takes(world, command);
}

static void fire_timer(struct world *world, int node, int saga)
{
    node_handles(world, node, saga,
                 &(struct event){.kind = EVENT_TIMER, .step = -1, .index = INDEX_NONE}, NULL);
}

static void wake(struct world *world, const struct happening *happening)
{
    struct saga_row *const row = &world->row[happening->record.saga];
    const int node = happening->node;
    if (world->mutant == MUTANT_LOST_TIMER && chance(world, 30)) return;
    if (row->wake != happening->wake || !world->node[node].up || row->due_at_ms == 0) return;
    const int64_t early_ms = row->due_at_ms - node_now(world, node);
    if (early_ms > 0) { /* the clock has jumped back */
        schedule(world, early_ms, *happening);
        return;
    }
    fire_timer(world, node, happening->record.saga);
}

static void sweep(struct world *world, const struct happening *happening)
{
    const int node = happening->node;
    schedule(world, SWEEP_MS, *happening);
    if (world->node[node].up) lines_sweep(world, node);
    if (world->mutant == MUTANT_LOST_TIMER) return;
    for (int i = 0; i < world->saga_count && world->node[node].up; i++) {
        const struct saga_row *const row = &world->row[i];
        if (row->due_at_ms != 0 && row->due_at_ms + SWEEP_MS <= node_now(world, node)) {
            fire_timer(world, node, i);
        }
    }
}

static void jump(struct world *world, const struct happening *happening)
{
    struct node *const node = &world->node[happening->node];
    counters[COUNT_CLOCK_JUMPS]++;
    node->clock_offset_ms += (int64_t)below(world, 40000) - 20000;
    if (chance(world, 10)) node->clock_offset_ms += chance(world, 50) ? 600000 : -600000;
    trace(world, "clock of node %d is off by %lld ms", happening->node,
          (long long)node->clock_offset_ms);
}

/* ---- signals ---- */

static void take_signal(struct world *world, const struct happening *happening)
{
    const struct record *const record = &happening->record;
    const int node = some_node(world, record->saga);
    if (node < 0 || !world->row[record->saga].exists) {
        put_off(world, happening);
        return;
    }
    struct event event = {
        .kind = EVENT_SIGNAL,
        .step = -1,
        .index = INDEX_NONE,
        .name = signal_name(record->step),
        .payload = record->payload,
        .actor = BYTES("key:sim"),
    };
    if (record->attempt != 0) event.key = BYTES("key");
    event.key_digest[0] = (uint8_t)record->attempt;
    node_handles(world, node, record->saga, &event, happening);
}

static struct record make_signal(struct world *world, int saga, unsigned name, uint32_t key)
{
    struct buffer payload = buffer_in(&world->arena);
    buffer_add_format(&payload, "{\"v\" : %u.50, \"told\":%llu}", (unsigned)below(world, 60),
                      (unsigned long long)world->order);
    return (struct record){.saga = saga,
                           .step = (uint16_t)name,
                           .attempt = key,
                           .index = INDEX_NONE,
                           .payload = buffer_bytes(&payload)};
}

static void make_signals(struct world *world, int saga, int64_t start_in_ms)
{
    const struct definition *const definition = world->version[0].definition;
    for (uint64_t n = below(world, 5); n > 0; n--) {
        unsigned name = (unsigned)below(world, SIGNAL_NAMES);
        if (!definition_waits_for(definition, signal_name(name)) && chance(world, 90)) continue;
        if (chance(world, 3)) name = SIGNAL_NAMES;
        const struct record record = make_signal(world, saga, name, (uint32_t)below(world, 8));
        schedule(world, start_in_ms + (int64_t)below(world, 5000),
                 (struct happening){.kind = HAPPENS_SIGNAL, .record = record});
    }
}

/* ---- operators ---- */

static void taint(struct world *world, int saga, const struct event *event)
{
    if (event->kind == EVENT_STEP_SKIP || event->kind == EVENT_STEP_COMPLETE ||
        event->kind == EVENT_STEP_FAIL) {
        ledger_of(world, saga, (uint16_t)event->step, event->index)->tainted = true;
    }
}

static void operate(struct world *world, int saga, struct event event)
{
    const int node = some_node(world, saga);
    if (node < 0 || !world->row[saga].exists) return;
    event.actor = BYTES("key:sim");
    event.reason = BYTES("why not");
    if (event.kind == EVENT_STEP_COMPLETE) event.payload = BYTES("{\"v\":50.5}");
    const uint32_t revision = world->row[saga].revision;
    node_handles(world, node, saga, &event, NULL);
    if (world->row[saga].revision > revision && event.step >= 0) taint(world, saga, &event);
}

static void operate_at_random(struct world *world, const struct happening *happening)
{
    const int saga = happening->record.saga;
    const struct definition *const definition = version_of(world, saga)->definition;
    struct event event = {
        .kind = EVENT_CANCEL + (enum event_kind)below(world, EVENT_KIND_COUNT - EVENT_CANCEL),
        .step = -1,
        .index = INDEX_NONE,
    };
    if (event.kind == EVENT_TERMINATE && chance(world, 70)) event.kind = EVENT_PAUSE;
    if (event.kind >= EVENT_STEP_RETRY) {
        event.step = (int)below(world, definition->step_count);
        if (definition->steps[event.step].foreach != NULL) {
            event.index = (int32_t)below(world, ITEMS_MAX + 1) - 1;
        }
    }
    operate(world, saga, event);
    if (event.kind == EVENT_PAUSE) {
        struct happening end = *happening;
        end.wake = EVENT_RESUME;
        schedule(world, (int64_t)below(world, 3000), end);
    }
}

static void take_operator(struct world *world, const struct happening *happening)
{
    if (happening->wake == 0) {
        operate_at_random(world, happening);
    } else {
        operate(world, happening->record.saga,
                (struct event){
                    .kind = (enum event_kind)happening->wake, .step = -1, .index = INDEX_NONE});
    }
}

/* The checks know steps by their place, which those of the second version do not keep. */
static void take_migration(struct world *world, const struct happening *happening)
{
    const int saga = happening->record.saga;
    const int before = world->row[saga].version;
    if (before == 1) return;
    const struct migration migration = {.to = world->version[NEXT_VERSION].definition};
    operate(world, saga,
            (struct event){
                .kind = EVENT_MIGRATE, .step = -1, .index = INDEX_NONE, .migration = &migration});
    counters[world->row[saga].version != before ? COUNT_MIGRATED : COUNT_MIGRATIONS_REFUSED]++;
}

/* ---- the topic ---- */

static void pause_topic(struct world *world, const struct happening *happening)
{
    world->stands = true;
    trace(world, "the topic is paused");
    schedule(world, (int64_t)happening->wake, (struct happening){.kind = HAPPENS_RELEASE});
}

static void release_topic(struct world *world, const struct happening *happening)
{
    bool all = true;
    world->stands = false;
    trace(world, "the topic goes on");
    for (int i = 0; i < world->saga_count; i++) {
        all = node_releases(world, i) && all;
    }
    if (!all) schedule(world, SWEEP_MS, *happening);
}

static void happen(struct world *world, const struct happening *happening)
{
    world->now_ms = happening->at_ms;
    switch (happening->kind) {
    case HAPPENS_START: start(world, happening); break;
    case HAPPENS_COMMAND: take_command(world, happening); break;
    case HAPPENS_JOB: participant_ends_job(world, &happening->record); break;
    case HAPPENS_REPLY: take_reply(world, happening); break;
    case HAPPENS_WAKE: wake(world, happening); break;
    case HAPPENS_SWEEP: sweep(world, happening); break;
    case HAPPENS_RESTART: node_restarts(world, happening->node); break;
    case HAPPENS_CRASH:
        if (world->node[happening->node].up) node_crashes(world, happening->node);
        break;
    case HAPPENS_JUMP: jump(world, happening); break;
    case HAPPENS_OPERATOR: take_operator(world, happening); break;
    case HAPPENS_SIGNAL: take_signal(world, happening); break;
    case HAPPENS_MIGRATION: take_migration(world, happening); break;
    case HAPPENS_TURN: lines_tell(world, happening); break;
    case HAPPENS_PAUSE: pause_topic(world, happening); break;
    case HAPPENS_RELEASE: release_topic(world, happening); break;
    }
}

/* ---- the end: faults are over, everything has to come to rest ---- */

static bool waits_for_operator(const struct saga_row *row)
{
    if (!row->exists || !row_is_open(row)) return false;
    return row->state == SAGA_STUCK || row->paused || (row->asks && row->due_at_ms == 0);
}

static bool all_at_rest(const struct world *world)
{
    for (int i = 0; i < world->saga_count; i++) {
        const struct saga_row *const row = &world->row[i];
        if (!row->exists) return false;
        if (row_is_open(row) && !waits_for_operator(row) && !waits_for_another(world, row)) {
            return false;
        }
    }
    return true;
}

/* Records that are still under way may come, too: late ones must do no harm. */
static bool is_quiet(const struct world *world)
{
    for (size_t i = 0; i < world->heap_count; i++) {
        if (world->heap[i].kind != HAPPENS_SWEEP && world->heap[i].kind != HAPPENS_WAKE) {
            return false;
        }
    }
    return true;
}

static void converge(struct world *world)
{
    const int64_t until_ms = world->now_ms + CONVERGE_MS;
    while (!all_at_rest(world) || !is_quiet(world)) {
        if (world->now_ms > until_ms) {
            for (int i = 0; i < world->saga_count; i++) {
                const struct saga_row *const row = &world->row[i];
                if (row_is_open(row) && !waits_for_operator(row) &&
                    !waits_for_another(world, row)) {
                    violate(world, "L1", "saga %d is %s and nothing comes of it; due in %lld ms", i,
                            saga_state_name(row->state),
                            (long long)(row->due_at_ms - world->now_ms));
                }
            }
            violate(world, "L1", "records are still under way");
        }
        const struct happening next = take_next(world);
        happen(world, &next);
    }
}

/* Skip what failed and waits for somebody to say so; what must not be skipped is done by hand. */
static void skip_failed(struct world *world, int saga)
{
    struct arena arena = {0};
    const struct saga *const state = load_row(world, saga, &arena);
    for (size_t i = 0; i < state->definition->step_count; i++) {
        const struct step_runs *const runs = &state->steps[i];
        for (uint32_t k = 0; k < runs->count; k++) {
            const enum step_state at = runs->run[k].state;
            if (at != STEP_COMPENSATION_FAILED && at != STEP_FAILED && at != STEP_UNKNOWN) continue;
            const int32_t index = runs->expanded ? (int32_t)k : INDEX_NONE;
            const uint32_t revision = world->row[saga].revision;
            operate(world, saga,
                    (struct event){.kind = EVENT_STEP_SKIP, .step = (int)i, .index = index});
            if (at != STEP_UNKNOWN || world->row[saga].revision > revision) continue;
            operate(world, saga,
                    (struct event){.kind = EVENT_STEP_COMPLETE, .step = (int)i, .index = index});
        }
    }
    arena_done(&arena);
}

/* What is held is decided, what is waited for comes. */
static void decide_held(struct world *world, int saga)
{
    static const enum event_kind VERBS[] = {EVENT_STEP_RETRY, EVENT_STEP_SKIP, EVENT_STEP_COMPLETE,
                                            EVENT_STEP_FAIL};
    struct arena arena = {0};
    const struct saga *const state = load_row(world, saga, &arena);
    for (size_t i = 0; i < state->definition->step_count; i++) {
        const struct step_runs *const runs = &state->steps[i];
        if (state->definition->steps[i].on_unknown != ON_UNKNOWN_HOLD) continue;
        for (uint32_t k = 0; k < runs->count; k++) {
            if (runs->run[k].state != STEP_UNKNOWN) continue;
            operate(world, saga,
                    (struct event){.kind = VERBS[below(world, 4)],
                                   .step = (int)i,
                                   .index = runs->expanded ? (int32_t)k : INDEX_NONE});
        }
    }
    arena_done(&arena);
    for (unsigned name = 0; name < SIGNAL_NAMES; name++) {
        const struct record record = make_signal(world, saga, name, 0);
        take_signal(world, &(struct happening){.kind = HAPPENS_SIGNAL, .record = record});
    }
}

/* An operator who clears up: resume what is paused, retry what is stuck; in the end skip or cancel.
 */
static bool clear_up(struct world *world, int saga, int round)
{
    const struct saga_row *const row = &world->row[saga];
    const struct event patient = {
        .kind = row->paused ? EVENT_RESUME : EVENT_RETRY, .step = -1, .index = INDEX_NONE};
    const struct event cancel = {.kind = EVENT_CANCEL, .step = -1, .index = INDEX_NONE};
    const uint32_t revision = row->revision;
    if (!waits_for_operator(row)) return false;
    if (row->state != SAGA_STUCK && !row->paused) {
        decide_held(world, saga);
        return true;
    }
    if (round < PATIENT_ROUNDS) operate(world, saga, patient);
    if (row->revision == revision) skip_failed(world, saga);
    if (row->revision == revision) operate(world, saga, cancel);
    if (row->revision == revision) operate(world, saga, patient);
    return true;
}

static void settle(struct world *world)
{
    converge(world);
    for (int round = 0; round < ROUNDS_MAX; round++) {
        bool waiting = false;
        for (int i = 0; i < world->saga_count; i++) {
            waiting |= clear_up(world, i, round);
        }
        if (!waiting) return;
        converge(world);
    }
    for (int i = 0; i < world->saga_count; i++) {
        if (waits_for_operator(&world->row[i])) {
            violate(world, "L1", "saga %d is %s whatever the operator does", i,
                    saga_state_name(world->row[i].state));
        }
    }
}

/* ---- one world ---- */

static void make_sagas(struct world *world)
{
    world->saga_count = SAGAS_MAX;
    for (int i = 0; i < world->saga_count; i++) {
        struct saga_row *const row = &world->row[i];
        row->history_end = &row->history;
        row->input = make_input(world);
        uint8_t random[10];
        for (size_t k = 0; k < sizeof(random); k++) {
            random[k] = (uint8_t)random_next(&world->random);
        }
        row->id = uuid_v7(world->now_ms, random);
        for (size_t s = 0; s < STEPS_MAX; s++) {
            for (size_t k = 0; k <= ITEMS_MAX; k++) {
                row->ledger[s][k].refuses = chance(world, 7);
            }
        }
        const struct record record = {.saga = i, .index = INDEX_NONE};
        const int64_t start_in_ms = (int64_t)below(world, 4000);
        schedule(world, start_in_ms, (struct happening){.kind = HAPPENS_START, .record = record});
        make_signals(world, i, start_in_ms);
        for (uint64_t n = below(world, 4); n > 0 && chance(world, 60); n--) {
            schedule(world, start_in_ms + (int64_t)below(world, 2500),
                     (struct happening){.kind = HAPPENS_OPERATOR, .record = record});
        }
        if (chance(world, 25)) {
            schedule(world, start_in_ms + (int64_t)below(world, 4000),
                     (struct happening){.kind = HAPPENS_MIGRATION, .record = record});
        }
    }
}

/* By a generator of its own: what else happens in a world does not depend on it. */
static void make_pause(struct world *world)
{
    uint64_t own = world->seed ^ UINT64_C(0x746f706963);
    if (random_next(&own) % 100 >= 40) return;
    const int64_t in_ms = (int64_t)(random_next(&own) % FAULTS_LAST_MS);
    schedule(
        world, in_ms,
        (struct happening){.kind = HAPPENS_PAUSE, .wake = 1 + random_next(&own) % TOPIC_STANDS_MS});
}

static void make_faults(struct world *world)
{
    make_pause(world);
    for (int node = 0; node < NODES; node++) {
        schedule(world, 500 + node * SWEEP_MS / NODES,
                 (struct happening){.kind = HAPPENS_SWEEP, .node = node});
        for (uint64_t n = below(world, 3); n > 0; n--) {
            schedule(world, (int64_t)below(world, FAULTS_LAST_MS),
                     (struct happening){.kind = HAPPENS_CRASH, .node = node});
        }
        for (uint64_t n = below(world, 4); n > 0 && chance(world, 60); n--) {
            schedule(world, (int64_t)below(world, FAULTS_LAST_MS),
                     (struct happening){.kind = HAPPENS_JUMP, .node = node});
        }
    }
}

void run_world(uint64_t seed, enum mutant mutant, bool traces)
{
    struct world *const world = calloc(1, sizeof(*world));
    if (world == NULL) abort();
    world->seed = world->random = seed;
    world->mutant = mutant;
    world->traces = traces;
    world->now_ms = START_MS;
    world->heal_at_ms = START_MS + FAULTS_LAST_MS;
    for (int node = 0; node < NODES; node++) {
        world->node[node].up = true;
    }
    make_version(world, &world->version[0]);
    make_version(world, &world->version[1]);
    make_next_version(world, &world->version[0], &world->version[NEXT_VERSION]);
    for (int i = 0; i < VERSIONS; i++) {
        world->version[i].definition->version = (uint32_t)i + 1;
    }
    make_sagas(world);
    make_faults(world);
    while (!healed(world)) {
        const struct happening next = take_next(world);
        happen(world, &next);
    }
    settle(world);
    check_end(world);

    for (int i = 0; i < VERSIONS; i++) {
        definition_free(world->version[i].definition);
    }
    for (int node = 0; node < NODES; node++) {
        for (int i = 0; i < SAGAS_MAX; i++) {
            arena_done(&world->node[node].cache[i].arena);
        }
    }
    arena_done(&world->arena);
    arena_done(&world->scratch);
    free(world);
}
