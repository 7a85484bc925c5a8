/*
 * sagas/definition/read_step.c
 *   Steps: what they do, and when.
 */
#include "sagas/definition/members.h"

#include <assert.h>
#include <string.h>

enum { KIND_COUNT = STEP_DELAY + 1 };

static const char *const ON_FAILURES[] = {"compensate", "ignore", "pause", NULL};
static const char *const ON_UNKNOWNS[] = {"compensate", "probe", "hold", NULL};
static const char *const SIGNAL_TIMEOUTS[] = {"fail", "continue", NULL};
static const char *const PARENT_COMPENSATIONS[] = {"compensate", "leave", NULL};

/* ---- the kinds of step ---- */

static void read_action(struct draft *draft, const struct json_view *value, struct step_draft *step)
{
    read_send(draft, value, &step->step->action);
}

/* clang-format off */
static const struct member CHILD_MEMBERS[] = {
    {"name",                 REQUIRED, read_ident,      FIELD(child_draft, name),                 {0}},
    {"version",              OPTIONAL, read_count,      FIELD(child_draft, version),              {.low = 1, .high = UINT32_MAX}},
    {"id",                   OPTIONAL, read_expression, FIELD(child_draft, id),                   {0}},
    {"input",                OPTIONAL, read_template,   FIELD(child_draft, input),                {0}},
    {"on_parent_compensate", OPTIONAL, read_word,       FIELD(child_draft, on_parent_compensate), {.words = PARENT_COMPENSATIONS}},
};
/* clang-format on */
static const struct shape CHILD = {"a child saga", CHILD_MEMBERS,
                                   sizeof(CHILD_MEMBERS) / sizeof(*CHILD_MEMBERS), false};

static void read_child(struct draft *draft, const struct json_view *value, struct step_draft *step)
{
    (void)read_shape(draft, value, &CHILD, &step->child);
}

struct signal_draft {
    struct signal_wait wait;
    unsigned on_timeout;
};

/* clang-format off */
static const struct member SIGNAL_MEMBERS[] = {
    {"name",       REQUIRED, read_ident,    FIELD(signal_draft, wait.name),       {0}},
    {"timeout",    OPTIONAL, read_duration, FIELD(signal_draft, wait.timeout_ms), {0}},
    {"on_timeout", OPTIONAL, read_word,     FIELD(signal_draft, on_timeout),      {.words = SIGNAL_TIMEOUTS}},
    {"schema",     OPTIONAL, read_schema,   FIELD(signal_draft, wait.schema),     {0}},
};
/* clang-format on */
static const struct shape SIGNAL = {"a signal", SIGNAL_MEMBERS,
                                    sizeof(SIGNAL_MEMBERS) / sizeof(*SIGNAL_MEMBERS), false};

static void read_signal(struct draft *draft, const struct json_view *value, struct step_draft *step)
{
    struct signal_draft *signal = arena_alloc(draft->arena, sizeof(*signal));
    step->step->signal = &signal->wait;
    (void)read_shape(draft, value, &SIGNAL, signal);
    signal->wait.continues_on_timeout = signal->on_timeout != 0;
    const struct json_view *on_timeout = json_view_member(value, "on_timeout");
    if (on_timeout == NULL || json_view_member(value, "timeout") != NULL) return;
    problems_warning(&draft->problems, on_timeout,
                     "without a `timeout` the signal is awaited for ever and this means nothing");
}

/* A duration, or an expression that gives one. */
static void read_for(struct draft *draft, const struct json_view *value,
                     const struct member *member, void *object)
{
    static const struct member EXPRESSION = {.field = FIELD(delay, for_expression)};
    const bool computed = value->type == VIEW_STRING && value->string.size >= 2 &&
                          memcmp(value->string.data, "${", 2) == 0;
    if (computed) {
        read_expression(draft, value, &EXPRESSION, object);
    } else {
        read_duration(draft, value, member, object);
    }
}

/* clang-format off */
static const struct member DELAY_MEMBERS[] = {
    {"for",   OPTIONAL, read_for,        FIELD(delay, for_ms), {0}},
    {"until", OPTIONAL, read_expression, FIELD(delay, until),  {0}},
};
/* clang-format on */
static const struct shape DELAY = {"a delay", DELAY_MEMBERS,
                                   sizeof(DELAY_MEMBERS) / sizeof(*DELAY_MEMBERS), false};

