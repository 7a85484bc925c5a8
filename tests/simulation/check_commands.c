/* What every command must keep: S5, S6, S11, S12, S14, and when it may be sent at all. */
#include "tests/simulation/checks.h"

static const struct send *send_of(const struct saga *saga, size_t step, enum op op)
{
    const struct step *const at = &saga->definition->steps[step];
    return op == OP_ACTION ? &at->action : op == OP_PROBE ? at->probe : &at->compensation;
}

/* ---- S5, S6: an undo ---- */

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

static bool pivot_may_have_happened(const struct saga *saga)
{
    if (saga->definition->pivot < 0) return false;
    const struct step_runs *const runs = &saga->steps[saga->definition->pivot];
    uint32_t done = 0;
    for (uint32_t k = 0; k < runs->count; k++) {
        const enum step_state state = runs->run[k].state;
        if (run_waits(saga, (size_t)saga->definition->pivot, k)) continue;
        if (state == STEP_DISPATCHED || state == STEP_UNKNOWN) return true;
        if (state == STEP_RETRYING && runs->run[k].unanswered) return true;
        if (state == STEP_SUCCEEDED) done++;
    }
    return done > 0 && done == runs->count;
}

static void check_undo(struct world *world, const struct decided *decided,
                       const struct command *command)
{
    const struct saga *const after = decided->after;
    const uint16_t step = command->step->position;
    if (pivot_may_have_happened(after)) {
        violate(world, "S5", "saga %d undoes step %u, its pivot may have happened", decided->number,
                step);
    }
    for (size_t i = 0; i < after->definition->step_count; i++) {
        if (!version_of(world, decided->number)->above[i][step]) continue;
        for (uint32_t k = 0; k < after->steps[i].count; k++) {
            if (is_settled(&after->steps[i].run[k])) continue;
            violate(world, "S6", "saga %d undoes step %u while step %zu[%u], after it, is %s",
                    decided->number, step, i, k, step_state_name(after->steps[i].run[k].state));
        }
    }
}

/* ---- S12: attempts and waits ---- */

static bool is_closed(enum step_state state)
{
    return state == STEP_FAILED || state == STEP_UNKNOWN || state == STEP_COMPENSATION_FAILED;
}

static bool is_open(enum step_state state)
{
    return state == STEP_WAITING || state == STEP_READY || state == STEP_DISPATCHED ||
           state == STEP_RETRYING || state == STEP_COMPENSATING;
}

/* An operator who sends a closed run again grants fresh attempts. */
static void renew(struct world *world, const struct decided *decided, size_t i)
{
    const struct step_runs *const old = &decided->before->steps[i];
    const struct step_runs *const new = &decided->after->steps[i];
    if (has_items(old) != has_items(new)) return;
    for (uint32_t k = 0; k < new->count; k++) {
        const enum op op = new->run[k].op;
        if (op == OP_PROBE && old->run[k].op != OP_PROBE) {
            struct ledger *const probed = ledger_of_run(world, decided, i, k);
            probed->counted[op] = 0;
            probed->first_sent_at_ms[op] = 0;
            probed->stated[op] = false;
        }
        if (!is_closed(old->run[k].state) || !is_open(new->run[k].state)) continue;
        if (old->run[k].op != op) continue;
        struct ledger *const ledger = ledger_of_run(world, decided, i, k);
        ledger->counted[op] = 0;
        ledger->first_sent_at_ms[op] = 0;
        ledger->stated[op] = false;
    }
}

static double plain_wait(const struct retry_policy *policy, uint32_t failures)
{
    double wait = (double)policy->initial_ms;
    for (uint32_t i = 1; i < failures; i++) {
        wait *= policy->multiplier;
    }
    return wait < (double)policy->max_ms ? wait : (double)policy->max_ms;
}

static void check_wait(struct world *world, int number, int64_t wait_ms,
                       const struct retry_policy *policy, uint32_t failures)
{
    const double plain = plain_wait(policy, failures);
    double least = 1;
    if (policy->jitter == JITTER_EQUAL) least = plain / 2;
    if (policy->jitter == JITTER_NONE) least = plain - 1;
    if (wait_ms < 1 || (double)wait_ms < least - 1 || (double)wait_ms > plain + 1) {
        violate(world, "S12", "saga %d waits %lld ms where its policy says %.0f, attempt %u of it",
                number, (long long)wait_ms, plain, failures);
    }
}

