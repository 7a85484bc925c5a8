/*
 * orchestrator/engine/effects.c
 *   What the touched sagas have done that is neither confirmed nor undone, as far as it is another
 *   thing than what is stored. Sagas whose definition declares no effect are passed over.
 */
#include "orchestrator/engine/batch.h"
#include "sagas/machine/exposure.h"

#include <string.h>

/* What is stored of one saga: of each run of a step that declares an effect. */
struct stored_runs {
    uint8_t *exposed; /* an enum exposed each */
    uint32_t count;
};

struct stored_effects {
    const struct definition *definition;
    enum saga_state state;
    struct stored_runs *steps; /* by position */
    bool any;
};

/* ---- what is stored ---- */

/* A foreach is as wide as its list once that is known; nothing of it counts before. */
static struct stored_runs *stored_of(struct cached *cached, size_t position)
{
    struct stored_runs *const runs = &cached->effects->steps[position];
    const uint32_t count = cached->saga->steps[position].count;
    if (runs->count >= count) return runs;
    uint8_t *const more = arena_alloc(&cached->arena, count);
    memset(more, EXPOSED_NOT, count);
    if (runs->count > 0) memcpy(more, runs->exposed, runs->count);
    *runs = (struct stored_runs){more, count};
    return runs;
}

static void make_stored(struct cached *cached)
{
    struct arena *const arena = &cached->arena;
    const struct definition *const definition = cached->saga->definition;
    const size_t count = definition->step_count;
    cached->effects = arena_alloc(arena, sizeof(*cached->effects));
    cached->effects->definition = definition;
    cached->effects->steps = arena_array(arena, count, sizeof(*cached->effects->steps));
}

void effects_stored(struct cached *cached)
{
    const struct saga *const saga = cached->saga;
    const struct definition *const definition = saga->definition;
    if (cached->effects != NULL && cached->effects->definition != definition) {
        cached->effects = NULL; /* it was moved to another version */
    }
    if (definition->effect_count == 0) return;
    if (cached->effects == NULL) make_stored(cached);
    cached->effects->state = saga->state;
    cached->effects->any = false;
    for (size_t i = 0; i < definition->step_count; i++) {
        if (definition->steps[i].effect == NULL) continue;
        struct stored_runs *const runs = stored_of(cached, i);
        for (uint32_t k = 0; k < saga->steps[i].count; k++) {
            const enum exposed exposed =
                run_exposed(saga, &definition->steps[i], &saga->steps[i].run[k]);
            runs->exposed[k] = (uint8_t)exposed;
            cached->effects->any |= exposed != EXPOSED_NOT;
        }
    }
}

/* ---- what is to be written ---- */

static struct bytes text_or_empty(struct bytes text)
{
    return text.data == NULL ? BYTES("") : text;
}

static struct effect_write *more(struct batch *batch, const struct cached *cached,
                                 enum effect_change change)
{
    batch->effects = batch_grow(batch, batch->effects, batch->effect_count, &batch->effect_room,
                                sizeof(*batch->effects));
    struct effect_write *const write = &batch->effects[batch->effect_count++];
    *write = (struct effect_write){
        .change = change,
        .id = cached->id,
        .definition_id = cached->saga->definition->stored_id,
        .since_ms = batch->now_ms,
        .state = cached->saga->state,
    };
    return write;
}

static void note_run(struct batch *batch, struct cached *cached, const struct step *step,
                     uint32_t item)
{
    const struct saga *const saga = cached->saga;
    const struct step_runs *const runs = &saga->steps[step->position];
    const struct step_run *const run = &runs->run[item];
    const enum exposed now = run_exposed(saga, step, run);
    const enum exposed was = (enum exposed)stored_of(cached, step->position)->exposed[item];
    const bool moved = now != EXPOSED_NOT && saga->state != cached->effects->state;
    if (now == was && !moved) return;
    struct effect_write *const write =
        more(batch, cached, now == EXPOSED_NOT ? EFFECT_GONE : EFFECT_PUT);
    write->step = step->id;
    write->item = runs->expanded ? (int32_t)item : INDEX_NONE;
    write->unknown = now == EXPOSED_UNKNOWN;
    write->topic = text_or_empty(step->action.topic);
    write->kind = step->effect->kind;
    write->currency =
        text_or_empty(run->effect == NULL ? (struct bytes){0} : run->effect->currency);
    if (run->effect != NULL) write->amount = run->effect->amount;
}

static void note_saga(struct batch *batch, struct cached *cached)
{
    const struct definition *const definition = cached->saga->definition;
    const bool moved = cached->effects != NULL && cached->effects->definition != definition;
    if (moved) { /* under another version: written anew */
        if (cached->effects->any) (void)more(batch, cached, EFFECTS_ENDED);
        cached->effects = NULL;
    }
    if (definition->effect_count == 0) return;
    if (cached->effects == NULL) make_stored(cached);
    if (saga_is_finished(cached->saga->state)) {
        if (cached->effects->any) (void)more(batch, cached, EFFECTS_ENDED);
        return;
    }
    for (size_t i = 0; i < definition->step_count; i++) {
        if (definition->steps[i].effect == NULL) continue;
        for (uint32_t k = 0; k < cached->saga->steps[i].count; k++) {
            note_run(batch, cached, &definition->steps[i], k);
        }
    }
}

void batch_note_effects(struct batch *batch)
{
    batch->effects = NULL;
    batch->effect_count = batch->effect_room = 0;
    for (size_t i = 0; i < batch->touched_count; i++) {
        note_saga(batch, batch->touched[i]);
    }
}