static void read_delay(struct draft *draft, const struct json_view *value, struct step_draft *step)
{
    struct delay *delay = arena_alloc(draft->arena, sizeof(*delay));
    step->step->delay = delay;
    if (!read_shape(draft, value, &DELAY, delay)) return;
    const bool lasts = json_view_member(value, "for") != NULL;
    const bool ends = json_view_member(value, "until") != NULL;
    if (lasts == ends) {
        problems_error(&draft->problems, value, "a delay has exactly one of `for` and `until`");
    }
}

/* `runs`: this version carries it out; else the structure is checked and the step refused. */
static const struct {
    const char *member;
    void (*read)(struct draft *draft, const struct json_view *value, struct step_draft *step);
    bool runs;
} KINDS[KIND_COUNT] = {
    [STEP_ACTION] = {"action", read_action, true },
    [STEP_CHILD] = {"saga",   read_child,  false},
    [STEP_SIGNAL] = {"signal", read_signal, true },
    [STEP_DELAY] = {"delay",  read_delay,  true },
};

static void read_kind(struct draft *draft, const struct json_view *value,
                      const struct member *member, void *object)
{
    struct step_draft *step = object;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(KINDS[i].member, member->name) != 0) continue;
        step->kinds[i] = value;
        draft->scope = SCOPE_ACTION;
        KINDS[i].read(draft, value, step);
    }
}

static void check_kind(struct draft *draft, struct step_draft *step)
{
    size_t count = 0;
    size_t kind = STEP_ACTION;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (step->kinds[i] == NULL) continue;
        kind = i;
        count++;
    }
    if (count != 1) {
        problems_error(&draft->problems, step->view,
                       "a step has exactly one of `action`, `saga`, `signal` and `delay`, this one "
                       "has %s",
                       count == 0 ? "none" : "more; make them steps of their own");
        return;
    }
    step->step->kind = (enum step_kind)kind;
    if (!KINDS[kind].runs) {
        problems_error(&draft->problems, step->kinds[kind],
                       "`%s` steps are not run by this version yet; leave the step out or let a "
                       "participant do it in an `action`",
                       KINDS[kind].member);
    }
}

/* ---- modifiers ---- */

/* Words that stand for something else in every expression. */
static bool is_taken(struct bytes name)
{
    static const char *const TAKEN[] = {"input", "steps", "saga", "index", "output",
                                        "true",  "false", "null", "in"};
    for (size_t i = 0; i < sizeof(TAKEN) / sizeof(*TAKEN); i++) {
        if (bytes_equal_text(name, TAKEN[i])) return true;
    }
    return false;
}

static void read_as(struct draft *draft, const struct json_view *value, const struct member *member,
                    void *object)
{
    if (!expect_ident(draft, value)) return;
    if (is_taken(value->string)) {
        problems_error(&draft->problems, value,
                       "`%s` has a meaning of its own in expressions; choose another name",
                       shown_text(value->string).text);
        return;
    }
    if (memchr(value->string.data, '-', value->string.size) != NULL) {
        problems_warning(&draft->problems, value,
                         "expressions read `-` as minus; use `_` in the name of the item");
    }
    read_ident(draft, value, member, object);
}

/* clang-format off */
static const struct member FOREACH_MEMBERS[] = {
    {"in",          REQUIRED, read_expression, FIELD(foreach, in),          {0}},
    {"as",          OPTIONAL, read_as,         FIELD(foreach, as),          {0}},
    {"concurrency", OPTIONAL, read_count,      FIELD(foreach, concurrency), {.low = 1, .high = FOREACH_ITEMS_MAX}},
    {"max_items",   OPTIONAL, read_count,      FIELD(foreach, max_items),   {.low = 1, .high = FOREACH_ITEMS_MAX}},
};
/* clang-format on */
static const struct shape FOREACH = {"a foreach", FOREACH_MEMBERS,
                                     sizeof(FOREACH_MEMBERS) / sizeof(*FOREACH_MEMBERS), false};

