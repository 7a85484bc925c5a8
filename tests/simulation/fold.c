/*
 * The state of a saga computed again from its history alone, and which cells of the tables
 * were seen on the way.
 */
#include "sagas/machine/fold.h"
#include "sagas/machine/tables.h"
#include "tests/simulation/world.h"

#include <stdio.h>
#include <string.h>

struct folded_run {
    enum step_state state;
    enum op op;
    uint32_t attempt;
};

struct folded {
    const struct definition *definition;
    enum saga_state state;
    bool paused;
    struct folded_run run[STEPS_MAX][ITEMS_MAX + 1];
};

static bool saga_cells[SAGA_STATE_COUNT][SAGA_EVENT_COUNT];
static bool run_cells[STEP_STATE_COUNT][RUN_EVENT_COUNT];

/* ---- reading an entry ---- */

struct entry {
    struct bytes type;
    const struct json_view *step;
    int32_t index;
    enum op op;
    bool has_attempt;
    uint32_t attempt;
    const struct json_view *detail;
};

static const struct json_view *detail_member(const struct entry *entry, const char *name)
{
    return entry->detail == NULL ? NULL : json_view_member(entry->detail, name);
}

static bool detail_is(const struct entry *entry, const char *name, const char *text)
{
    const struct json_view *const member = detail_member(entry, name);
    return member != NULL && bytes_equal_text(member->string, text);
}

static struct entry read_entry(const struct json_view *view)
{
    struct entry entry = {.index = INDEX_NONE};
    int64_t number = 0;
    for (const struct json_view *at = view->child; at != NULL; at = at->next) {
        if (bytes_equal_text(at->key, "type")) entry.type = at->string;
        if (bytes_equal_text(at->key, "step")) entry.step = at;
        if (bytes_equal_text(at->key, "detail")) entry.detail = at;
        if (bytes_equal_text(at->key, "op") && bytes_equal_text(at->string, "compensate")) {
            entry.op = OP_COMPENSATE;
        }
        if (bytes_equal_text(at->key, "op") && bytes_equal_text(at->string, "probe")) {
            entry.op = OP_PROBE;
        }
        if (bytes_equal_text(at->key, "index") && json_view_int64(at, &number)) {
            entry.index = (int32_t)number;
        }
        if (bytes_equal_text(at->key, "attempt") && json_view_int64(at, &number)) {
            entry.has_attempt = true;
            entry.attempt = (uint32_t)number;
        }
    }
    return entry;
}

/* ---- entries of the saga ---- */

static const struct {
    const char *type;
    enum saga_state state;
} SAGA_ENDS[] = {
    {"saga.succeeded",   SAGA_SUCCEEDED  },
    {"saga.compensated", SAGA_COMPENSATED},
    {"saga.terminated",  SAGA_TERMINATED },
};

/* Entries of one type can come from several cells: what is said besides tells them apart. */
static bool is_of(const struct entry *entry, enum saga_event event, enum saga_state after)
{
    const bool unblocked = detail_is(entry, "reason", "no step needs an operator any more");
    const bool won = detail_is(entry, "reason", "the pivot succeeded: there is no way back");
    const bool by_rule =
        detail_member(entry, "reason") != NULL && !detail_is(entry, "reason", "why not");
    switch ((int)event) {
    case SAGA_UNBLOCKED_AHEAD:
    case SAGA_UNBLOCKED_BACK: return unblocked && detail_is(entry, "state", saga_state_name(after));
    case SAGA_PIVOT_WON: return won;
    case SAGA_RESUME: return !unblocked && !won;
    case SAGA_HOLD: return by_rule;
    case SAGA_PAUSE: return !by_rule;
    default: return true;
    }
}

static void see_saga_cell(struct world *world, enum saga_state state, const struct entry *entry)
{
    bool seen = false;
    for (enum saga_event event = SAGA_GO; event < SAGA_EVENT_COUNT; event++) {
        const struct saga_transition cell = saga_transition(state, event);
        if (cell.entry == NULL || !bytes_equal_text(entry->type, cell.entry)) continue;
        if (!is_of(entry, event, cell.after)) continue;
        saga_cells[state][event] = seen = true;
    }
    if (!seen) {
        violate(world, "S4", "%s in state %s is in no table", entry->type.data,
                saga_state_name(state));
    }
}

