/*
 * Signals, delays, probes and holds: each signal counts once, the oldest first, whether it came
 * before its wait or after it; a delay ends in its time; who is asked, and who decides.
 */
#include "tests/simulation/checks.h"

#include <string.h>

/* ---- words ---- */

/* It has succeeded, whatever became of it in the same decision. */
static bool is_done(enum step_state state)
{
    return state == STEP_SUCCEEDED || state >= STEP_COMPENSATING;
}

static const struct step_run *old_run(const struct decided *decided, size_t step, uint32_t k)
{
    static const struct step_run NONE;
    const struct step_runs *const old = &decided->before->steps[step];
    return has_items(old) == has_items(&decided->after->steps[step]) ? &old->run[k] : &NONE;
}

static bool is_named(const struct decided *decided, size_t step, uint32_t k, enum event_kind kind)
{
    const struct event *const event = decided->event;
    return event->kind == kind && event->step == (int)step &&
           run_named(decided->after, event->step, event->index) ==
               &decided->after->steps[step].run[k];
}

static bool was_undoing(const struct saga *saga)
{
    return saga->state == SAGA_COMPENSATING ||
           (saga->state == SAGA_STUCK && saga->stuck_in == SAGA_COMPENSATING);
}

/* ---- the event ---- */

static const struct told_signal *find_told(const struct saga_row *row, uint32_t key)
{
    for (uint32_t i = 0; i < row->told_count; i++) {
        if (key != 0 && row->told[i].key == key) return &row->told[i];
    }
    return NULL;
}

static unsigned number_of(struct bytes name)
{
    unsigned number = 0;
    while (!bytes_equal(signal_name(number), name)) {
        number++;
    }
    return number;
}

static bool is_awaited(const struct saga *saga, struct bytes name)
{
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        const struct step *const step = &saga->definition->steps[i];
        if (step->kind == STEP_SIGNAL && bytes_equal(step->signal->name, name)) return true;
    }
    return false;
}

static enum verdict verdict_of(const struct decided *decided, const struct saga_row *row,
                               uint32_t key)
{
    const struct saga *const before = decided->before;
    if (!is_awaited(before, decided->event->name)) return VERDICT_UNKNOWN;
    if (find_told(row, key) != NULL) return VERDICT_DUPLICATE;
    if (saga_is_finished(before->state) || was_undoing(before)) return VERDICT_ILLEGAL;
    return VERDICT_APPLIED;
}

static void check_signal(struct world *world, const struct decided *decided)
{
    const struct event *const event = decided->event;
    struct saga_row *const row = &world->row[decided->number];
    const uint32_t key = event->key.data == NULL ? 0 : event->key_digest[0];
    const enum verdict wanted = verdict_of(decided, row, key);
    const enum verdict found = decided->decision->verdict;
    if (found != wanted) {
        violate(world, "signals", "saga %d says %s to a signal that is %s", decided->number,
                verdict_name(found), verdict_name(wanted));
    }
    if (found == VERDICT_DUPLICATE) counters[COUNT_SIGNALS_AGAIN]++;
    if (found == VERDICT_ILLEGAL) counters[COUNT_SIGNALS_REFUSED]++;
    if (found == VERDICT_UNKNOWN) counters[COUNT_SIGNALS_UNKNOWN]++;
    if (found != VERDICT_APPLIED) return;
    if (row->told_count == SIGNALS_TOLD_MAX) violate(world, "signals", "too many are told");
    row->told[row->told_count++] = (struct told_signal){
        .name = number_of(event->name),
        .key = key,
        .payload = bytes_copy(&world->arena, event->payload),
    };
}

/* ---- who took it ---- */

static struct told_signal *untaken(struct saga_row *row, unsigned name, struct bytes payload)
{
    for (uint32_t i = 0; i < row->told_count; i++) {
        struct told_signal *const told = &row->told[i];
        if (!told->taken && told->name == name && bytes_equal(told->payload, payload)) return told;
    }
    return NULL;
}

/* All that were told before it are taken too. */
static void check_oldest(struct world *world, int number, const struct told_signal *taken)
{
    const struct saga_row *const row = &world->row[number];
    for (const struct told_signal *told = row->told; told < taken; told++) {
        if (told->name != taken->name || told->taken) continue;
        violate(world, "signals", "saga %d took a signal before an older one", number);
    }
}

static void check_taken(struct world *world, const struct decided *decided, size_t i, uint32_t k)
{
    const struct step *const step = &decided->after->definition->steps[i];
    const struct step_run *const old = old_run(decided, i, k);
    const struct step_run *const new = &decided->after->steps[i].run[k];
    if (is_done(old->state) || !is_done(new->state)) return;
    if (is_named(decided, i, k, EVENT_STEP_COMPLETE)) return;
    if (new->output.data == NULL) {
        const int64_t late_ms = node_now(world, decided->node) - old->deadline_at_ms;
        if (step->signal->continues_on_timeout && old->deadline_at_ms != 0 && late_ms >= 0) return;
        violate(world, "signals", "saga %d: step %zu[%u] goes on without its signal",
                decided->number, i, k);
    }
    struct told_signal *const told =
        untaken(&world->row[decided->number], number_of(step->signal->name), new->output);
    if (told == NULL) {
        violate(world, "signals", "saga %d: step %zu[%u] took a signal twice, or none",
                decided->number, i, k);
    }
    told->taken = true;
    ledger_of_run(world, decided, i, k)->output = told->payload;
    counters[decided->event->kind == EVENT_SIGNAL ? COUNT_SIGNALS_AWAITED : COUNT_SIGNALS_EARLY]++;
}

