#include "sagas/definition/definition.h"

#include "sagas/definition/content.h"
#include "sagas/definition/draft.h"
#include "sagas/schema/schema.h"

#include <stdlib.h>
#include <string.h>

static struct definition *definition_new(struct bytes text)
{
    struct arena arena = {0};
    struct definition *definition = arena_alloc(&arena, sizeof(*definition));
    definition->source = bytes_copy(&arena, text);
    definition->labels = BYTES("{}");
    definition->pivot = -1;
    definition->arena = arena;
    return definition;
}

void definition_free(struct definition *definition)
{
    if (definition == NULL) return;
    struct arena arena = definition->arena; /* it lives in there itself */
    arena_done(&arena);
}

static void report_json_error(struct draft *draft, struct bytes text,
                              const struct json_error *error)
{
    size_t line = 1;
    size_t line_start = 0;
    for (size_t i = 0; i < error->offset && i < text.size; i++) {
        if (text.data[i] != '\n') continue;
        line++;
        line_start = i + 1;
    }
    problems_error(&draft->problems, NULL, "no JSON: %s (line %zu, byte %zu of it)", error->what,
                   line, error->offset - line_start + 1);
}

static void draft_check(struct draft *draft, struct bytes text)
{
    struct json_error error;
    if (!json_view_parse(text, draft->scratch, &draft->root, &error)) {
        draft->root = NULL;
        report_json_error(draft, text, &error);
        return;
    }
    read_definition(draft);
    graph_build(draft);
    compile_pending(draft);
    check_rules(draft);
}

static struct definition *parse(struct bytes text, const struct definition_rules *rules,
                                definition_hash *hash, struct draft *draft,
                                struct definition_report *ret_report)
{
    if (text.size > DEFINITION_SIZE_MAX) {
        problems_error(&draft->problems, NULL, "a definition has at most %d bytes, not %zu",
                       DEFINITION_SIZE_MAX, text.size);
        problems_report(&draft->problems, NULL, ret_report);
        return NULL;
    }
    struct definition *definition = definition_new(text);
    draft->definition = definition;
    draft->arena = &definition->arena;
    draft->rules = rules;
    draft->step = -1;
    draft->schema_room = SCHEMA_ROOM;
    draft->pending_end = &draft->pending;
    draft_check(draft, definition->source);
    problems_report(&draft->problems, draft->root, ret_report);
    if (ret_report->error_count > 0) {
        definition_free(definition);
        return NULL;
    }
    const struct bytes content = definition_content(draft->root, draft->scratch);
    hash(content.data, content.size, definition->hash);
    return definition;
}

struct definition *definition_parse(struct bytes text, const struct definition_rules *rules,
                                    definition_hash *hash, struct arena *report_arena,
                                    struct definition_report *ret_report)
{
    struct arena scratch = {0};
    struct draft draft = {.scratch = &scratch, .problems = {.arena = report_arena}};
    *ret_report = (struct definition_report){0};
    struct definition *definition = parse(text, rules, hash, &draft, ret_report);
    arena_done(&scratch);
    return definition;
}

struct wanted {
    const struct step *steps;
    struct bytes id;
};

static int by_wanted_id(const void *key, const void *element)
{
    const struct wanted *wanted = key;
    return bytes_compare(wanted->id, wanted->steps[*(const uint16_t *)element].id);
}

int definition_find_step(const struct definition *definition, struct bytes id)
{
    if (definition->step_count == 0) return -1;
    const struct wanted wanted = {.steps = definition->steps, .id = id};
    const uint16_t *found =
        bsearch(&wanted, definition->by_id, definition->step_count, sizeof(*found), by_wanted_id);
    return found == NULL ? -1 : (int)*found;
}

bool definition_waits_for(const struct definition *definition, struct bytes signal_name)
{
    for (size_t i = 0; i < definition->step_count; i++) {
        const struct signal_wait *const signal = definition->steps[i].signal;
        if (signal != NULL && bytes_equal(signal->name, signal_name)) return true;
    }
    return false;
}
