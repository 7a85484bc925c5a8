/* The invariants that each decision and each end of a saga must keep. They trust nothing of the
 * core. */
#include "sagas/machine/codec.h"
#include "tests/simulation/world.h"

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
                     SET(STEP_SUCCEEDED) | SET(STEP_SKIPPED) | UNDO_STATES,
    [STEP_SKIPPED] = SET(STEP_SKIPPED),
    [STEP_COMPENSATING] = UNDO_STATES,
    [STEP_COMPENSATED] = SET(STEP_COMPENSATED),
    [STEP_COMPENSATION_FAILED] =
        SET(STEP_COMPENSATION_FAILED) | SET(STEP_COMPENSATING) | SET(STEP_COMPENSATION_SKIPPED),
    [STEP_COMPENSATION_SKIPPED] = SET(STEP_COMPENSATION_SKIPPED),
};

static bool is_operator(const struct event *event)
{
    return event->kind >= EVENT_CANCEL;
}

static bool has_items(const struct step_runs *runs)
{
    return runs->expanded && runs->count > 0;
}

static const struct send *send_of(const struct definition *definition, uint16_t step, enum op op)
{
    const struct step *const at = &definition->steps[step];
    return op == OP_ACTION ? &at->action : &at->compensation;
}

/* ---- S4 ---- */

static void check_states(struct world *world, int number, const struct saga *before,
                         const struct saga *after, const struct event *event)
{
    if ((SAGA_REACHES[before->state] & SET(after->state)) == 0)
        violate(world, "S4", "saga %d went from %s to %s", number, saga_state_name(before->state),
                saga_state_name(after->state));
    if (before->state == SAGA_STUCK && after->state != SAGA_STUCK && !is_operator(event))
        violate(world, "S4", "saga %d left stuck by %s", number, event_kind_name(event->kind));
    for (size_t i = 0; i < after->definition->step_count; i++) {
        const struct step_runs *const old = &before->steps[i];
        const struct step_runs *const new = &after->steps[i];
        if (has_items(old) != has_items(new)) continue;
        for (uint32_t k = 0; k < new->count; k++) {
            if (RUN_REACHES[old->run[k].state] & SET(new->run[k].state)) continue;
            violate(world, "S4", "saga %d step %zu[%u] went from %s to %s", number, i, k,
                    step_state_name(old->run[k].state), step_state_name(new->run[k].state));
        }
    }
}

/* ---- S6, S5 ---- */

static bool is_settled(const struct step_run *run)
{
    switch (run->state) {
    case STEP_READY: return run->attempt == 0;
    case STEP_WAITING:
    case STEP_FAILED:
    case STEP_SKIPPED:
    case STEP_COMPENSATED:
    case STEP_COMPENSATION_SKIPPED: return true;
    case STEP_DISPATCHED:
    case STEP_RETRYING:
    case STEP_SUCCEEDED:
    case STEP_UNKNOWN:
    case STEP_COMPENSATING:
    case STEP_COMPENSATION_FAILED:
    case STEP_STATE_COUNT: break;
    }
    return false;
}

static bool pivot_succeeded(const struct saga *saga)
{
    bool succeeded = false;
    if (saga->definition->pivot < 0) return false;
    const struct step_runs *const runs = &saga->steps[saga->definition->pivot];
    for (uint32_t k = 0; k < runs->count; k++) {
        if (runs->run[k].state != STEP_SUCCEEDED && runs->run[k].state != STEP_SKIPPED)
            return false;
        succeeded |= runs->run[k].state == STEP_SUCCEEDED;
    }
    return succeeded;
}

static void check_undo(struct world *world, int number, const struct saga *after, uint16_t step)
{
    if (pivot_succeeded(after))
        violate(world, "S5", "saga %d undoes step %u past the pivot", number, step);
    for (size_t i = 0; i < after->definition->step_count; i++) {
        if (!version_of(world, number)->above[i][step]) continue;
        for (uint32_t k = 0; k < after->steps[i].count; k++) {
            if (is_settled(&after->steps[i].run[k])) continue;
            violate(world, "S6", "saga %d undoes step %u while step %zu[%u], after it, is %s",
                    number, step, i, k, step_state_name(after->steps[i].run[k].state));
        }
    }
}

