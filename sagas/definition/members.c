#include "sagas/definition/members.h"

#include "sagas/base/duration.h"
#include "sagas/definition/near.h"
#include "sagas/schema/schema.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static_assert(sizeof(enum jitter) == sizeof(unsigned), "read_word writes enums as unsigned");

static_assert(IDENT_SIZE_MAX == 100, "IDENT_RULE says so");
const char IDENT_RULE[] = "names are 1 to 100 letters, digits, `_` and `-`, a letter first";

static void *field_of(void *object, const struct member *member)
{
    return (char *)object + member->field;
}

/* ---- objects ---- */

static const struct member *find_member(const struct shape *shape, struct bytes name)
{
    for (size_t i = 0; i < shape->count; i++) {
        if (bytes_equal_text(name, shape->members[i].name)) return &shape->members[i];
    }
    return NULL;
}

static const char *nearest_member(const struct shape *shape, struct bytes name)
{
    const char *nearest = NULL;
    size_t most = near_limit(name);
    for (size_t i = 0; i < shape->count; i++) {
        const size_t distance = near_distance(name, bytes_of(shape->members[i].name), most);
        if (distance > most || (nearest != NULL && distance == most)) continue;
        nearest = shape->members[i].name;
        most = distance;
    }
    return nearest;
}

static void report_unknown(struct draft *draft, const struct shape *shape,
                           const struct json_view *value)
{
    const struct shown name = shown_text(value->key);
    if (!problems_guess(&draft->problems)) {
        problems_error(&draft->problems, value, "unknown member `%s`; leave it out", name.text);
        return;
    }
    const char *nearest = nearest_member(shape, value->key);
    if (nearest != NULL) {
        problems_error(&draft->problems, value, "unknown member `%s`; did you mean `%s`?",
                       name.text, nearest);
        return;
    }
    struct buffer known = buffer_in(draft->scratch);
    for (size_t i = 0; i < shape->count; i++) {
        buffer_add_format(&known, "%s%s", i == 0 ? "" : ", ", shape->members[i].name);
    }
    problems_error(&draft->problems, value, "unknown member `%s`; %s may have %s%s", name.text,
                   shape->what, known.data, shape->tool_members ? ", and `x-...` for tools" : "");
}

static bool is_tool_member(const struct shape *shape, struct bytes name)
{
    return shape->tool_members && name.size >= 2 && memcmp(name.data, "x-", 2) == 0;
}

static void read_member(struct draft *draft, const struct shape *shape,
                        const struct json_view *value, void *object)
{
    const struct member *member = find_member(shape, value->key);
    if (member == NULL) {
        if (!is_tool_member(shape, value->key)) report_unknown(draft, shape, value);
        return;
    }
    member->read(draft, value, member, object);
    const char *later = member->limits.later;
    if (later != NULL) problems_error(&draft->problems, value, "%s", later);
}

bool read_shape(struct draft *draft, const struct json_view *view, const struct shape *shape,
                void *object)
{
    if (view->type != VIEW_OBJECT) {
        problems_error(&draft->problems, view, "must be an object (%s), not %s", shape->what,
                       shown_type(view));
        return false;
    }
    for (const struct json_view *value = view->child; value != NULL; value = value->next) {
        read_member(draft, shape, value, object);
    }
    for (size_t i = 0; i < shape->count; i++) {
        const struct member *member = &shape->members[i];
        if (member->need == REQUIRED && json_view_member(view, member->name) == NULL) {
            problems_error(&draft->problems, view, "%s needs the member `%s`", shape->what,
                           member->name);
        }
    }
    return true;
}

/* ---- what values must be ---- */

bool expect_type(struct draft *draft, const struct json_view *view, enum json_view_type type,
                 const char *what)
{
    if (view->type == type) return true;
    problems_error(&draft->problems, view, "must be %s, not %s", what, shown_type(view));
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_ident(struct bytes text)
{
    if (text.size == 0 || text.size > IDENT_SIZE_MAX || !is_letter(text.data[0])) return false;
    for (size_t i = 1; i < text.size; i++) {
        const char c = text.data[i];
        if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '_' && c != '-') return false;
    }
    return true;
}

bool expect_ident(struct draft *draft, const struct json_view *view)
{
    if (!expect_type(draft, view, VIEW_STRING, "a name")) return false;
    if (is_ident(view->string)) return true;
    problems_error(&draft->problems, view, "`%s` is no name; %s", shown_text(view->string).text,
                   IDENT_RULE);
    return false;
}

size_t text_length(struct bytes text)
{
    size_t length = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (((unsigned char)text.data[i] & 0xC0U) != 0x80U) length++;
    }
    return length;
}

bool has_controls(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7F) return true;
    }
    return false;
}

/* ---- readers ---- */

void read_view(struct draft *draft, const struct json_view *value, const struct member *member,
               void *object)
{
    (void)draft;
    *(const struct json_view **)field_of(object, member) = value;
}

void read_text(struct draft *draft, const struct json_view *value, const struct member *member,
               void *object)
{
    if (!expect_type(draft, value, VIEW_STRING, "a string")) return;
    const size_t length = text_length(value->string);
    if (length < (size_t)member->limits.low || length > (size_t)member->limits.high) {
        problems_error(&draft->problems, value,
                       "must have %" PRId64 " to %" PRId64 " characters, not %zu",
                       member->limits.low, member->limits.high, length);
        return;
    }
    *(struct bytes *)field_of(object, member) = bytes_copy(draft->arena, value->string);
}