static void read_foreach(struct draft *draft, const struct json_view *value,
                         const struct member *member, void *object)
{
    (void)member;
    struct step_draft *step = object;
    struct foreach *foreach = arena_alloc(draft->arena, sizeof(*foreach));
    foreach
        ->as = BYTES("item");
    foreach
        ->concurrency = FOREACH_ITEMS_MAX;
    foreach
        ->max_items = FOREACH_ITEMS_MAX;
    step->foreach = value;
    step->step->foreach = foreach;
    draft->scope = SCOPE_GATE;
    (void)read_shape(draft, value, &FOREACH, foreach);
}

static void read_when(struct draft *draft, const struct json_view *value,
                      const struct member *member, void *object)
{
    static const struct member WHEN = {.field = FIELD(step, when)};
    (void)member;
    struct step_draft *step = object;
    step->when = value;
    draft->scope = SCOPE_GATE;
    read_expression(draft, value, &WHEN, step->step);
}

static void read_on_failure(struct draft *draft, const struct json_view *value,
                            const struct member *member, void *object)
{
    struct step_draft *step = object;
    step->on_failure = value;
    step->step->on_failure_stated = true;
    read_word(draft, value, member, step->step);
}

static void read_pivot(struct draft *draft, const struct json_view *value,
                       const struct member *member, void *object)
{
    struct step_draft *step = object;
    step->pivot = value;
    read_flag(draft, value, member, step->step);
}

static void read_on_unknown(struct draft *draft, const struct json_view *value,
                            const struct member *member, void *object)
{
    struct step_draft *step = object;
    step->on_unknown = value;
    read_word(draft, value, member, step->step);
}

static void read_probe(struct draft *draft, const struct json_view *value,
                       const struct member *member, void *object)
{
    (void)member;
    struct step_draft *step = object;
    struct send *probe = arena_alloc(draft->arena, sizeof(*probe));
    step->probe = value;
    step->step->probe = probe;
    draft->scope = SCOPE_ACTION;
    read_send(draft, value, probe);
    step->probe_send = probe;
}

static void read_undo(struct draft *draft, const struct json_view *value,
                      const struct member *member, void *object)
{
    (void)member;
    struct step_draft *step = object;
    step->compensation = value;
    step->step->undo = UNDO_NOTHING;
    if (value->type == VIEW_NULL) return;
    step->step->undo = UNDO_COMMAND;
    draft->scope = SCOPE_UNDO;
    read_compensation(draft, value, &step->step->compensation);
}

/* Expressions in it are those of an action. */
static void read_currency(struct draft *draft, const struct json_view *value,
                          const struct member *member, void *object)
{
    if (!expect_type(draft, value, VIEW_STRING, "a text such as \"EUR\"")) return;
    read_template(draft, value, member, object);
}

static void read_effect_kind(struct draft *draft, const struct json_view *value,
                             const struct member *member, void *object)
{
    if (value->type != VIEW_STRING || !has_controls(value->string)) {
        read_text(draft, value, member, object);
    } else if (!draft->rules->stored) {
        problems_error(&draft->problems, value, "a kind has no control characters");
    }
}

/* clang-format off */
static const struct member EFFECT_MEMBERS[] = {
    {"kind",     REQUIRED, read_effect_kind, FIELD(step_effect, kind),     {.low = 1, .high = 64}},
    {"amount",   OPTIONAL, read_expression,  FIELD(step_effect, amount),   {0}},
    {"currency", OPTIONAL, read_currency,    FIELD(step_effect, currency), {0}},
};
/* clang-format on */
static const struct shape EFFECT = {"an effect", EFFECT_MEMBERS,
                                    sizeof(EFFECT_MEMBERS) / sizeof(*EFFECT_MEMBERS), false};

static void read_effect(struct draft *draft, const struct json_view *value,
                        const struct member *member, void *object)
{
    (void)member;
    struct step_draft *step = object;
    struct step_effect *effect = arena_alloc(draft->arena, sizeof(*effect));
    draft->scope = SCOPE_ACTION;
    step->effect = value;
    if (read_shape(draft, value, &EFFECT, effect)) step->step->effect = effect;
}

static void check_effect(struct draft *draft, struct step_draft *step)
{
    if (step->effect == NULL) return;
    if (step->step->effect != NULL && step->step->effect->kind.data == NULL) {
        step->step->effect = NULL;
    }
    if (step_only_waits(step->step)) {
        problems_warning(&draft->problems, step->effect,
                         "a step that only waits has no effect: nothing is counted");
        step->step->effect = NULL;
    }
    if (step->step->effect != NULL) draft->definition->effect_count++;
}