/* ---- S12 ---- */

static bool was_closed(enum step_state state)
{
    return state == STEP_FAILED || state == STEP_UNKNOWN || state == STEP_COMPENSATION_FAILED;
}

static bool is_open(enum step_state state)
{
    return state == STEP_WAITING || state == STEP_READY || state == STEP_DISPATCHED ||
           state == STEP_RETRYING || state == STEP_COMPENSATING;
}

/* An operator who sends a closed run again grants fresh attempts. */
static void renew(struct world *world, int number, const struct saga *before,
                  const struct saga *after)
{
    for (size_t i = 0; i < after->definition->step_count; i++) {
        const struct step_runs *const old = &before->steps[i];
        const struct step_runs *const new = &after->steps[i];
        if (has_items(old) != has_items(new)) continue;
        for (uint32_t k = 0; k < new->count; k++) {
            const struct step_run *const run = &new->run[k];
            if (!was_closed(old->run[k].state) || !is_open(run->state)) continue;
            if (old->run[k].op != run->op) continue;
            struct ledger *const ledger =
                ledger_of(world, number, (uint16_t)i, has_items(new) ? (int32_t)k : INDEX_NONE);
            ledger->counted[run->op] = 0;
            ledger->first_sent_at_ms[run->op] = 0;
            ledger->stated[run->op] = false;
        }
    }
}

static double plain_wait(const struct retry_policy *policy, uint32_t failures)
{
    double wait = (double)policy->initial_ms;
    for (uint32_t i = 1; i < failures; i++)
        wait *= policy->multiplier;
    return wait < (double)policy->max_ms ? wait : (double)policy->max_ms;
}

static void check_wait(struct world *world, int number, const struct step_run *run,
                       const struct ledger *ledger, const struct retry_policy *policy,
                       int64_t now_ms)
{
    const int64_t wait_ms = run->next_attempt_at_ms - now_ms;
    const double plain = plain_wait(policy, ledger->counted[run->op]);
    double least = 1;
    if (policy->jitter == JITTER_EQUAL) least = plain / 2;
    if (policy->jitter == JITTER_NONE) least = plain - 1;
    if (wait_ms < 1 || (double)wait_ms < least - 1 || (double)wait_ms > plain + 1)
        violate(world, "S12", "saga %d waits %lld ms where its policy says %.0f, attempt %u of it",
                number, (long long)wait_ms, plain, ledger->counted[run->op]);
}

struct run_name {
    uint16_t step;
    int32_t index;
};

static void check_plan(struct world *world, int number, const struct run_name *name,
                       const struct step_run *run, const struct event *event, int64_t now_ms)
{
    const uint16_t step = name->step;
    const int32_t index = name->index;
    struct ledger *const ledger = ledger_of(world, number, step, index);
    const struct retry_policy *const policy =
        &send_of(version_of(world, number)->definition, step, run->op)->retry;
    const bool stated = event->kind == EVENT_REPLY && event->outcome == OUTCOME_RETRY &&
                        event->delay_stated && event->step == step && event->index == index;
    ledger->stated[run->op] = stated;
    if (!stated) check_wait(world, number, run, ledger, policy, now_ms);
    const int64_t end_ms = ledger->first_sent_at_ms[run->op] + (int64_t)policy->max_elapsed_ms;
    if (policy->max_elapsed_ms > 0 && run->next_attempt_at_ms > end_ms)
        violate(world, "S12", "saga %d plans an attempt beyond max_elapsed", number);
}

