/*
 * sagas/definition/read_definition.c
 *   The outermost object.
 */
#include "sagas/definition/members.h"

#include <string.h>

enum { DESCRIPTION_LENGTH_MAX = 2000, LABEL_LENGTH_MAX = 200 };

static const char *const ON_TIMEOUTS[] = {"compensate", "pause", NULL};

/* ---- defaults ---- */

static const struct retry_policy ACTION_RETRY = {
    .max_attempts = 5,
    .initial_ms = 500,
    .max_ms = UINT64_C(30) * 1000,
    .multiplier = 2,
    .jitter = JITTER_FULL,
};
static const struct retry_policy COMPENSATION_RETRY = {
    .max_attempts = 0,
    .initial_ms = 1000,
    .max_ms = UINT64_C(5) * 60 * 1000,
    .multiplier = 2,
    .jitter = JITTER_FULL,
    .max_elapsed_ms = UINT64_C(24) * 60 * 60 * 1000,
};
enum { STEP_TIMEOUT_MS = 30 * 1000 };

static void read_default_retry(struct draft *draft, const struct json_view *value,
                               const struct member *member, void *object)
{
    read_retry(draft, value, (void *)((char *)object + member->field));
}

/* clang-format off */
static const struct member DEFAULTS_MEMBERS[] = {
    {"timeout",            OPTIONAL, read_duration,      FIELD(draft, timeout_ms),         {0}},
    {"retry",              OPTIONAL, read_default_retry, FIELD(draft, retry),              {0}},
    {"compensation_retry", OPTIONAL, read_default_retry, FIELD(draft, compensation_retry), {0}},
};
/* clang-format on */
static const struct shape DEFAULTS = {"the defaults", DEFAULTS_MEMBERS,
                                      sizeof(DEFAULTS_MEMBERS) / sizeof(*DEFAULTS_MEMBERS), false};

/* ---- readers of the outermost object; `object` is the struct definition ---- */

static void read_name(struct draft *draft, const struct json_view *value,
                      const struct member *member, void *object)
{
    if (value->type == VIEW_STRING && bytes_equal_text(value->string, "validate")) {
        problems_error(&draft->problems, value,
                       "the name `validate` is a path of the API; choose another");
        return;
    }
    read_ident(draft, value, member, object);
}

static bool is_label(struct draft *draft, const struct json_view *value)
{
    if (!expect_type(draft, value, VIEW_STRING, "a string: labels are text")) return false;
    if (text_length(value->string) > LABEL_LENGTH_MAX) {
        problems_error(&draft->problems, value, "a label has at most %d characters, not %zu",
                       LABEL_LENGTH_MAX, text_length(value->string));
        return false;
    }
    if (has_controls(value->key) || has_controls(value->string)) {
        problems_error(&draft->problems, value, "a label must not hold control characters");
        return false;
    }
    return true;
}

static void read_labels(struct draft *draft, const struct json_view *value,
                        const struct member *member, void *object)
{
    (void)member;
    struct definition *definition = object;
    if (!expect_type(draft, value, VIEW_OBJECT, "an object of strings")) return;
    if (value->count > DEFINITION_LABELS_MAX) {
        problems_error(&draft->problems, value, "a definition has at most %d labels, not %u",
                       DEFINITION_LABELS_MAX, value->count);
        return;
    }
    for (const struct json_view *label = value->child; label != NULL; label = label->next) {
        (void)is_label(draft, label);
    }
    struct buffer compact = buffer_in(draft->arena);
    json_write_compact(&compact, value);
    definition->labels = buffer_bytes(&compact);
}

static void read_attributes(struct draft *draft, const struct json_view *value,
                            const struct member *member, void *object)
{
    static const struct member VALUE = {.field = FIELD(attribute, value)};
    (void)member;
    struct definition *definition = object;
    if (!expect_type(draft, value, VIEW_OBJECT, "an object of expressions")) return;
    if (value->count > DEFINITION_ATTRIBUTES_MAX) {
        problems_error(&draft->problems, value, "a definition has at most %d attributes, not %u",
                       DEFINITION_ATTRIBUTES_MAX, value->count);
        return;
    }
    struct attribute *attributes = arena_array(draft->arena, value->count + 1, sizeof(*attributes));
    size_t count = 0;
    draft->scope = SCOPE_START;
    for (const struct json_view *item = value->child; item != NULL; item = item->next) {
        if (!is_ident(item->key)) {
            problems_error(&draft->problems, item, "`%s` is no name; %s",
                           shown_text(item->key).text, IDENT_RULE);
            continue;
        }
        attributes[count].name = bytes_copy(draft->arena, item->key);
        read_expression(draft, item, &VALUE, &attributes[count]);
        count++;
    }
    definition->attributes = attributes;
    definition->attribute_count = count;
}

/* RFC 6901: empty, or `/` first; `~` only as `~0` and `~1`. */
static bool is_pointer(struct bytes text)
{
    if (text.size > 0 && text.data[0] != '/') return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '~') continue;
        if (i + 1 == text.size || (text.data[i + 1] != '0' && text.data[i + 1] != '1')) {
            return false;
        }
    }
    return true;
}

