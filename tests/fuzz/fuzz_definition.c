/*
 * tests/fuzz/fuzz_definition.c
 *   Any bytes as a definition: an answer comes, and it is consistent.
 */
#include "tests/fuzz/fuzz.h"

#include "sagas/definition/definition.h"

#include <assert.h>
#include <string.h>

static void no_hash(const void *data, size_t size, uint8_t ret_hash[DEFINITION_HASH_SIZE])
{
    assert(size > 0 && data != NULL);
    memset(ret_hash, 0, DEFINITION_HASH_SIZE);
}

/* Pointers are empty or begin with a slash; details say something. */
static void check_problems(const struct definition_problem *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert(list[i].pointer.size == 0 || list[i].pointer.data[0] == '/');
        assert(list[i].detail.size > 0);
    }
}

static void check_step(const struct definition *definition, size_t position)
{
    const struct step *step = &definition->steps[position];
    assert(step->position == position);
    assert(definition_find_step(definition, step->id) == (int)position);
    assert((step->signal != NULL) == (step->kind == STEP_SIGNAL));
    assert((step->delay != NULL) == (step->kind == STEP_DELAY));
    assert((step->probe != NULL) == (step->on_unknown == ON_UNKNOWN_PROBE));
    if (step->kind == STEP_ACTION) {
        assert(step->action.topic.size > 0 && step->action.type.size > 0);
        assert(step->action.retry.initial_ms > 0 && step->action.retry.multiplier >= 1);
    }
    for (size_t i = 0; i < step->need_count; i++) {
        assert(step->needs[i] < definition->step_count && step->needs[i] != position);
    }
    assert(!step->after_pivot || definition->pivot >= 0);
    assert(step->undo != UNDO_COMMAND || !step->after_pivot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct definition_rules rules = {.topics_allow = NULL};
    const struct bytes text = {(const char *)data, size};
    struct arena arena = {0};
    struct definition_report report;
    struct definition *definition = definition_parse(text, &rules, no_hash, &arena, &report);
    assert((definition == NULL) == (report.error_count > 0));
    check_problems(report.errors, report.error_count);
    check_problems(report.warnings, report.warning_count);
    for (size_t i = 0; definition != NULL && i < definition->step_count; i++) {
        check_step(definition, i);
    }
    definition_free(definition);
    arena_done(&arena);
    return 0;
}