static void check_plan(struct world *world, const struct decided *decided, size_t step, uint32_t k)
{
    const struct event *const event = decided->event;
    const struct step_run *const run = &decided->after->steps[step].run[k];
    struct ledger *const ledger = ledger_of_run(world, decided, step, k);
    const struct retry_policy *const policy = &send_of(decided->after, step, run->op)->retry;
    const int32_t index = has_items(&decided->after->steps[step]) ? (int32_t)k : INDEX_NONE;
    const bool stated = event->kind == EVENT_REPLY && event->outcome == OUTCOME_RETRY &&
                        event->delay_stated && event->step == (int)step && event->index == index;
    ledger->stated[run->op] = stated;
    if (!stated) {
        check_wait(world, decided->number, run->next_attempt_at_ms - node_now(world, decided->node),
                   policy, ledger->counted[run->op]);
    }
    const int64_t end_ms = ledger->first_sent_at_ms[run->op] + (int64_t)policy->max_elapsed_ms;
    if (policy->max_elapsed_ms > 0 && run->next_attempt_at_ms > end_ms) {
        violate(world, "S12", "saga %d plans an attempt beyond max_elapsed", decided->number);
    }
}

static void check_plans(struct world *world, const struct decided *decided, size_t i)
{
    const struct step_runs *const old = &decided->before->steps[i];
    const struct step_runs *const new = &decided->after->steps[i];
    for (uint32_t k = 0; k < new->count; k++) {
        const int64_t at_ms = new->run[k].next_attempt_at_ms;
        const bool same =
            has_items(old) == has_items(new) && old->run[k].next_attempt_at_ms == at_ms;
        /* The first sending of a probe is held back by a pause only. */
        const bool first = new->run[k].op == OP_PROBE &&
                           (has_items(old) != has_items(new) || old->run[k].op != OP_PROBE);
        if (at_ms != 0 && !same && !first) check_plan(world, decided, i, k);
    }
}

static void check_attempt(struct world *world, const struct decided *decided,
                          const struct command *command)
{
    const uint16_t step = command->step->position;
    const int number = decided->number;
    const enum op op = command->op;
    struct ledger *const ledger = ledger_of(world, number, step, command->index);
    if (command->attempt != ledger->attempts_committed[op] + 1) {
        violate(world, "S11", "saga %d step %u[%d]: %s attempt %u after attempt %u", number, step,
                command->index, op_name(op), command->attempt, ledger->attempts_committed[op]);
    }
    ledger->attempts_committed[op] = command->attempt;
    if (!ledger->stated[op]) ledger->counted[op]++;
    ledger->stated[op] = false;
    const int64_t now_ms = node_now(world, decided->node);
    if (ledger->first_sent_at_ms[op] == 0) ledger->first_sent_at_ms[op] = now_ms;
    const uint32_t most = version_of(world, number)->max_attempts[step][op];
    if (most > 0 && ledger->counted[op] > most) {
        violate(world, "S12", "saga %d step %u: attempt %u of %u", number, step,
                ledger->counted[op], most);
    }
    const struct step_run *const old = run_named(decided->before, step, command->index);
    if (old != NULL && old->op == op && old->next_attempt_at_ms > now_ms &&
        !is_operator(decided->event)) {
        violate(world, "S12", "saga %d step %u: an attempt starts %lld ms too early", number, step,
                (long long)(old->next_attempt_at_ms - now_ms));
    }
}

/* ---- S14: an input that only passes a value through has its exact bytes ---- */

static void check_value(struct world *world, int number, const struct command *command)
{
    const struct bytes value = command->value;
    const struct ledger *const ledger =
        ledger_of(world, number, command->step->position, command->index);
    if (command->send->input == NULL && !bytes_equal_text(value, "{}")) {
        violate(world, "S14", "saga %d: no input became %s", number, value.data);
    }
    if (command->op != OP_COMPENSATE || bytes_equal_text(value, "1")) return; /* 1 is computed */
    const struct bytes output = ledger->output.data == NULL ? BYTES("null") : ledger->output;
    if (!bytes_equal(value, output)) {
        violate(world, "S14", "saga %d: %s became %s", number, output.data, value.data);
    }
}

/* ---- rules 5 and 6, and what a foreach promises: when something may be sent ---- */

static bool was_going_back(const struct saga *before)
{
    return before->state == SAGA_COMPENSATING ||
           (before->state == SAGA_STUCK && before->stuck_in == SAGA_COMPENSATING);
}