static void end_all(struct folded *folded)
{
    folded->paused = false;
    for (size_t i = 0; i < STEPS_MAX; i++) {
        for (size_t k = 0; k <= ITEMS_MAX; k++) {
            if (folded->run[i][k].state == STEP_WAITING || folded->run[i][k].state == STEP_READY) {
                folded->run[i][k].state = STEP_SKIPPED;
            }
        }
    }
}

static void fold_saga_entry(struct world *world, struct folded *folded, const struct entry *entry)
{
    if (bytes_equal_text(entry->type, "saga.created") ||
        bytes_equal_text(entry->type, "step.signal_received")) {
        return;
    }
    see_saga_cell(world, folded->state, entry);
    for (size_t i = 0; i < sizeof(SAGA_ENDS) / sizeof(SAGA_ENDS[0]); i++) {
        if (!bytes_equal_text(entry->type, SAGA_ENDS[i].type)) continue;
        folded->state = SAGA_ENDS[i].state;
        end_all(folded);
    }
    if (bytes_equal_text(entry->type, "saga.started")) folded->state = SAGA_RUNNING;
    if (bytes_equal_text(entry->type, "saga.stuck")) folded->state = SAGA_STUCK;
    if (bytes_equal_text(entry->type, "saga.paused")) folded->paused = true;
    if (bytes_equal_text(entry->type, "saga.compensating") && folded->state != SAGA_STUCK) {
        folded->state = SAGA_COMPENSATING;
    }
    if (bytes_equal_text(entry->type, "saga.resumed")) {
        (void)saga_state_parse(detail_member(entry, "state")->string, &folded->state);
        folded->paused = detail_member(entry, "paused") != NULL;
    }
}

/* ---- entries of a run ---- */

struct run_rule {
    const char *type;
    enum op op;
    enum step_state state;
};

static const struct run_rule RUN_RULES[] = {
    {"step.dispatched",      OP_ACTION,     STEP_DISPATCHED          },
    {"step.retry_scheduled", OP_ACTION,     STEP_RETRYING            },
    {"step.progress",        OP_ACTION,     STEP_DISPATCHED          },
    {"step.pending",         OP_ACTION,     STEP_DISPATCHED          },
    {"step.succeeded",       OP_ACTION,     STEP_SUCCEEDED           },
    {"step.failed",          OP_ACTION,     STEP_FAILED              },
    {"step.unknown",         OP_ACTION,     STEP_UNKNOWN             },
    {"step.skipped",         OP_ACTION,     STEP_SKIPPED             },
    {"step.ready",           OP_ACTION,     STEP_READY               },
    {"step.dispatched",      OP_COMPENSATE, STEP_COMPENSATING        },
    {"step.retry_scheduled", OP_COMPENSATE, STEP_COMPENSATING        },
    {"step.progress",        OP_COMPENSATE, STEP_COMPENSATING        },
    {"step.pending",         OP_COMPENSATE, STEP_COMPENSATING        },
    {"step.succeeded",       OP_COMPENSATE, STEP_COMPENSATED         },
    {"step.failed",          OP_COMPENSATE, STEP_COMPENSATION_FAILED },
    {"step.skipped",         OP_COMPENSATE, STEP_COMPENSATION_SKIPPED},
    {"step.dispatched",      OP_PROBE,      STEP_DISPATCHED          },
    {"step.retry_scheduled", OP_PROBE,      STEP_RETRYING            },
    {"step.progress",        OP_PROBE,      STEP_DISPATCHED          },
    {"step.pending",         OP_PROBE,      STEP_DISPATCHED          },
};

static bool is_unsent(enum step_state state)
{
    return state == STEP_WAITING || state == STEP_READY;
}

static bool see_run_cell(enum step_state state, const struct entry *entry, enum step_state after)
{
    bool seen = false;
    for (enum run_event event = RUN_REACHED; event < RUN_EVENT_COUNT; event++) {
        const struct run_transition cell = run_transition(state, event);
        if (cell.entry == NULL || !bytes_equal_text(entry->type, cell.entry)) continue;
        if (cell.after != after && !(is_unsent(cell.after) && is_unsent(after))) continue;
        run_cells[state][event] = seen = true;
    }
    return seen;
}

