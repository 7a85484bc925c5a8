/*
 * sagas/definition/compile.c
 *   Expressions of a definition, each with the names that its place may read.
 */
#include "sagas/definition/draft.h"

#include <string.h>

/* What the expressions of one step may read; kept from one pending expression to the next. */
struct visibility {
    int step;
    bool visible[DEFINITION_STEPS_MAX];
};

static void show_steps_before(struct visibility *visibility, const struct draft *draft, int step)
{
    if (visibility->step == step) return;
    visibility->step = step;
    for (size_t i = 0; i < draft->step_count; i++) {
        visibility->visible[i] =
            draft->graph.unsure[step] || graph_is_above(&draft->graph, (size_t)step, i);
    }
}

static void show_all_steps(struct visibility *visibility)
{
    visibility->step = -1;
    memset(visibility->visible, true, sizeof(visibility->visible));
}

static struct expression_names names_for(const struct draft *draft, const struct pending *pending,
                                         struct visibility *visibility, const struct bytes *ids)
{
    struct expression_names names = {.step_ids = ids, .step_count = draft->step_count};
    if (pending->scope == SCOPE_START) return names;
    names.step_visible = visibility->visible;
    if (pending->scope == SCOPE_END) {
        show_all_steps(visibility);
        return names;
    }
    show_steps_before(visibility, draft, pending->step);
    if (pending->scope == SCOPE_GATE) return names;
    const struct foreach *foreach = draft->steps[pending->step].foreach;
    if (foreach != NULL) {
        names.item = foreach->as;
        names.index = true;
    }
    names.output = pending->scope == SCOPE_UNDO;
    return names;
}

struct reporting {
    struct draft *draft;
    const struct json_view *at;
};

static void report_inside(void *context, struct bytes pointer, const char *detail)
{
    const struct reporting *reporting = context;
    problems_error_below(&reporting->draft->problems, reporting->at, pointer, detail);
}

static void compile_one(struct draft *draft, const struct pending *pending,
                        const struct expression_names *names)
{
    if (pending->template != NULL) {
        struct reporting reporting = {.draft = draft, .at = pending->view};
        (void)template_compile(pending->view, names, draft->arena, report_inside, &reporting,
                               pending->template);
        return;
    }
    const struct bytes text = pending->view->string; /* "${...}" */
    struct expression_error error;
    if (!expression_compile((struct bytes){text.data + 2, text.size - 3}, names, draft->arena,
                            pending->expression, &error)) {
        problems_error(&draft->problems, pending->view, "%s", error.detail);
    }
}

void compile_pending(struct draft *draft)
{
    struct bytes *ids = arena_array(draft->scratch, draft->step_count + 1, sizeof(*ids));
    for (size_t i = 0; i < draft->step_count; i++) {
        ids[i] = draft->steps[i].id;
    }
    struct visibility visibility = {.step = -1};
    for (const struct pending *pending = draft->pending; pending != NULL; pending = pending->next) {
        /* Where no step could be read, none can be missed. */
        if (pending->scope == SCOPE_END && draft->step_count == 0) continue;
        const struct expression_names names = names_for(draft, pending, &visibility, ids);
        compile_one(draft, pending, &names);
    }
}