static void check_plans(struct world *world, int node, int number, const struct saga *before,
                        const struct saga *after, const struct event *event)
{
    for (size_t i = 0; i < after->definition->step_count; i++) {
        const struct step_runs *const old = &before->steps[i];
        const struct step_runs *const new = &after->steps[i];
        for (uint32_t k = 0; k < new->count; k++) {
            const struct step_run *const run = &new->run[k];
            if (run->next_attempt_at_ms == 0) continue;
            if (has_items(old) == has_items(new) &&
                old->run[k].next_attempt_at_ms == run->next_attempt_at_ms)
                continue;
            check_plan(world, number,
                       &(struct run_name){(uint16_t)i, has_items(new) ? (int32_t)k : INDEX_NONE},
                       run, event, node_now(world, node));
        }
    }
}

/* ---- commands ---- */

static const struct step_run *run_at(const struct saga *saga, const struct command *command)
{
    const struct step_runs *const runs = &saga->steps[command->step->position];
    if (command->index == INDEX_NONE) return &runs->run[0];
    return has_items(runs) && (uint32_t)command->index < runs->count ? &runs->run[command->index]
                                                                     : NULL;
}

static void check_attempt(struct world *world, int node, int number, const struct saga *before,
                          const struct command *command, const struct event *event)
{
    const uint16_t step = command->step->position;
    struct ledger *const ledger = ledger_of(world, number, step, command->index);
    const enum op op = command->op;
    if (command->attempt != ledger->attempts_committed[op] + 1)
        violate(world, "S11", "saga %d step %u[%d]: %s attempt %u after attempt %u", number, step,
                command->index, op_name(op), command->attempt, ledger->attempts_committed[op]);
    ledger->attempts_committed[op] = command->attempt;
    if (!ledger->stated[op]) ledger->counted[op]++;
    ledger->stated[op] = false;
    if (ledger->first_sent_at_ms[op] == 0) ledger->first_sent_at_ms[op] = node_now(world, node);
    const uint32_t most = version_of(world, number)->max_attempts[step][op];
    if (most > 0 && ledger->counted[op] > most)
        violate(world, "S12", "saga %d step %u: attempt %u of %u", number, step,
                ledger->counted[op], most);
    const struct step_run *const old = run_at(before, command);
    if (old != NULL && old->op == op && old->next_attempt_at_ms > node_now(world, node) &&
        !is_operator(event))
        violate(world, "S12", "saga %d step %u: an attempt starts %lld ms too early", number, step,
                (long long)(old->next_attempt_at_ms - node_now(world, node)));
}

/* S14: an input that only passes a value through has its exact bytes. */
static void check_value(struct world *world, int number, const struct saga *after,
                        const struct command *command)
{
    const struct bytes value = command->value;
    if (command->send->input == NULL) {
        if (!bytes_equal_text(value, "{}")) violate(world, "S14", "saga %d: no {}", number);
        return;
    }
    if (command->op == OP_COMPENSATE && !bytes_equal_text(value, "1")) { /* 1 is computed */
        const struct step_run *const run = run_at(after, command);
        const struct bytes output = run->output.data == NULL ? BYTES("null") : run->output;
        if (!bytes_equal(value, output))
            violate(world, "S14", "saga %d: %s became %s", number, output.data, value.data);
    }
}

static void check_command(struct world *world, int node, int number, const struct saga *before,
                          const struct saga *after, const struct event *event,
                          const struct command *command)
{
    const uint16_t step = command->step->position;
    struct ledger *const ledger = ledger_of(world, number, step, command->index);
    if (!uuid_equal(&command->saga_id, &world->row[number].id) ||
        command->step != &after->definition->steps[step] || run_at(after, command) == NULL)
        violate(world, "S11", "saga %d: a command of something else", number);
    check_value(world, number, after, command);
    if (command->again) {
        if (command->attempt != ledger->attempts_committed[command->op])
            violate(world, "S8", "saga %d step %u: attempt %u again, %u is out", number, step,
                    command->attempt, ledger->attempts_committed[command->op]);
        return;
    }
    check_attempt(world, node, number, before, command, event);
    if (before->paused && after->paused && !is_operator(event))
        violate(world, "pause", "saga %d sends step %u while it is paused", number, step);
    if (command->op == OP_ACTION && ledger->undo_committed)
        violate(world, "S6", "saga %d sends step %u after its undo", number, step);
    if (command->op == OP_ACTION) return;
    ledger->undo_committed = true;
    check_undo(world, number, after, step);
}

