/* A saga's place among those that may be open at once: in line, granted, given back at the end. */
#include "sagas/machine/turn.h"

/* The key was evaluated when the start was taken, so it fails only where nobody asked. */
static void get_in_line(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    struct bytes key = {0};
    struct expression_error error;
    if (!saga_lock_key(saga, turn->context->arena, &key, &error)) {
        turn_back(
            turn, NULL,
            &(struct saga_error){.code = "expression_error", .detail = bytes_of(error.detail)});
        return;
    }
    saga->lock = LOCK_AWAITED;
    saga->lock_key = bytes_copy(saga->arena, key);
    move_saga(turn, SAGA_QUEUE, &(struct detail){.key = key.size > 0 ? key : (struct bytes){0}});
}

bool must_wait_for_lock(struct turn *turn)
{
    const struct saga *const saga = turn->saga;
    if (saga->definition->concurrency == NULL || saga->lock == LOCK_HELD) return false;
    if (saga->lock == LOCK_NONE) get_in_line(turn);
    return true;
}

void release_lock(struct saga *saga)
{
    saga->lock = LOCK_NONE;
    saga->lock_key = (struct bytes){0};
}

/* Whoever pauses a saga in line pauses its start: its turn comes all the same, and it keeps it. */
enum verdict take_granted(struct turn *turn)
{
    struct saga *const saga = turn->saga;
    if (saga->lock != LOCK_AWAITED) return VERDICT_NOTHING;
    saga->lock = LOCK_HELD;
    move_saga(turn, SAGA_GRANT, &(struct detail){0});
    start_due(turn);
    return VERDICT_APPLIED;
}
