/* What every decision must keep: S3, S4, S8, S10, S13. Nothing here trusts the core. */
#include "tests/simulation/checks.h"

#include "sagas/machine/codec.h"

#include <string.h>

#define SET(state) (1U << (state))

/* Where one event may bring a saga or a run from where it stood. */
static const unsigned SAGA_REACHES[SAGA_STATE_COUNT] = {
    [SAGA_PENDING] = ~0U,
    [SAGA_RUNNING] = ~0U & ~SET(SAGA_PENDING),
    [SAGA_COMPENSATING] =
        SET(SAGA_COMPENSATING) | SET(SAGA_COMPENSATED) | SET(SAGA_STUCK) | SET(SAGA_TERMINATED),
    [SAGA_STUCK] = ~0U & ~SET(SAGA_PENDING),
    [SAGA_SUCCEEDED] = SET(SAGA_SUCCEEDED),
    [SAGA_COMPENSATED] = SET(SAGA_COMPENSATED),
    [SAGA_TERMINATED] = SET(SAGA_TERMINATED),
};

enum {
    UNDO_STATES = 1U << STEP_COMPENSATING | 1U << STEP_COMPENSATED |
                  1U << STEP_COMPENSATION_FAILED | 1U << STEP_COMPENSATION_SKIPPED,
};

static const unsigned RUN_REACHES[STEP_STATE_COUNT] = {
    [STEP_WAITING] = ~0U & ~(unsigned)UNDO_STATES,
    [STEP_READY] = ~0U & ~SET(STEP_WAITING),
    [STEP_DISPATCHED] = ~0U & ~(SET(STEP_WAITING) | SET(STEP_READY) | SET(STEP_SKIPPED)),
    [STEP_RETRYING] = ~0U & ~(SET(STEP_WAITING) | SET(STEP_READY)),
    [STEP_SUCCEEDED] = SET(STEP_SUCCEEDED) | UNDO_STATES,
    [STEP_FAILED] = SET(STEP_FAILED) | SET(STEP_READY) | SET(STEP_WAITING) | SET(STEP_DISPATCHED) |
                    SET(STEP_SUCCEEDED) | SET(STEP_SKIPPED) | UNDO_STATES,
    [STEP_UNKNOWN] = SET(STEP_UNKNOWN) | SET(STEP_READY) | SET(STEP_DISPATCHED) |
                     SET(STEP_RETRYING) | SET(STEP_SUCCEEDED) | SET(STEP_SKIPPED) | UNDO_STATES,
    [STEP_SKIPPED] = SET(STEP_SKIPPED),
    [STEP_COMPENSATING] = UNDO_STATES,
    [STEP_COMPENSATED] = SET(STEP_COMPENSATED),
    [STEP_COMPENSATION_FAILED] =
        SET(STEP_COMPENSATION_FAILED) | SET(STEP_COMPENSATING) | SET(STEP_COMPENSATION_SKIPPED),
    [STEP_COMPENSATION_SKIPPED] = SET(STEP_COMPENSATION_SKIPPED),
};

/* ---- words ---- */

bool is_operator(const struct event *event)
{
    return event->kind >= EVENT_CANCEL || event->kind == EVENT_MIGRATE;
}

bool has_items(const struct step_runs *runs)
{
    return runs->expanded && runs->count > 0;
}

const struct step_run *run_named(const struct saga *saga, int step, int32_t index)
{
    const struct step_runs *const runs = &saga->steps[step];
    if (index == INDEX_NONE) return has_items(runs) ? NULL : &runs->run[0];
    return has_items(runs) && (uint32_t)index < runs->count ? &runs->run[index] : NULL;
}

bool run_waits(const struct saga *saga, size_t step, uint32_t k)
{
    const struct step_run *const run = &saga->steps[step].run[k];
    return step_only_waits(&saga->definition->steps[step]) && run->op == OP_ACTION &&
           run->state == STEP_DISPATCHED;
}

struct ledger *ledger_of_run(struct world *world, const struct decided *decided, size_t step,
                             uint32_t k)
{
    const bool items = has_items(&decided->after->steps[step]);
    return ledger_of(world, decided->number, (uint16_t)step, items ? (int32_t)k : INDEX_NONE);
}

/* ---- S4 ---- */

/* A wait is dropped, or was over at once and undone; an operator says that a held step failed. */
static bool is_exception(const struct decided *decided, const struct step *step,
                         const struct step_run *old, const struct step_run *new)
{
    const bool drops =
        step_only_waits(step) && old->state == STEP_DISPATCHED && new->state == STEP_SKIPPED;
    const bool was_short = step_only_waits(step) && old->state == STEP_WAITING;
    const bool fails = step->on_unknown == ON_UNKNOWN_HOLD && old->state == STEP_UNKNOWN &&
                       new->state == STEP_FAILED && decided->event->kind == EVENT_STEP_FAIL;
    return drops || was_short || fails;
}