static void check_order(struct world *world, const struct decided *decided, uint16_t step)
{
    for (size_t i = 0; i < decided->after->definition->step_count; i++) {
        const struct step_runs *const runs = &decided->after->steps[i];
        if (!version_of(world, decided->number)->above[step][i]) continue;
        for (uint32_t k = 0; k < runs->count; k++) {
            if (!is_open(runs->run[k].state)) continue;
            violate(world, "order", "saga %d sends step %u before step %zu is through",
                    decided->number, step, i);
        }
    }
}

static void check_action(struct world *world, const struct decided *decided,
                         const struct command *command)
{
    const uint16_t step = command->step->position;
    const struct step_runs *const runs = &decided->after->steps[step];
    uint32_t open = 0;
    if (was_going_back(decided->before)) {
        violate(world, "rule 6", "saga %d sends step %u while it is undone", decided->number, step);
    }
    for (uint32_t k = 0; k < runs->count; k++) {
        if (is_closed(runs->run[k].state)) {
            violate(world, "foreach", "saga %d sends step %u though item %u has failed",
                    decided->number, step, k);
        }
        if (runs->run[k].state == STEP_DISPATCHED || runs->run[k].state == STEP_RETRYING) open++;
    }
    if (command->attempt > 1) return;
    if (command->step->foreach != NULL && open > command->step->foreach->concurrency) {
        violate(world, "foreach", "saga %d has %u items of step %u out", decided->number, open,
                step);
    }
    check_order(world, decided, step);
}

/* The places of a foreach hold for its undo as well. */
static void check_undo_places(struct world *world, const struct decided *decided,
                              const struct command *command)
{
    const struct step_runs *const runs = &decided->after->steps[command->step->position];
    uint32_t open = 0;
    for (uint32_t k = 0; k < runs->count; k++) {
        if (runs->run[k].state == STEP_COMPENSATING) open++;
    }
    if (command->attempt == 1 && command->step->foreach != NULL &&
        open > command->step->foreach->concurrency) {
        violate(world, "foreach", "saga %d undoes %u items of step %s at once", decided->number,
                open, command->step->id.data);
    }
}

/* ---- one command ---- */

static void check_again(struct world *world, const struct decided *decided,
                        const struct command *command)
{
    const struct ledger *const ledger =
        ledger_of(world, decided->number, command->step->position, command->index);
    if (command->attempt != ledger->attempts_committed[command->op]) {
        violate(world, "S8", "saga %d step %u: attempt %u again, %u is out", decided->number,
                command->step->position, command->attempt, ledger->attempts_committed[command->op]);
    }
}

static void check_new(struct world *world, const struct decided *decided,
                      const struct command *command)
{
    const uint16_t step = command->step->position;
    const bool by_operator = is_operator(decided->event);
    struct ledger *const ledger = ledger_of(world, decided->number, step, command->index);
    check_attempt(world, decided, command);
    if (decided->before->paused && decided->after->paused && !by_operator) {
        violate(world, "pause", "saga %d sends step %u while it is paused", decided->number, step);
    }
    if (command->op == OP_COMPENSATE) {
        ledger->undo_committed = true;
        check_undo(world, decided, command);
        if (!by_operator) check_undo_places(world, decided, command);
        return;
    }
    if (ledger->undo_committed) {
        violate(world, "S6", "saga %d sends step %u after its undo", decided->number, step);
    }
    if (!by_operator && command->op == OP_ACTION) check_action(world, decided, command);
}

static void check_command(struct world *world, const struct decided *decided,
                          const struct command *command)
{
    const struct saga *const after = decided->after;
    const uint16_t step = command->step->position;
    if (!uuid_equal(&command->saga_id, &world->row[decided->number].id) ||
        command->step != &after->definition->steps[step] ||
        run_named(after, step, command->index) == NULL) {
        violate(world, "S11", "saga %d: a command of something else", decided->number);
    }
    check_value(world, decided->number, command);
    if (command->again) {
        check_again(world, decided, command);
    } else {
        check_new(world, decided, command);
    }
}

void check_commands(struct world *world, const struct decided *decided)
{
    const size_t steps = decided->after->definition->step_count;
    for (size_t i = 0; i < steps; i++) {
        renew(world, decided, i);
    }
    for (size_t i = 0; i < decided->decision->command_count; i++) {
        check_command(world, decided, &decided->decision->commands[i]);
    }
    for (size_t i = 0; i < steps; i++) {
        check_plans(world, decided, i);
    }
}