/* Without an index, of a step with items: those that were never sent. */
static void skip_unsent(struct folded *folded, int step)
{
    for (size_t k = 1; k <= ITEMS_MAX; k++) {
        if (is_unsent(folded->run[step][k].state)) folded->run[step][k].state = STEP_SKIPPED;
    }
}

static void fold_run_entry(struct world *world, struct folded *folded, const struct entry *entry)
{
    const int step = definition_find_step(folded->definition, entry->step->string);
    struct folded_run *const run = &folded->run[step][entry->index + 1];
    const bool again = detail_member(entry, "again") != NULL;
    if (bytes_equal_text(entry->type, "operator.command") ||
        bytes_equal_text(entry->type, "reply.ignored") ||
        bytes_equal_text(entry->type, "step.signal_received") || again) {
        return;
    }
    if (bytes_equal_text(entry->type, "step.skipped") && detail_member(entry, "items") != NULL) {
        skip_unsent(folded, step);
        return;
    }
    for (size_t i = 0; i < sizeof(RUN_RULES) / sizeof(RUN_RULES[0]); i++) {
        const struct run_rule *const rule = &RUN_RULES[i];
        if (rule->op != entry->op || !bytes_equal_text(entry->type, rule->type)) continue;
        bool legal = see_run_cell(run->state, entry, rule->state);
        if (is_unsent(run->state)) {
            legal |= see_run_cell(STEP_READY, entry, rule->state);
            legal |= see_run_cell(STEP_WAITING, entry, rule->state);
        }
        if (!legal) {
            violate(world, "S4", "%s in state %s is in no table", entry->type.data,
                    step_state_name(run->state));
        }
        run->state = rule->state;
        if (run->op != entry->op) run->attempt = 0;
        run->op = entry->op;
        if (entry->has_attempt) run->attempt = entry->attempt;
        return;
    }
    violate(world, "S3", "an entry of type %s", entry->type.data);
}

/* ---- counting ---- */

static const struct {
    const char *type;
    int op; /* -1: any */
    enum counter counter;
    const char *member, *value; /* of the detail; NULL: any */
} COUNTED[] = {
    {"step.failed",           OP_ACTION,     COUNT_REFUSALS,          "code",   "refused"                                  },
    {"step.retry_scheduled",  -1,            COUNT_RETRIES,           NULL,     NULL                                       },
    {"step.retry_scheduled",  -1,            COUNT_STATED_DELAYS,     "stated", NULL                                       },
    {"step.retry_scheduled",  -1,            COUNT_TIMEOUTS,          "code",   "timeout"                                  },
    {"step.failed",           -1,            COUNT_NEVER_ON,          "code",   "hopeless"                                 },
    {"step.failed",           -1,            COUNT_EXPRESSION_ERRORS, "code",   "expression_error"                         },
    {"step.unknown",          -1,            COUNT_BAD_OUTPUTS,       "code",   "bad_output"                               },
    {"step.progress",         -1,            COUNT_PROGRESS,          NULL,     NULL                                       },
    {"step.pending",          -1,            COUNT_PENDING,           NULL,     NULL                                       },
    {"step.unknown",          -1,            COUNT_UNKNOWN,           NULL,     NULL                                       },
    {"step.succeeded",        OP_COMPENSATE, COUNT_COMPENSATIONS,     NULL,     NULL                                       },
    {"step.succeeded",        OP_COMPENSATE, COUNT_NOTHING_TO_UNDO,   "reason", "nothing to undo"                          },
    {"step.skipped",          OP_COMPENSATE, COUNT_WAIVED,            NULL,     NULL                                       },
    {"step.skipped",          OP_ACTION,     COUNT_SKIPPED,           NULL,     NULL                                       },
    {"saga.stuck",            -1,            COUNT_STUCK,             NULL,     NULL                                       },
    {"saga.paused",           -1,            COUNT_PAUSED,            NULL,     NULL                                       },
    {"saga.cancel_requested", -1,            COUNT_CANCELLED,         NULL,     NULL                                       },
    {"saga.compensating",     -1,            COUNT_SAGA_TIMEOUTS,     "code",   "saga_timeout"                             },
    {"saga.overdue",          -1,            COUNT_OVERDUE,           NULL,     NULL                                       },
    {"step.skipped",          OP_ACTION,     COUNT_WAITS_DROPPED,     "reason", "the saga is being undone"                 },
    {"step.succeeded",        OP_ACTION,     COUNT_SIGNALS_MISSED,    "reason",
     "the signal did not come in time"                                                                                     },
    {"saga.resumed",          -1,            COUNT_PIVOT_WON,         "reason", "the pivot succeeded: there is no way back"},
};

