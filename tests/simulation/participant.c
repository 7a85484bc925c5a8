/*
 * A conforming participant: the barrier, effects that are counted, and every way of answering.
 *
 * What it does depends on the key and the attempt alone, so that a second delivery of a command is
 * treated like the first: a refusal holds for the key, an answer of `retry` for the attempt.
 */
#include "tests/simulation/world.h"

#include <string.h>

enum behaviour {
    BEHAVE_ANSWER,
    BEHAVE_ANSWER_LATE,
    BEHAVE_ANSWER_TWICE,
    BEHAVE_CONTRADICT,
    BEHAVE_RETRY,
    BEHAVE_RETRY_STATED,
    BEHAVE_HOPELESS,
    BEHAVE_SILENT,        /* nothing happens */
    BEHAVE_SILENT_EFFECT, /* it happens, nobody hears of it */
    BEHAVE_PROGRESS,
    BEHAVE_PENDING,
    BEHAVE_GARBLED, /* malformed first, then the answer */
    BEHAVIOUR_COUNT,
};

/* Per cent of each, action and undo. */
static const unsigned WEIGHTS[OPS][BEHAVIOUR_COUNT] = {
    [OP_ACTION] = {42, 6, 6, 1, 12, 5, 2, 6,  7,  5, 6, 2},
    [OP_COMPENSATE] = {45, 6, 5, 0, 13, 5, 1, 6,  7,  5, 5, 2},
    [OP_PROBE] = {31, 5, 4, 0, 10, 4, 4, 17, 17, 3, 3, 2},
};

static uint64_t hash_of(const struct world *world, const struct record *command, uint32_t attempt)
{
    uint64_t state = world->seed ^ ((uint64_t)command->saga << 40) ^
                     ((uint64_t)command->step << 32) ^ ((uint64_t)(command->index + 1) << 24) ^
                     ((uint64_t)command->op << 20) ^ attempt;
    (void)random_next(&state);
    return random_next(&state);
}

static uint64_t *retried(struct world *world, const struct record *command)
{
    return &ledger_of(world, command->saga, command->step, command->index)->retried[command->op];
}

static uint64_t attempt_bit(uint32_t attempt)
{
    return UINT64_C(1) << (attempt % 64);
}

static enum behaviour behaviour_of(struct world *world, const struct record *command)
{
    if (*retried(world, command) & attempt_bit(command->attempt)) return BEHAVE_RETRY;
    if (healed(world)) return BEHAVE_ANSWER;
    uint64_t left = hash_of(world, command, command->attempt) % 100;
    for (enum behaviour i = BEHAVE_ANSWER; i < BEHAVIOUR_COUNT; i++) {
        const unsigned weight = WEIGHTS[command->op][i];
        if (left < weight) return i;
        left -= weight;
    }
    return BEHAVE_ANSWER;
}

/* An undo may be declined too, by some attempts, while faults last. */
static bool refuses(struct world *world, const struct record *command, const struct ledger *ledger)
{
    if (command->op == OP_ACTION) return ledger->refuses;
    return !healed(world) && hash_of(world, command, command->attempt + 1000) % 100 < 3;
}

static void answer(struct world *world, const struct record *command, enum outcome outcome,
                   const char *code, int64_t in_ms)
{
    struct record reply = *command;
    reply.outcome = outcome;
    reply.code = code;
    if (outcome == OUTCOME_SUCCESS && command->op != OP_COMPENSATE) {
        struct buffer payload = buffer_in(&world->arena);
        struct record action = *command; /* a probe tells the action's output */
        action.op = OP_ACTION;
        buffer_add_format(&payload, "{\"v\" : %u.50,\"key\":\"%u/%d\"}",
                          (unsigned)(hash_of(world, &action, 0) % 60), command->step,
                          command->index);
        reply.payload = buffer_bytes(&payload);
    }
    if (outcome == OUTCOME_FAILURE && chance(world, 50)) {
        reply.payload = BYTES("{\"title\":\"No\",\"detail\":\"we would rather not\"}");
    }
    transport_replies(world, &reply, in_ms);
}

/* It only looks; but what never ran never will, or the answer would not be worth anything. */
static bool was_done(struct ledger *ledger)
{
    const bool done = ledger->row[OP_ACTION] && !ledger->row[OP_COMPENSATE];
    if (!done) ledger->never = true;
    return done;
}