static void check_left(struct world *world, const struct decided *decided)
{
    const struct saga *const after = decided->after;
    const struct saga_row *const row = &world->row[decided->number];
    for (uint32_t t = 0; t < row->told_count; t++) {
        const struct told_signal *const told = &row->told[t];
        if (told->taken) {
            check_oldest(world, decided->number, told);
            continue;
        }
        for (size_t i = 0; i < after->definition->step_count; i++) {
            const struct step *const step = &after->definition->steps[i];
            if (step->kind != STEP_SIGNAL || number_of(step->signal->name) != told->name) continue;
            for (uint32_t k = 0; k < after->steps[i].count; k++) {
                if (!run_waits(after, i, k)) continue;
                violate(world, "signals", "saga %d: step %zu[%u] waits for a signal that came",
                        decided->number, i, k);
            }
        }
    }
}

/* ---- delays ---- */

static void check_delay(struct world *world, const struct decided *decided, size_t i, uint32_t k)
{
    const struct delay *const delay = decided->after->definition->steps[i].delay;
    const struct step_run *const old = old_run(decided, i, k);
    const struct step_run *const new = &decided->after->steps[i].run[k];
    struct ledger *const ledger = ledger_of_run(world, decided, i, k);
    const int64_t now_ms = node_now(world, decided->node);
    if (run_waits(decided->after, i, k)) {
        if (ledger->due_at_ms == 0) {
            ledger->due_at_ms = new->deadline_at_ms;
            counters[COUNT_DELAYS]++;
            if (delay->for_ms > 0 && new->deadline_at_ms != now_ms + (int64_t)delay->for_ms) {
                violate(world, "delays", "saga %d: step %zu has another duration", decided->number,
                        i);
            }
        }
        if (new->deadline_at_ms != ledger->due_at_ms) {
            violate(world, "delays", "saga %d: the end of step %zu moves", decided->number, i);
        }
        return;
    }
    const bool ends = !is_done(old->state) && is_done(new->state) &&
                      !is_named(decided, i, k, EVENT_STEP_COMPLETE);
    if (ends && (ledger->due_at_ms > now_ms || (delay->for_ms > 0 && ledger->due_at_ms == 0))) {
        violate(world, "delays", "saga %d: step %zu is over too early", decided->number, i);
    }
    ledger->due_at_ms = 0;
}

/* ---- probes and holds ---- */

static void check_probe(struct world *world, const struct decided *decided, size_t i, uint32_t k)
{
    const struct step_run *const old = old_run(decided, i, k);
    const struct step_run *const new = &decided->after->steps[i].run[k];
    const struct event *const event = decided->event;
    const bool asked = old->op == OP_PROBE;
    const bool could_not_ask = strcmp(new->error.code, "expression_error") == 0;
    if (asked && new->state == STEP_UNKNOWN) counters[COUNT_PROBES_IN_VAIN]++;
    if (!asked && new->op == OP_PROBE && was_undoing(decided->after)) {
        counters[COUNT_PROBES_GOING_BACK]++;
    }
    const bool is_bad = strcmp(new->error.code, "bad_output") == 0; /* what it did is known */
    if (!asked && old->state != STEP_UNKNOWN && new->state == STEP_UNKNOWN && !could_not_ask &&
        !is_bad && event->kind != EVENT_TERMINATE) {
        violate(world, "probes", "saga %d: step %zu is unknown and nobody was asked",
                decided->number, i);
    }
    if (!asked || event->kind != EVENT_REPLY || event->op != OP_PROBE ||
        decided->decision->verdict != VERDICT_APPLIED || event->step != (int)i) {
        return;
    }
    if (event->outcome == OUTCOME_SUCCESS) counters[COUNT_PROBES_DONE]++;
    if (event->outcome == OUTCOME_FAILURE) counters[COUNT_PROBES_NEVER_RAN]++;
}

static void check_hold(struct world *world, const struct decided *decided, size_t i, uint32_t k)
{
    const struct step_run *const old = old_run(decided, i, k);
    const struct step_run *const new = &decided->after->steps[i].run[k];
    const bool held = (decided->after->attention & ATTENTION_HELD) != 0;
    if (new->state == STEP_UNKNOWN && !held && !saga_is_finished(decided->after->state)) {
        violate(world, "holds", "saga %d: step %zu is held and asks for nobody", decided->number,
                i);
    }
    if (old->state != STEP_UNKNOWN && new->state == STEP_UNKNOWN) counters[COUNT_HELD]++;
    if (old->state == STEP_UNKNOWN && new->state != STEP_UNKNOWN && !is_operator(decided->event)) {
        violate(world, "holds", "saga %d: step %zu was held and is %s", decided->number, i,
                step_state_name(new->state));
    }
}

/* ---- all of it ---- */

static void check_run(struct world *world, const struct decided *decided, size_t i, uint32_t k)
{
    const struct step *const step = &decided->after->definition->steps[i];
    if (step->kind == STEP_SIGNAL) check_taken(world, decided, i, k);
    if (step->kind == STEP_DELAY) check_delay(world, decided, i, k);
    if (step->on_unknown == ON_UNKNOWN_PROBE) check_probe(world, decided, i, k);
    if (step->on_unknown == ON_UNKNOWN_HOLD) check_hold(world, decided, i, k);
}

void check_waits(struct world *world, const struct decided *decided)
{
    if (decided->event->kind == EVENT_SIGNAL) check_signal(world, decided);
    if (decided->decision->verdict != VERDICT_APPLIED) return;
    for (size_t i = 0; i < decided->after->definition->step_count; i++) {
        for (uint32_t k = 0; k < decided->after->steps[i].count; k++) {
            check_run(world, decided, i, k);
        }
    }
    check_left(world, decided);
}