/* S8: what is out has been sent, what is not out has no deadline. */
static void check_out(struct world *world, int number, const struct saga *after)
{
    for (size_t i = 0; i < after->definition->step_count; i++) {
        const struct step_runs *const runs = &after->steps[i];
        for (uint32_t k = 0; k < runs->count; k++) {
            const struct step_run *const run = &runs->run[k];
            const struct ledger *const ledger =
                ledger_of(world, number, (uint16_t)i, has_items(runs) ? (int32_t)k : INDEX_NONE);
            const bool out = run->deadline_at_ms != 0;
            const bool may_be_out =
                run->state == STEP_DISPATCHED || run->state == STEP_COMPENSATING;
            if (out && !may_be_out)
                violate(world, "S4", "saga %d step %zu is %s and out", number, i,
                        step_state_name(run->state));
            if (run->state == STEP_DISPATCHED && !out)
                violate(world, "S8", "saga %d step %zu is dispatched without a deadline", number,
                        i);
            if (run->attempt != 0 && run->attempt != ledger->attempts_committed[run->op])
                violate(world, "S8", "saga %d step %zu: attempt %u was never sent", number, i,
                        run->attempt);
        }
    }
}

/* S8: a recovery sends all that is out, with time to answer. */
static void check_resend(struct world *world, int node, int number, const struct saga *after,
                         const struct decision *decision)
{
    size_t out = 0;
    for (size_t i = 0; i < after->definition->step_count; i++) {
        for (uint32_t k = 0; k < after->steps[i].count; k++) {
            const int64_t deadline_ms = after->steps[i].run[k].deadline_at_ms;
            if (deadline_ms == 0) continue;
            out++;
            if (deadline_ms <= node_now(world, node))
                violate(world, "S8", "saga %d step %zu is sent again without time", number, i);
        }
    }
    if (out != decision->command_count)
        violate(world, "S8", "saga %d has %zu commands out, %zu are sent again", number, out,
                decision->command_count);
}

void check_decision(struct world *world, int node, const struct saga *before,
                    const struct saga *after, const struct event *event,
                    const struct decision *decision, int number)
{
    const uint32_t raised = decision->verdict == VERDICT_APPLIED ? 1 : 0;
    if (after->revision != before->revision + raised ||
        after->history_seq != before->history_seq + decision->history_count)
        violate(world, "S3", "saga %d: revision %u after %u", number, after->revision,
                before->revision);
    if (after->definition != version_of(world, number)->definition)
        violate(world, "S13", "saga %d changed its definition", number);
    if (saga_is_finished(before->state) && raised)
        violate(world, "S4", "saga %d had ended and changed", number);
    check_states(world, number, before, after, event);
    renew(world, number, before, after);
    for (size_t i = 0; i < decision->command_count; i++)
        check_command(world, node, number, before, after, event, &decision->commands[i]);
    check_plans(world, node, number, before, after, event);
    check_out(world, number, after);
    if (event->kind == EVENT_RESEND) check_resend(world, node, number, after, decision);
    if (raised && chance(world, 2)) check_next_due(world, number);
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
    if (!bytes_equal(buffer_bytes(&old), buffer_bytes(&new)))
        violate(world, "S10", "a verdict of %s changed the saga", verdict_name(decision->verdict));
}

/* The promised instant is exact: nothing before it, something at it. */
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

void check_next_due(struct world *world, int number)
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

/* ---- S5, S9: how it ended ---- */

struct ended {
    const struct step *step;
    const struct step_run *run;
    const struct ledger *ledger;
    int number;
    uint32_t item;
};