/* saga_begin and saga_done in one: true when the effect stands, false when it is refused. */
static bool barrier_runs(struct world *world, const struct record *command, struct ledger *ledger)
{
    const bool barrier = world->mutant != MUTANT_NO_BARRIER;
    if (command->op == OP_PROBE) return was_done(ledger);
    if (barrier && ledger->row[command->op]) {
        counters[COUNT_BARRIER_REPLAYS]++;
        return true;
    }
    if (barrier && command->op == OP_ACTION && (ledger->row[OP_COMPENSATE] || ledger->never)) {
        counters[COUNT_BARRIER_REFUSALS]++;
        return false;
    }
    if (barrier && command->op == OP_COMPENSATE && !ledger->row[OP_ACTION]) {
        counters[COUNT_BARRIER_SKIPS]++;
        if (world->mutant != MUTANT_NO_TOMBSTONE) ledger->row[OP_COMPENSATE] = true;
        return true;
    }
    if (refuses(world, command, ledger)) return false;
    ledger->row[command->op] = true;
    ledger->effects[command->op]++;
    trace(world, "  effect %s of %u[%d]", op_name(command->op), command->step, command->index);
    if (ledger->effects[command->op] > 1) {
        violate(world, "S9", "saga %d step %u[%d]: %s took effect %u times", command->saga,
                command->step, command->index, op_name(command->op), ledger->effects[command->op]);
    }
    return true;
}

static void decide_it(struct world *world, const struct record *command, int64_t in_ms,
                      unsigned times)
{
    struct ledger *const ledger = ledger_of(world, command->saga, command->step, command->index);
    const bool stands = barrier_runs(world, command, ledger);
    for (unsigned i = 0; i < times; i++) {
        answer(world, command, stands ? OUTCOME_SUCCESS : OUTCOME_FAILURE,
               stands ? NULL : "refused", in_ms + (int64_t)(i * below(world, 300)));
    }
}

/* It says the one and the other; whatever comes first counts, so this key proves nothing. */
static void contradict(struct world *world, const struct record *command)
{
    struct ledger *const ledger = ledger_of(world, command->saga, command->step, command->index);
    ledger->tainted = true;
    counters[COUNT_CONTRADICTIONS]++;
    decide_it(world, command, 5, 1);
    answer(world, command, OUTCOME_FAILURE, "changed_my_mind", (int64_t)below(world, 50));
    answer(world, command, OUTCOME_SUCCESS, NULL, (int64_t)below(world, 50));
    answer(world, command, OUTCOME_RETRY, "or_not", (int64_t)below(world, 50));
}

static void ask_for_retry(struct world *world, const struct record *command, const char *code,
                          bool stated)
{
    struct record reply = *command;
    *retried(world, command) |= attempt_bit(command->attempt);
    reply.outcome = OUTCOME_RETRY;
    reply.code = code;
    reply.delay_stated = stated;
    reply.delay_ms = below(world, 400);
    transport_replies(world, &reply, (int64_t)below(world, 100));
}

static void end_later(struct world *world, const struct record *command, int64_t in_ms)
{
    schedule(world, in_ms, (struct happening){.kind = HAPPENS_JOB, .record = *command});
}

static void send_garbage(struct world *world, const struct record *command)
{
    struct record reply = *command;
    reply.malformed = true;
    transport_replies(world, &reply, 1);
    transport_replies(world, &reply, 3);
    end_later(world, command, (int64_t)below(world, 100));
}

void participant_ends_job(struct world *world, const struct record *command)
{
    decide_it(world, command, 1, 1);
}

void participant_takes(struct world *world, const struct record *command)
{
    switch (behaviour_of(world, command)) {
    case BEHAVE_ANSWER: decide_it(world, command, (int64_t)below(world, 40), 1); break;
    case BEHAVE_ANSWER_LATE: decide_it(world, command, (int64_t)below(world, 4000), 1); break;
    case BEHAVE_ANSWER_TWICE: decide_it(world, command, (int64_t)below(world, 60), 2); break;
    case BEHAVE_CONTRADICT: contradict(world, command); break;
    case BEHAVE_RETRY: ask_for_retry(world, command, "busy", false); break;
    case BEHAVE_RETRY_STATED: ask_for_retry(world, command, "busy", true); break;
    case BEHAVE_HOPELESS: ask_for_retry(world, command, "hopeless", false); break;
    case BEHAVE_SILENT: break;
    case BEHAVE_SILENT_EFFECT:
        (void)barrier_runs(world, command,
                           ledger_of(world, command->saga, command->step, command->index));
        break;
    case BEHAVE_PROGRESS:
        answer(world, command, OUTCOME_PROGRESS, NULL, (int64_t)below(world, 100));
        answer(world, command, OUTCOME_PROGRESS, NULL, 100 + (int64_t)below(world, 400));
        end_later(world, command, 100 + (int64_t)below(world, 900));
        break;
    case BEHAVE_PENDING:
        answer(world, command, OUTCOME_PENDING, NULL, (int64_t)below(world, 50));
        end_later(world, command, (int64_t)below(world, 2500));
        break;
    case BEHAVE_GARBLED: send_garbage(world, command); break;
    case BEHAVIOUR_COUNT: break;
    }
}