static void count_entry(const struct entry *entry)
{
    for (size_t i = 0; i < sizeof(COUNTED) / sizeof(COUNTED[0]); i++) {
        if (!bytes_equal_text(entry->type, COUNTED[i].type)) continue;
        if (COUNTED[i].op >= 0 && COUNTED[i].op != (int)entry->op) continue;
        if (COUNTED[i].member != NULL && detail_member(entry, COUNTED[i].member) == NULL) continue;
        if (COUNTED[i].value != NULL && !detail_is(entry, COUNTED[i].member, COUNTED[i].value)) {
            continue;
        }
        counters[COUNTED[i].counter]++;
    }
}

/* ---- all of it ---- */

static void fold_row(struct world *world, struct folded *folded, const struct history_row *row,
                     struct arena *arena)
{
    const struct json_view *view = NULL;
    struct json_error error;
    struct buffer json = buffer_in(arena);
    const char *what = NULL;
    if (!history_write_json(row->entries, &json, &what)) {
        violate(world, "S3", "history: %s", what);
    }
    if (!json_view_parse(buffer_bytes(&json), arena, &view, &error)) {
        violate(world, "S3", "history is no JSON: %s", json.data);
    }
    if (view->count != row->count) {
        violate(world, "S3", "a row of %u entries says %u", view->count, row->count);
    }
    for (const struct json_view *at = view->child; at != NULL; at = at->next) {
        const struct entry entry = read_entry(at);
        count_entry(&entry);
        if (entry.step != NULL) {
            fold_run_entry(world, folded, &entry);
        } else if (!bytes_equal_text(entry.type, "operator.command") &&
                   !bytes_equal_text(entry.type, "saga.migrated")) {
            fold_saga_entry(world, folded, &entry);
        }
    }
}

static void compare(struct world *world, int number, const struct saga *saga,
                    const struct folded *folded)
{
    if (folded->state != saga->state || folded->paused != saga->paused) {
        violate(world, "S3", "saga %d is %s, its history says %s", number,
                saga_state_name(saga->state), saga_state_name(folded->state));
    }
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        const struct step_runs *const runs = &saga->steps[i];
        for (uint32_t k = 0; k < runs->count; k++) {
            const struct folded_run *const run = &folded->run[i][runs->expanded ? k + 1 : 0];
            const struct step_run *const is = &runs->run[k];
            if (run->state == is->state && run->attempt == is->attempt && run->op == is->op) {
                continue;
            }
            violate(world, "S3", "saga %d step %zu[%u] is %s, attempt %u; its history says %s, %u",
                    number, i, k, step_state_name(is->state), is->attempt,
                    step_state_name(run->state), run->attempt);
        }
    }
}

/* ---- the product's own fold ---- */

struct told {
    struct world *world;
    int number;
};

static void tell_difference(void *context, const struct fold_difference *difference)
{
    const struct told *const told = context;
    violate(told->world, "S3", "saga %d %s[%d].%s is %.*s, its fold says %.*s, by entry %u",
            told->number, difference->step != NULL ? difference->step->id.data : "",
            difference->index, difference->member, (int)difference->stated.size,
            difference->stated.data, (int)difference->folded.size, difference->folded.data,
            difference->seq);
}

