#include "sagas/machine/saga.h"

bool saga_is_finished(enum saga_state state)
{
    return state == SAGA_SUCCEEDED || state == SAGA_COMPENSATED || state == SAGA_TERMINATED;
}

struct saga *saga_new(struct arena *arena, const struct definition *definition)
{
    struct saga *const saga = arena_alloc(arena, sizeof(*saga));
    saga->definition = definition;
    saga->arena = arena;
    saga->steps = arena_array(arena, definition->step_count, sizeof(*saga->steps));
    struct step_run *const runs = arena_array(arena, definition->step_count, sizeof(*runs));
    for (size_t i = 0; i < definition->step_count; i++) {
        saga->steps[i] = (struct step_runs){.run = &runs[i], .count = 1};
    }
    return saga;
}