static void check_effects(struct world *world, const struct ended *at, uint32_t least,
                          uint32_t most)
{
    const int64_t net =
        (int64_t)at->ledger->effects[OP_ACTION] - (int64_t)at->ledger->effects[OP_COMPENSATE];
    if (at->ledger->tainted || (net >= least && net <= most)) return;
    violate(world, "S9", "saga %d step %s[%u] is %s with %u effects and %u undone", at->number,
            at->step->id.data, at->item, step_state_name(at->run->state),
            at->ledger->effects[OP_ACTION], at->ledger->effects[OP_COMPENSATE]);
}

static void check_succeeded(struct world *world, const struct ended *at)
{
    const bool ignored = at->step->on_failure == ON_FAILURE_IGNORE;
    const enum step_state state = at->run->state;
    if (state == STEP_FAILED || state == STEP_UNKNOWN) counters[COUNT_IGNORED_FAILURES]++;
    if (state == STEP_SUCCEEDED && at->step->pivot) counters[COUNT_PAST_PIVOT]++;
    if (at->ledger->undo_committed)
        violate(world, "S5", "saga %d succeeded and undid %s", at->number, at->step->id.data);
    if (state == STEP_SUCCEEDED)
        check_effects(world, at, 1, 1);
    else if (state == STEP_SKIPPED || (state == STEP_FAILED && ignored))
        check_effects(world, at, 0, 0);
    else if (state == STEP_UNKNOWN && ignored)
        check_effects(world, at, 0, 1);
    else
        violate(world, "S5", "saga %d succeeded with step %s %s", at->number, at->step->id.data,
                step_state_name(state));
}

static void check_compensated(struct world *world, const struct ended *at)
{
    const enum step_state state = at->run->state;
    if (state == STEP_COMPENSATED)
        check_effects(world, at, 0, at->step->undo == UNDO_NOTHING ? 1 : 0);
    else if (state == STEP_SKIPPED || state == STEP_FAILED)
        check_effects(world, at, 0, 0);
    else if (state == STEP_COMPENSATION_SKIPPED)
        check_effects(world, at, 0, 1);
    else
        violate(world, "S5", "saga %d is compensated with step %s %s", at->number,
                at->step->id.data, step_state_name(state));
}

static void check_run(struct world *world, const struct saga *saga, const struct ended *at)
{
    if (saga->state == SAGA_SUCCEEDED)
        check_succeeded(world, at);
    else if (saga->state == SAGA_COMPENSATED)
        check_compensated(world, at);
}

static void check_saga_end(struct world *world, int number, struct arena *arena)
{
    const struct saga *const saga = load_row(world, number, arena);
    if (!saga_is_finished(saga->state))
        violate(world, "L1", "saga %d is %s", number, saga_state_name(saga->state));
    if (saga->attention != 0) violate(world, "S4", "saga %d has ended with attention", number);
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        const struct step_runs *const runs = &saga->steps[i];
        if (has_items(runs)) counters[COUNT_ITEMS] += runs->count;
        for (uint32_t k = 0; k < runs->count; k++) {
            check_run(world, saga,
                      &(struct ended){.step = &saga->definition->steps[i],
                                      .run = &runs->run[k],
                                      .ledger = ledger_of(world, number, (uint16_t)i,
                                                          has_items(runs) ? (int32_t)k : -1),
                                      .number = number,
                                      .item = k});
        }
    }
    check_history(world, number, saga);
    if (saga->state == SAGA_SUCCEEDED) counters[COUNT_SUCCEEDED]++;
    if (saga->state == SAGA_COMPENSATED) counters[COUNT_COMPENSATED]++;
    if (saga->state == SAGA_TERMINATED) counters[COUNT_TERMINATED]++;
    counters[COUNT_SAGAS]++;
}

void check_end(struct world *world)
{
    struct arena arena = {0};
    for (int i = 0; i < world->saga_count; i++) {
        check_saga_end(world, i, &arena);
        arena_reset(&arena);
    }
    arena_done(&arena);
}