static void check_runs(struct world *world, const struct decided *decided, size_t i)
{
    const struct step *const step = &decided->after->definition->steps[i];
    const struct step_runs *const old = &decided->before->steps[i];
    const struct step_runs *const new = &decided->after->steps[i];
    if (has_items(old) != has_items(new)) return;
    for (uint32_t k = 0; k < new->count; k++) {
        if (RUN_REACHES[old->run[k].state] & SET(new->run[k].state)) continue;
        if (is_exception(decided, step, &old->run[k], &new->run[k])) continue;
        violate(world, "S4", "saga %d step %zu[%u] went from %s to %s", decided->number, i, k,
                step_state_name(old->run[k].state), step_state_name(new->run[k].state));
    }
}

static void check_states(struct world *world, const struct decided *decided)
{
    const enum saga_state old = decided->before->state;
    const enum saga_state new = decided->after->state;
    if ((SAGA_REACHES[old] & SET(new)) == 0) {
        violate(world, "S4", "saga %d went from %s to %s", decided->number, saga_state_name(old),
                saga_state_name(new));
    }
    if (old == SAGA_STUCK && new != SAGA_STUCK && !is_operator(decided->event)) {
        violate(world, "S4", "saga %d left stuck by %s", decided->number,
                event_kind_name(decided->event->kind));
    }
    if (saga_is_finished(old) && decided->decision->verdict == VERDICT_APPLIED) {
        violate(world, "S4", "saga %d had ended and changed", decided->number);
    }
    for (size_t i = 0; i < decided->after->definition->step_count; i++) {
        check_runs(world, decided, i);
    }
}

/* ---- S8: what is out has been sent, what is not out has no deadline ---- */

static void check_out(struct world *world, const struct decided *decided, size_t i, uint32_t k)
{
    const struct step_run *const run = &decided->after->steps[i].run[k];
    const struct ledger *const ledger = ledger_of_run(world, decided, i, k);
    const bool out = run->deadline_at_ms != 0;
    if (run_waits(decided->after, i, k)) return;
    if (out && run->state != STEP_DISPATCHED && run->state != STEP_COMPENSATING) {
        violate(world, "S4", "saga %d step %zu is %s and out", decided->number, i,
                step_state_name(run->state));
    }
    if (!out && run->state == STEP_DISPATCHED) {
        violate(world, "S8", "saga %d step %zu is dispatched without a deadline", decided->number,
                i);
    }
    const bool sends =
        run->op == OP_COMPENSATE || !step_only_waits(&decided->after->definition->steps[i]);
    if (sends && run->attempt != 0 && run->attempt != ledger->attempts_committed[run->op]) {
        violate(world, "S8", "saga %d step %zu: attempt %u was never sent", decided->number, i,
                run->attempt);
    }
    if (out && decided->event->kind == EVENT_RESEND &&
        run->deadline_at_ms <= node_now(world, decided->node)) {
        violate(world, "S8", "saga %d step %zu is sent again without time", decided->number, i);
    }
}

static void check_all_out(struct world *world, const struct decided *decided)
{
    const struct saga *const after = decided->after;
    size_t out = 0;
    for (size_t i = 0; i < after->definition->step_count; i++) {
        for (uint32_t k = 0; k < after->steps[i].count; k++) {
            check_out(world, decided, i, k);
            if (after->steps[i].run[k].deadline_at_ms != 0 && !run_waits(after, i, k)) out++;
        }
    }
    if (decided->event->kind == EVENT_RESEND && out != decided->decision->command_count) {
        violate(world, "S8", "saga %d has %zu commands out, %zu are sent again", decided->number,
                out, decided->decision->command_count);
    }
}

/* ---- S10: the first success wins, and the other direction says nothing ---- */

/* Past the pivot one that breaks its schema may change nothing: the next attempt has its time. */
static bool is_of_use(const struct step *step, const struct event *event)
{
    struct arena arena = {0};
    struct schema_report report;
    const bool fits =
        event->op == OP_COMPENSATE || step->action.output_schema == NULL ||
        schema_check_text(step->action.output_schema, event->payload, &arena, &report);
    arena_done(&arena);
    return fits;
}

static void check_reply(struct world *world, const struct decided *decided)
{
    const struct event *const event = decided->event;
    const bool applied = decided->decision->verdict == VERDICT_APPLIED;
    const struct step_run *const old = run_named(decided->before, event->step, event->index);
    const struct step_run *const new = run_named(decided->after, event->step, event->index);
    if (old == NULL || new == NULL) return;
    const bool fits = event->op == old->op || (event->op == OP_ACTION && old->op == OP_PROBE);
    if (applied && !fits) {
        violate(world, "S10", "saga %d: a reply of the other direction was applied",
                decided->number);
    }
    const bool open = old->state == STEP_DISPATCHED || old->state == STEP_RETRYING ||
                      old->state == STEP_COMPENSATING;
    if (!applied && open && fits && old->attempt > 0 && event->outcome == OUTCOME_SUCCESS &&
        is_of_use(&decided->after->definition->steps[event->step], event)) {
        violate(world, "S10", "saga %d: a success was not taken", decided->number);
    }
    const bool awaited = decided->before->state == SAGA_COMPENSATING && old->op == OP_ACTION;
    if (awaited && event->outcome >= OUTCOME_PROGRESS &&
        new->deadline_at_ms > old->deadline_at_ms) {
        violate(world, "rule 6", "saga %d: progress extends what is only awaited", decided->number);
    }
}