void read_ident(struct draft *draft, const struct json_view *value, const struct member *member,
                void *object)
{
    if (!expect_ident(draft, value)) return;
    *(struct bytes *)field_of(object, member) = bytes_copy(draft->arena, value->string);
}

void read_duration(struct draft *draft, const struct json_view *value, const struct member *member,
                   void *object)
{
    static const char WHAT[] = "a duration such as \"500ms\", \"1h30m\" or \"PT1H30M\"";
    if (!expect_type(draft, value, VIEW_STRING, WHAT)) return;
    uint64_t ms = 0;
    if (!duration_parse(value->string, &ms)) {
        problems_error(&draft->problems, value,
                       "`%s` is no duration; write it as %s, at most 10 years",
                       shown_text(value->string).text, WHAT + strlen("a duration such as "));
    } else if (ms == 0) {
        problems_error(&draft->problems, value, "must be longer than 0; the shortest is \"1ms\"");
    } else {
        *(uint64_t *)field_of(object, member) = ms;
    }
}

void read_count(struct draft *draft, const struct json_view *value, const struct member *member,
                void *object)
{
    assert(member->limits.low >= 0 && member->limits.high <= UINT32_MAX);
    int64_t count = 0;
    if (!json_view_int64(value, &count) || count < member->limits.low ||
        count > member->limits.high) {
        problems_error(&draft->problems, value,
                       "must be a whole number from %" PRId64 " to %" PRId64, member->limits.low,
                       member->limits.high);
        return;
    }
    *(uint32_t *)field_of(object, member) = (uint32_t)count;
}

void read_flag(struct draft *draft, const struct json_view *value, const struct member *member,
               void *object)
{
    if (value->type != VIEW_TRUE && value->type != VIEW_FALSE) {
        problems_error(&draft->problems, value, "must be true or false, not %s", shown_type(value));
        return;
    }
    *(bool *)field_of(object, member) = value->type == VIEW_TRUE;
}

static void report_word(struct draft *draft, const struct json_view *value,
                        const char *const *words)
{
    struct buffer known = buffer_in(draft->scratch);
    for (size_t i = 0; words[i] != NULL; i++) {
        const char *between = i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ";
        buffer_add_format(&known, "%s\"%s\"", between, words[i]);
    }
    if (value->type == VIEW_STRING) {
        problems_error(&draft->problems, value, "must be %s, not \"%s\"", known.data,
                       shown_text(value->string).text);
    } else {
        problems_error(&draft->problems, value, "must be %s, not %s", known.data,
                       shown_type(value));
    }
}

void read_word(struct draft *draft, const struct json_view *value, const struct member *member,
               void *object)
{
    for (unsigned i = 0; value->type == VIEW_STRING && member->limits.words[i] != NULL; i++) {
        if (!bytes_equal_text(value->string, member->limits.words[i])) continue;
        memcpy(field_of(object, member), &i, sizeof(i));
        return;
    }
    report_word(draft, value, member->limits.words);
}

void pending_add(struct draft *draft, struct pending pending)
{
    struct pending *kept = arena_alloc(draft->scratch, sizeof(*kept));
    *kept = pending;
    kept->scope = draft->scope;
    kept->step = draft->step;
    kept->next = NULL;
    *draft->pending_end = kept;
    draft->pending_end = &kept->next;
}

void read_expression(struct draft *draft, const struct json_view *value,
                     const struct member *member, void *object)
{
    static const char WHAT[] = "exactly one expression such as \"${input.total > 500}\"";
    if (!expect_type(draft, value, VIEW_STRING, WHAT)) return;
    const struct bytes text = value->string;
    if (text.size < 3 || memcmp(text.data, "${", 2) != 0 || text.data[text.size - 1] != '}') {
        problems_error(&draft->problems, value, "must be %s", WHAT);
        return;
    }
    pending_add(draft, (struct pending){.view = value, .expression = field_of(object, member)});
}

void read_template(struct draft *draft, const struct json_view *value, const struct member *member,
                   void *object)
{
    pending_add(draft, (struct pending){.view = value, .template = field_of(object, member)});
}

static void report_schema(void *context, enum schema_level level, const struct json_view *at,
                          const char *detail)
{
    struct draft *const draft = context;
    if (level == SCHEMA_WARNING || draft->rules->stored) {
        problems_warning(&draft->problems, at, "%s", detail);
    } else {
        problems_error(&draft->problems, at, "%s", detail);
    }
}

void read_schema(struct draft *draft, const struct json_view *value, const struct member *member,
                 void *object)
{
    if (value->type != VIEW_OBJECT && value->type != VIEW_TRUE && value->type != VIEW_FALSE) {
        problems_error(&draft->problems, value,
                       "must be a JSON Schema (an object or a boolean), not %s", shown_type(value));
        return;
    }
    const struct schema_compiler compiler = {
        .arena = draft->arena,
        .scratch = draft->scratch,
        .room = &draft->schema_room,
        .say = report_schema,
        .context = draft,
    };
    *(const struct schema **)field_of(object, member) = schema_compile(value, &compiler);
}

void read_nothing(struct draft *draft, const struct json_view *value, const struct member *member,
                  void *object)
{
    (void)member;
    (void)object;
    (void)expect_type(draft, value, VIEW_STRING, "a string");
}