static void fold_row_too(struct world *world, int number, struct fold *fold,
                         const struct history_row *row, struct arena *arena)
{
    struct buffer json = buffer_in(arena);
    const struct json_view *view = NULL;
    struct json_error error;
    const char *what = NULL;
    uint32_t seq = row->seq;
    if (!history_write_json(row->entries, &json, &what) ||
        !json_view_parse(buffer_bytes(&json), arena, &view, &error)) {
        return; /* told by the other fold */
    }
    for (const struct json_view *at = view->child; at != NULL; at = at->next) {
        const bool first = seq == row->seq;
        const struct fold_entry entry = {
            .seq = seq++,
            .revision = row->revision,
            .at_ms = row->at_ms,
            .entry = at,
            .payload = first ? row->payload : (struct bytes){0},
            .output = row->output,
        };
        if (!fold_add(fold, &entry)) {
            violate(world, "S3", "saga %d entry %u: %s", number, entry.seq, fold->why);
        }
    }
}

static void check_fold(struct world *world, int number, const struct saga *saga)
{
    struct arena arena = {0};
    struct told told = {world, number};
    const struct definition *versions[VERSIONS];
    for (int i = 0; i < VERSIONS; i++) {
        versions[i] = world->version[i].definition;
    }
    struct fold *const fold = fold_new(&arena, versions[world->row[number].first_version]);
    fold_versions(fold, versions, VERSIONS);
    for (const struct history_row *row = world->row[number].history; row != NULL; row = row->next) {
        fold_row_too(world, number, fold, row, &arena);
    }
    if (fold->saga->definition != saga->definition) {
        violate(world, "S13", "saga %d has version %u, its history ends with %u", number,
                saga->definition->version, fold->saga->definition->version);
    }
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        if (saga->steps[i].expanded) fold_width(fold, i, saga->steps[i].count);
    }
    (void)fold_compare(fold, saga, &arena, tell_difference, &told);
    arena_done(&arena);
}

void check_history(struct world *world, int number, const struct saga *saga)
{
    check_fold(world, number, saga);
    struct folded folded = {.definition = saga->definition, .state = SAGA_PENDING};
    uint32_t seq = 0;
    uint32_t revision = 0;
    struct arena arena = {0};
    for (const struct history_row *row = world->row[number].history; row != NULL; row = row->next) {
        if (row->seq != seq + 1 || (row->revision != revision && row->revision != revision + 1)) {
            violate(world, "S3", "saga %d: row %u of revision %u after row %u of revision %u",
                    number, row->seq, row->revision, seq, revision);
        }
        seq = row->seq + row->count - 1;
        revision = row->revision;
        fold_row(world, &folded, row, &arena);
    }
    if (seq != saga->history_seq || revision != saga->revision) {
        violate(world, "S3", "saga %d is at revision %u, its history at %u", number, saga->revision,
                revision);
    }
    compare(world, number, saga, &folded);
    arena_done(&arena);
}

/*
 * Too rare to wait for; tests/unit/test_machine_pause.c and test_machine_values.c show them: an
 * item reopened and not yet sent when the saga turns (and who is asked about one then), and an
 * expression that fails where it held before.
 */
static bool is_rare(enum step_state state, enum run_event event)
{
    return (event == RUN_NO_ANSWER && (state == STEP_READY || state == STEP_UNKNOWN)) ||
           (event == RUN_PROBE && state == STEP_READY);
}

size_t report_unseen_cells(void)
{
    size_t unseen = 0;
    for (enum saga_state state = SAGA_PENDING; state < SAGA_STATE_COUNT; state++) {
        for (enum saga_event event = SAGA_GO; event < SAGA_EVENT_COUNT; event++) {
            const char *const entry = saga_transition(state, event).entry;
            if (entry == NULL || entry[0] == '\0' || saga_cells[state][event]) continue;
            (void)printf("never seen: saga %s, %s\n", saga_state_name(state),
                         saga_event_name(event));
            unseen++;
        }
    }
    for (enum step_state state = STEP_WAITING; state < STEP_STATE_COUNT; state++) {
        for (enum run_event event = RUN_REACHED; event < RUN_EVENT_COUNT; event++) {
            const char *const entry = run_transition(state, event).entry;
            if (entry == NULL || entry[0] == '\0' || run_cells[state][event]) continue;
            if (is_rare(state, event)) continue;
            (void)printf("never seen: step %s, %s\n", step_state_name(state),
                         run_event_name(event));
            unseen++;
        }
    }
    return unseen;
}
