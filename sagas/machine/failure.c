#include "sagas/machine/failure.h"

#include "sagas/machine/turn.h"

/* What raises ATTENTION_RETRYING. */
static bool is_retrying(const struct step_run *run)
{
    const bool out = run->state == STEP_DISPATCHED || run->state == STEP_COMPENSATING;
    const bool again = out && (run->attempt > 1 || run->op == OP_PROBE);
    return run->state == STEP_RETRYING || run->next_attempt_at_ms != 0 || again;
}

static struct bytes code_of(const struct saga_error *error)
{
    return error->code[0] == '\0' ? (struct bytes){0} : bytes_of(error->code);
}

static struct failure retrying_of(const struct saga *saga)
{
    for (struct run_walk walk = walk_of(saga); walk_on(&walk);) {
        const struct step_run *const run = walk.ref.run;
        if (!is_retrying(run)) continue;
        return (struct failure){FAILURE_RETRYING, walk.ref.step->id, run->op, code_of(&run->error)};
    }
    return (struct failure){.state = FAILURE_RETRYING};
}

struct failure saga_failure(const struct saga *saga)
{
    if ((saga->attention & (ATTENTION_STUCK | ATTENTION_RETRYING)) == 0) {
        return (struct failure){0};
    }
    if (saga->state != SAGA_STUCK) return retrying_of(saga);
    return (struct failure){
        .state = FAILURE_STUCK,
        .step = saga->error_step,
        .op = saga->error_step.data == NULL ? OP_ACTION : saga->error_op,
        .code = code_of(&saga->error),
    };
}

/* FNV-1a */
static uint64_t hash_on(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *const byte = data;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ byte[i]) * 0x100000001b3U;
    }
    return hash;
}

uint64_t failure_key(const struct failure *failure, int64_t definition_id)
{
    static const uint8_t END = 0; /* neither ids nor codes hold it */
    if (failure->state == FAILURE_NONE) return 0;
    uint8_t numbers[2 + sizeof(definition_id)] = {(uint8_t)failure->state, (uint8_t)failure->op};
    for (size_t i = 0; i < sizeof(definition_id); i++) {
        numbers[2 + i] = (uint8_t)((uint64_t)definition_id >> (8 * i));
    }
    uint64_t hash = hash_on(0xcbf29ce484222325U, numbers, sizeof(numbers));
    hash = hash_on(hash, failure->step.data, failure->step.size);
    hash = hash_on(hash, &END, sizeof(END));
    hash = hash_on(hash, failure->code.data, failure->code.size);
    return hash == 0 ? 1 : hash;
}

static const char *const STATE_NAMES[] = {
    [FAILURE_NONE] = "none",
    [FAILURE_RETRYING] = "retrying",
    [FAILURE_STUCK] = "stuck",
};

const char *failure_state_name(enum failure_state state)
{
    return STATE_NAMES[state];
}

bool failure_state_parse(struct bytes name, enum failure_state *ret_state)
{
    *ret_state = bytes_equal_text(name, "stuck") ? FAILURE_STUCK : FAILURE_RETRYING;
    return bytes_equal_text(name, STATE_NAMES[*ret_state]);
}