static void keep_output(struct world *world, const struct decided *decided)
{
    const struct event *const event = decided->event;
    const bool replied = event->kind == EVENT_REPLY && event->outcome == OUTCOME_SUCCESS &&
                         event->op != OP_COMPENSATE;
    if (!replied && event->kind != EVENT_STEP_COMPLETE) return;
    if (run_named(decided->before, event->step, event->index) == NULL) return;
    ledger_of(world, decided->number, (uint16_t)event->step, event->index)->output = event->payload;
}

/* ---- L3: the promised instant is exact: nothing before it, something at it ---- */

static enum verdict timer_at(struct world *world, int number, int64_t at_ms, struct arena *arena)
{
    struct saga *const copy = load_row(world, number, arena);
    uint64_t random = world->random;
    struct decide_context context = {.now_ms = at_ms, .random = &random, .arena = arena};
    struct decision decision;
    saga_decide(copy, &(struct event){.kind = EVENT_TIMER, .step = -1, .index = INDEX_NONE},
                &context, &decision);
    return decision.verdict;
}

static void check_next_due(struct world *world, int number)
{
    const int64_t due_ms = world->row[number].due_at_ms;
    struct arena arena = {0};
    const bool exact = due_ms == 0
                           ? timer_at(world, number, INT64_MAX / 4, &arena) == VERDICT_NOTHING
                           : timer_at(world, number, due_ms - 1, &arena) == VERDICT_NOTHING &&
                                 timer_at(world, number, due_ms, &arena) == VERDICT_APPLIED;
    arena_done(&arena);
    if (!exact) violate(world, "L3", "saga %d: what is due is not due then", number);
}

/* ---- no time of a command runs while its topic is paused ---- */

/* max_elapsed begins later by what was held. */
static void note_shift(struct world *world, const struct decided *decided, size_t i, uint32_t k)
{
    const struct step_run *const before = &decided->before->steps[i].run[k];
    const struct step_run *const after = &decided->after->steps[i].run[k];
    const int64_t shift_ms = after->first_sent_at_ms - before->first_sent_at_ms;
    if (shift_ms < 0 || shift_ms > after->sent_at_ms - before->sent_at_ms) {
        violate(world, "S12", "saga %d step %zu: its time moves by %lld ms", decided->number, i,
                (long long)shift_ms);
    }
    ledger_of_run(world, decided, i, k)->first_sent_at_ms[after->op] += shift_ms;
}

static void check_standing(struct world *world, const struct decided *decided)
{
    const enum event_kind kind = decided->event->kind;
    for (size_t i = 0; i < decided->before->definition->step_count; i++) {
        for (uint32_t k = 0; k < decided->before->steps[i].count; k++) {
            const struct step_run *const before = &decided->before->steps[i].run[k];
            if (before->deadline_at_ms == 0 || run_waits(decided->before, i, k)) continue;
            const struct step_run *const after = &decided->after->steps[i].run[k];
            if (kind == EVENT_RESEND && decided->event->held) note_shift(world, decided, i, k);
            if (kind == EVENT_TIMER && world->stands && after->state != before->state) {
                violate(world, "S12", "saga %d step %zu: its time ran while its topic stood",
                        decided->number, i);
            }
        }
    }
}

/* ---- all of it ---- */

void check_decision(struct world *world, const struct decided *decided)
{
    const struct saga *const before = decided->before;
    const struct saga *const after = decided->after;
    const bool applied = decided->decision->verdict == VERDICT_APPLIED;
    if (after->revision != before->revision + (applied ? 1 : 0) ||
        after->history_seq != before->history_seq + decided->decision->history_count) {
        violate(world, "S3", "saga %d: revision %u after %u", decided->number, after->revision,
                before->revision);
    }
    if (after->definition != before->definition ||
        after->definition != version_of(world, decided->number)->definition) {
        violate(world, "S13", "saga %d has version %u", decided->number,
                after->definition->version);
    }
    check_states(world, decided);
    if (decided->event->kind == EVENT_REPLY) check_reply(world, decided);
    if (applied) keep_output(world, decided);
    check_standing(world, decided);
    check_waits(world, decided);
    check_commands(world, decided);
    check_all_out(world, decided);
    check_exposure(world, decided);
    if (applied && chance(world, 2)) check_next_due(world, decided->number);
}

void check_unchanged(struct world *world, const struct saga *before, struct saga *after,
                     const struct decision *decision)
{
    struct buffer old = buffer_in(&world->scratch);
    struct buffer new = buffer_in(&world->scratch);
    after->history_seq -= decision->history_count;
    saga_pack(before, &old);
    saga_pack(after, &new);
    after->history_seq += decision->history_count;
    if (!bytes_equal(buffer_bytes(&old), buffer_bytes(&new))) {
        violate(world, "S10", "a verdict of %s changed the saga", verdict_name(decision->verdict));
    }
}