/* What is masked is a saga's, not the definition's. */
static bool masks_something(struct bytes pointer)
{
    static const char *const ROOTS[] = {"/input", "/output", "/steps"};
    for (size_t i = 0; i < sizeof(ROOTS) / sizeof(*ROOTS); i++) {
        const size_t size = strlen(ROOTS[i]);
        if (pointer.size < size || memcmp(pointer.data, ROOTS[i], size) != 0) continue;
        if (pointer.size == size || pointer.data[size] == '/') return true;
    }
    return pointer.size == 0;
}

static void read_redact(struct draft *draft, const struct json_view *value,
                        const struct member *member, void *object)
{
    (void)member;
    struct definition *definition = object;
    if (!expect_type(draft, value, VIEW_ARRAY, "a list of JSON Pointers")) return;
    struct bytes *pointers = arena_array(draft->arena, value->count + 1, sizeof(*pointers));
    size_t count = 0;
    for (const struct json_view *item = value->child; item != NULL; item = item->next) {
        if (!expect_type(draft, item, VIEW_STRING, "a JSON Pointer")) continue;
        if (!is_pointer(item->string)) {
            problems_error(&draft->problems, item,
                           "`%s` is no JSON Pointer; write it like `/input/card`",
                           shown_text(item->string).text);
            continue;
        }
        if (!masks_something(item->string)) {
            problems_warning(&draft->problems, item,
                             "masks nothing; begin with `/input`, `/output` or "
                             "`/steps/<id>/output`");
        }
        pointers[count++] = bytes_copy(draft->arena, item->string);
    }
    definition->redact = pointers;
    definition->redact_count = count;
}

/* clang-format off */
static const struct member CONCURRENCY_MEMBERS[] = {
    {"limit", REQUIRED, read_count,      FIELD(concurrency, limit), {.low = 1, .high = UINT32_MAX}},
    {"key",   OPTIONAL, read_expression, FIELD(concurrency, key),   {0}},
};
/* clang-format on */
static const struct shape CONCURRENCY = {"the concurrency", CONCURRENCY_MEMBERS,
                                         sizeof(CONCURRENCY_MEMBERS) / sizeof(*CONCURRENCY_MEMBERS),
                                         false};

static void read_concurrency(struct draft *draft, const struct json_view *value,
                             const struct member *member, void *object)
{
    (void)member;
    struct definition *definition = object;
    struct concurrency *concurrency = arena_alloc(draft->arena, sizeof(*concurrency));
    draft->scope = SCOPE_START;
    if (read_shape(draft, value, &CONCURRENCY, concurrency)) definition->concurrency = concurrency;
}

static void read_output(struct draft *draft, const struct json_view *value,
                        const struct member *member, void *object)
{
    draft->scope = SCOPE_END;
    read_template(draft, value, member, object);
}

static void read_description(struct draft *draft, const struct json_view *value,
                             const struct member *member, void *object)
{
    static const struct member HERE = {.limits = {.high = DESCRIPTION_LENGTH_MAX}};
    (void)member;
    (void)object;
    struct bytes description;
    read_text(draft, value, &HERE, &description);
}

/* `steps` must be read after `defaults`, wherever they stand. */
static void read_later(struct draft *draft, const struct json_view *value,
                       const struct member *member, void *object)
{
    (void)object;
    *(const struct json_view **)(void *)((char *)draft + member->field) = value;
}

/* clang-format off */
static const struct member DEFINITION_MEMBERS[] = {
    {"$schema",      OPTIONAL, read_nothing,     0,                                 {0}},
    {"name",         REQUIRED, read_name,        FIELD(definition, name),           {0}},
    {"version",      OPTIONAL, read_count,       FIELD(definition, stated_version), {.low = 1, .high = UINT32_MAX}},
    {"description",  OPTIONAL, read_description, 0,                                 {0}},
    {"labels",       OPTIONAL, read_labels,      0,                                 {0}},
    {"input_schema", OPTIONAL, read_schema,      FIELD(definition, input_schema),   {0}},
    {"timeout",      OPTIONAL, read_duration,    FIELD(definition, timeout_ms),     {0}},
    {"on_timeout",   OPTIONAL, read_word,        FIELD(definition, on_timeout),     {.words = ON_TIMEOUTS}},
    {"concurrency",  OPTIONAL, read_concurrency, 0,                                 {0}},
    {"defaults",     OPTIONAL, read_later,       FIELD(draft, defaults_view),       {0}},
    {"attributes",   OPTIONAL, read_attributes,  0,                                 {0}},
    {"redact",       OPTIONAL, read_redact,      0,                                 {0}},
    {"steps",        REQUIRED, read_later,       FIELD(draft, steps_view),          {0}},
    {"output",       OPTIONAL, read_output,      FIELD(definition, output),         {0}},
};
/* clang-format on */

static const struct shape DEFINITION = {"a definition", DEFINITION_MEMBERS,
                                        sizeof(DEFINITION_MEMBERS) / sizeof(*DEFINITION_MEMBERS),
                                        true};

void read_definition(struct draft *draft)
{
    draft->timeout_ms = STEP_TIMEOUT_MS;
    draft->retry = ACTION_RETRY;
    draft->compensation_retry = COMPENSATION_RETRY;
    if (!read_shape(draft, draft->root, &DEFINITION, draft->definition)) return;
    if (draft->defaults_view != NULL) {
        (void)read_shape(draft, draft->defaults_view, &DEFAULTS, draft);
    }
    if (draft->steps_view != NULL) read_steps(draft, draft->steps_view);
}