/* ---- the step ---- */

/* clang-format off */
static const struct member STEP_MEMBERS[] = {
    {"id",           REQUIRED, read_view,       FIELD(step_draft, id),         {0}},
    {"name",         OPTIONAL, read_nothing,    0,                             {0}},
    {"description",  OPTIONAL, read_nothing,    0,                             {0}},
    {"depends_on",   OPTIONAL, read_view,       FIELD(step_draft, depends_on), {0}},
    {"when",         OPTIONAL, read_when,       0,                             {0}},
    {"foreach",      OPTIONAL, read_foreach,    0,                             {0}},
    {"on_failure",   OPTIONAL, read_on_failure, FIELD(step, on_failure),       {.words = ON_FAILURES}},
    {"on_unknown",   OPTIONAL, read_on_unknown, FIELD(step, on_unknown),       {.words = ON_UNKNOWNS}},
    {"probe",        OPTIONAL, read_probe,      0,                             {0}},
    {"pivot",        OPTIONAL, read_pivot,      FIELD(step, pivot),            {0}},
    {"effect",       OPTIONAL, read_effect,     0,                             {0}},
    {"action",       OPTIONAL, read_kind,       0,                             {0}},
    {"compensation", OPTIONAL, read_undo,       0,                             {0}},
    {"saga",         OPTIONAL, read_kind,       0,                             {0}},
    {"signal",       OPTIONAL, read_kind,       0,                             {0}},
    {"delay",        OPTIONAL, read_kind,       0,                             {0}},
};
/* clang-format on */

static const struct shape STEP = {"a step", STEP_MEMBERS,
                                  sizeof(STEP_MEMBERS) / sizeof(*STEP_MEMBERS), true};

/* An id that is no name is kept: others may refer to it, and are not to be blamed. */
static void read_id(struct draft *draft, struct step_draft *step)
{
    step->step->id = BYTES("");
    if (step->id == NULL || !expect_type(draft, step->id, VIEW_STRING, "a name")) return;
    (void)expect_ident(draft, step->id);
    step->step->id = bytes_copy(draft->arena, step->id->string);
}

static void read_step(struct draft *draft, const struct json_view *view, struct step_draft *step)
{
    step->view = view;
    step->step->undo = UNDO_UNDECLARED;
    if (!read_shape(draft, view, &STEP, step)) {
        step->step->id = BYTES("");
        return;
    }
    read_id(draft, step);
    check_kind(draft, step);
    check_effect(draft, step);
    if (step->step->action.type.data == NULL) step->step->action.type = step->step->id;
    if (step->step->compensation.type.data == NULL) step->step->compensation.type = step->step->id;
    if (step->probe != NULL && step->probe_send->type.data == NULL) {
        step->probe_send->type = step->step->id;
    }
    /* A wait has no effect of its own. */
    if (step_only_waits(step->step) && step->compensation == NULL) {
        step->step->undo = UNDO_NOTHING;
    }
}

void read_steps(struct draft *draft, const struct json_view *view)
{
    if (!expect_type(draft, view, VIEW_ARRAY, "a list of steps")) return;
    if (view->count == 0 || view->count > DEFINITION_STEPS_MAX) {
        problems_error(&draft->problems, view, "a saga has 1 to %d steps, not %u",
                       DEFINITION_STEPS_MAX, view->count);
        return;
    }
    draft->step_count = view->count;
    draft->steps = arena_array(draft->arena, view->count, sizeof(*draft->steps));
    draft->step_drafts = arena_array(draft->scratch, view->count, sizeof(*draft->step_drafts));
    const struct json_view *item = view->child;
    for (size_t i = 0; i < view->count; i++, item = item->next) {
        draft->step = (int)i;
        draft->steps[i].position = (uint16_t)i;
        draft->step_drafts[i].step = &draft->steps[i];
        read_step(draft, item, &draft->step_drafts[i]);
    }
    draft->step = -1;
    draft->definition->steps = draft->steps;
    draft->definition->step_count = (uint16_t)view->count;
}
