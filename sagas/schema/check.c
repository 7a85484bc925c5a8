/*
 * sagas/schema/check.c
 *   A value against a schema.
 *
 * Faults add up as long as somebody wants to hear of them; where a schema is only tried (`anyOf`,
 * `not`, `if`, `contains`) the first fault ends it in silence.
 */
#include "sagas/base/utf8.h"
#include "sagas/schema/equal.h"
#include "sagas/schema/rule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { DETAIL_SIZE = 400, SHOWN_SIZE_MAX = 60, SIBLINGS_PER_OPERATION = 16 };

struct check {
    struct arena *arena;
    struct schema_report *report;
    struct budget budget;
    unsigned tries; /* more than 0: nobody wants to hear */
    unsigned depth;
};

/* A value and the way to it. */
struct place {
    const struct place *up;
    const struct json_view *view;
    size_t index; /* in a list */
};

/* ---- telling ---- */

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than the value, JSON_DEPTH_MAX */
static void write_pointer(struct buffer *pointer, const struct place *place)
{
    if (place->up == NULL) return;
    write_pointer(pointer, place->up);
    if (place->view->key.data != NULL) {
        json_pointer_add(pointer, place->view->key);
    } else {
        buffer_add_format(pointer, "/%zu", place->index);
    }
}

/* `member`: what is told of is a member of the place's object, which may not be there. */
__attribute__((format(printf, 4, 0))) static bool tell(struct check *check,
                                                       const struct place *place,
                                                       struct bytes member, const char *format,
                                                       va_list arguments)
{
    struct schema_report *const report = check->report;
    char detail[DETAIL_SIZE];
    if (check->tries > 0 || check->budget.spent) return false;
    if (report->count == SCHEMA_FAULTS_MAX) {
        report->more = true;
        return false;
    }
    struct buffer pointer = buffer_in(check->arena);
    buffer_add_text(&pointer, "");
    write_pointer(&pointer, place);
    if (member.data != NULL) json_pointer_add(&pointer, member);
    (void)vsnprintf(detail, sizeof(detail), format, arguments);
    const struct bytes told = utf8_prefix(bytes_of(detail), DETAIL_SIZE - UTF8_SIZE_MAX);
    report->fault[report->count++] = (struct schema_fault){
        .pointer = pointer.size == 0 ? BYTES("") : buffer_bytes(&pointer),
        .detail = bytes_copy(check->arena, told),
    };
    return false;
}

__attribute__((format(printf, 3, 4))) static bool
fault(struct check *check, const struct place *place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)tell(check, place, (struct bytes){0}, format, arguments);
    va_end(arguments);
    return false;
}

__attribute__((format(printf, 4, 5))) static bool member_fault(struct check *check,
                                                               const struct place *place,
                                                               struct bytes member,
                                                               const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)tell(check, place, member, format, arguments);
    va_end(arguments);
    return false;
}

static bool wants_more(const struct check *check)
{
    return check->tries == 0 && !check->budget.spent && !check->report->more;
}

static struct bytes shown(struct bytes text)
{
    return utf8_prefix(text, SHOWN_SIZE_MAX);
}

static const char *more_shown(struct bytes text)
{
    return text.size > SHOWN_SIZE_MAX ? "..." : "";
}

static const char *type_name(enum json_view_type type)
{
    switch (type) {
    case VIEW_NULL: return "null";
    case VIEW_FALSE:
    case VIEW_TRUE: return "a boolean";
    case VIEW_NUMBER: return "a number";
    case VIEW_STRING: return "a string";
    case VIEW_ARRAY: return "a list";
    case VIEW_OBJECT: return "an object";
    }
    abort();
}

/* ---- a node ---- */

/* NOLINTBEGIN(misc-no-recursion): no deeper than SCHEMA_DEPTH_MAX */

static bool all_rules_hold(struct check *check, const struct node *node, const struct place *place)
{
    const unsigned type = IS(place->view->type);
    bool right = true;
    for (const struct rule *rule = node->rules; rule != NULL; rule = rule->next) {
        if ((rule->applies & type) == 0 || rule->check(check, rule, place)) continue;
        right = false;
        if (!wants_more(check)) break;
    }
    return right;
}

static bool fits(struct check *check, const struct node *node, const struct place *place)
{
    if (!budget_take(&check->budget, 1)) return false;
    if (check->depth == SCHEMA_DEPTH_MAX) {
        check->budget.spent = true;
        return false;
    }
    if (node->never) return fault(check, place, "is not allowed here");
    check->depth++;
    const bool right = all_rules_hold(check, node, place);
    check->depth--;
    return right;
}

/* Only whether; nothing is told. */
static bool would_fit(struct check *check, const struct node *node, const struct place *place)
{
    check->tries++;
    const bool right = fits(check, node, place);
    check->tries--;
    return right;
}

/* ---- any value ---- */

static bool has_type(const struct json_view *view, unsigned types)
{
    if ((types & IS(view->type)) != 0) return true;
    return view->type == VIEW_NUMBER && (types & IS_WHOLE) != 0 && number_is_whole(view->text);
}

static void write_types(struct buffer *names, unsigned types)
{
    static const struct {
        unsigned types;
        const char *name;
    } NAMES[] = {
        {IS(VIEW_NULL), "null"          },
        {IS_BOOLEAN,    "a boolean"     },
        {IS_NUMBER,     "a number"      },
        {IS_WHOLE,      "a whole number"},
        {IS_STRING,     "a string"      },
        {IS_ARRAY,      "a list"        },
        {IS_OBJECT,     "an object"     },
    };
    if ((types & IS_NUMBER) != 0) types &= ~(unsigned)IS_WHOLE;
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if ((types & NAMES[i].types) == 0) continue;
        if (names->size > 0) buffer_add_text(names, " or ");
        buffer_add_text(names, NAMES[i].name);
    }
}

bool check_type(struct check *check, const struct rule *rule, const struct place *place)
{
    if (has_type(place->view, rule->types)) return true;
    if (check->tries > 0) return false;
    struct buffer names = buffer_in(check->arena);
    write_types(&names, rule->types);
    const bool fraction = place->view->type == VIEW_NUMBER && (rule->types & IS_WHOLE) != 0;
    return fault(check, place, "must be %s, not %s", names.data,
                 fraction ? "a fraction" : type_name(place->view->type));
}

static bool refuse_values(struct check *check, const struct values *values,
                          const struct place *place)
{
    enum { VALUES_SHOWN_MAX = 5 };
    if (check->tries > 0) return false;
    struct buffer list = buffer_in(check->arena);
    for (size_t i = 0; i < values->count && i < VALUES_SHOWN_MAX; i++) {
        const struct bytes text = values->value[i]->text;
        const struct bytes part = shown(text);
        buffer_add_format(&list, "%s%.*s%s", i > 0 ? ", " : "", (int)part.size, part.data,
                          more_shown(text));
    }
    if (values->count > VALUES_SHOWN_MAX) buffer_add_text(&list, ", ...");
    return fault(check, place, values->count == 1 ? "must be %s" : "must be one of %s", list.data);
}

bool check_values(struct check *check, const struct rule *rule, const struct place *place)
{
    const struct values *const values = &rule->values;
    if (!budget_take(&check->budget, 1 + values->count / SIBLINGS_PER_OPERATION)) return false;
    for (size_t i = 0; i < values->count; i++) {
        if (values_equal(place->view, values->value[i], check->arena, &check->budget)) return true;
    }
    return refuse_values(check, values, place);
}

/* ---- numbers ---- */

static int compare(struct check *check, const struct rule *rule, const struct place *place)
{
    const struct number number = number_of(place->view, check->arena);
    return number_compare(&number, &rule->number);
}

static bool refuse_number(struct check *check, const struct rule *rule, const struct place *place,
                          const char *what)
{
    const struct bytes text = rule->number.text;
    return fault(check, place, "must be %s %.*s", what, (int)shown(text).size, text.data);
}

bool check_minimum(struct check *check, const struct rule *rule, const struct place *place)
{
    return compare(check, rule, place) >= 0 || refuse_number(check, rule, place, "at least");
}

bool check_maximum(struct check *check, const struct rule *rule, const struct place *place)
{
    return compare(check, rule, place) <= 0 || refuse_number(check, rule, place, "at most");
}

bool check_above(struct check *check, const struct rule *rule, const struct place *place)
{
    return compare(check, rule, place) > 0 || refuse_number(check, rule, place, "more than");
}

bool check_below(struct check *check, const struct rule *rule, const struct place *place)
{
    return compare(check, rule, place) < 0 || refuse_number(check, rule, place, "less than");
}

bool check_multiple(struct check *check, const struct rule *rule, const struct place *place)
{
    const struct number number = number_of(place->view, check->arena);
    return number_is_multiple(&number, &rule->number) ||
           refuse_number(check, rule, place, "a multiple of");
}

/* ---- strings ---- */

bool check_min_length(struct check *check, const struct rule *rule, const struct place *place)
{
    return utf8_count(place->view->string) >= rule->count ||
           fault(check, place, "must have at least %" PRIu64 " characters", rule->count);
}

bool check_max_length(struct check *check, const struct rule *rule, const struct place *place)
{
    return utf8_count(place->view->string) <= rule->count ||
           fault(check, place, "must have at most %" PRIu64 " characters", rule->count);
}

bool check_pattern(struct check *check, const struct rule *rule, const struct place *place)
{
    if (pattern_matches(rule->pattern, place->view->string, check->arena, &check->budget)) {
        return true;
    }
    const struct bytes source = pattern_source(rule->pattern);
    return fault(check, place, "must match the pattern %.*s%s", (int)shown(source).size,
                 source.data, more_shown(source));
}

/* ---- lists ---- */

bool check_items(struct check *check, const struct rule *rule, const struct place *place)
{
    const struct items *const items = rule->items;
    struct place inner = {.up = place, .view = place->view->child};
    bool right = true;
    for (; inner.view != NULL; inner.view = inner.view->next, inner.index++) {
        const struct node *const node =
            inner.index < items->prefix_count ? items->prefix[inner.index] : items->rest;
        if (node == NULL) break;
        right = fits(check, node, &inner) && right;
        if (!right && !wants_more(check)) break;
    }
    return right;
}

bool check_min_items(struct check *check, const struct rule *rule, const struct place *place)
{
    return place->view->count >= rule->count ||
           fault(check, place, "must have at least %" PRIu64 " items, not %u", rule->count,
                 place->view->count);
}

bool check_max_items(struct check *check, const struct rule *rule, const struct place *place)
{
    return place->view->count <= rule->count ||
           fault(check, place, "must have at most %" PRIu64 " items, not %u", rule->count,
                 place->view->count);
}

bool check_unique(struct check *check, const struct rule *rule, const struct place *place)
{
    (void)rule;
    size_t index = 0;
    if (items_are_unique(place->view, check->arena, &check->budget, &index)) return true;
    const struct place item = {place, json_view_item(place->view, index), index};
    return fault(check, &item, "is in the list before; its items must differ");
}

bool check_contains(struct check *check, const struct rule *rule, const struct place *place)
{
    const struct contains *const contains = rule->contains;
    struct place inner = {.up = place, .view = place->view->child};
    uint64_t found = 0;
    if (contains->node == NULL) return true;
    for (; inner.view != NULL; inner.view = inner.view->next, inner.index++) {
        found += would_fit(check, contains->node, &inner);
        if (found > contains->most || check->budget.spent) break;
    }
    if (found > contains->most) {
        return fault(check, place, "more than %" PRIu64 " of its items fit `contains`",
                     contains->most);
    }
    return found >= contains->least ||
           fault(check, place, "%" PRIu64 " of its items fit `contains`; at least %" PRIu64 " must",
                 found, contains->least);
}

/* ---- objects ---- */

static const struct json_view *find_member(struct check *check, const struct place *place,
                                           struct bytes name)
{
    (void)budget_take(&check->budget, 1 + place->view->count / SIBLINGS_PER_OPERATION);
    return json_view_member_bytes(place->view, name);
}

static int by_name(const void *key, const void *element)
{
    const struct bytes *const name = key;
    return bytes_compare(*name, ((const struct named_node *)element)->name);
}

static bool member_fits(struct check *check, const struct members *members,
                        const struct place *place)
{
    bool known = false;
    bool right = true;
    const struct bytes name = place->view->key;
    const struct named_node *const named =
        members->named_count == 0 ? NULL
                                  : bsearch(&name, members->named, members->named_count,
                                            sizeof(*members->named), by_name);
    if (named != NULL) {
        known = true;
        right = fits(check, named->node, place);
    }
    for (size_t i = 0; i < members->pattern_count && (right || wants_more(check)); i++) {
        const struct pattern_node *const pattern = &members->patterns[i];
        if (!pattern_matches(pattern->pattern, name, check->arena, &check->budget)) continue;
        known = true;
        right = fits(check, pattern->node, place) && right;
    }
    if (known || members->rest == NULL) return right;
    return fits(check, members->rest, place);
}

bool check_members(struct check *check, const struct rule *rule, const struct place *place)
{
    struct place inner = {.up = place, .view = place->view->child};
    bool right = true;
    for (; inner.view != NULL && (right || wants_more(check)); inner.view = inner.view->next) {
        if (!budget_take(&check->budget, 1)) return false;
        right = member_fits(check, rule->members, &inner) && right;
    }
    return right;
}

bool check_required(struct check *check, const struct rule *rule, const struct place *place)
{
    bool right = true;
    for (size_t i = 0; i < rule->name_count && (right || wants_more(check)); i++) {
        if (find_member(check, place, rule->names[i]) != NULL) continue;
        right = member_fault(check, place, rule->names[i], "is missing");
    }
    return right;
}

bool check_names(struct check *check, const struct rule *rule, const struct place *place)
{
    const struct json_view *member = place->view->child;
    bool right = true;
    for (; member != NULL && (right || wants_more(check)); member = member->next) {
        /* As a string; its text is looked at by nobody who was given one. */
        const struct json_view name = {
            .type = VIEW_STRING, .text = member->key, .string = member->key};
        const struct place inner = {.up = place, .view = &name};
        if (would_fit(check, rule->nodes[0], &inner)) continue;
        right = member_fault(check, place, member->key, "its name does not fit `propertyNames`");
    }
    return right;
}

bool check_min_members(struct check *check, const struct rule *rule, const struct place *place)
{
    return place->view->count >= rule->count ||
           fault(check, place, "must have at least %" PRIu64 " members, not %u", rule->count,
                 place->view->count);
}

bool check_max_members(struct check *check, const struct rule *rule, const struct place *place)
{
    return place->view->count <= rule->count ||
           fault(check, place, "must have at most %" PRIu64 " members, not %u", rule->count,
                 place->view->count);
}

static bool has_wanted(struct check *check, const struct wanted *wanted, const struct place *place)
{
    bool right = true;
    if (find_member(check, place, wanted->name) == NULL) return true;
    for (size_t i = 0; i < wanted->count && (right || wants_more(check)); i++) {
        if (find_member(check, place, wanted->names[i]) != NULL) continue;
        right = member_fault(check, place, wanted->names[i], "is missing; `%.*s` wants it",
                             (int)shown(wanted->name).size, wanted->name.data);
    }
    return right;
}

bool check_wanted(struct check *check, const struct rule *rule, const struct place *place)
{
    bool right = true;
    for (size_t i = 0; i < rule->wanted_count && (right || wants_more(check)); i++) {
        right = has_wanted(check, &rule->wanted[i], place) && right;
    }
    return right;
}

bool check_dependent(struct check *check, const struct rule *rule, const struct place *place)
{
    bool right = true;
    for (size_t i = 0; i < rule->node_count && (right || wants_more(check)); i++) {
        if (find_member(check, place, rule->names[i]) == NULL) continue;
        right = fits(check, rule->nodes[i], place) && right;
    }
    return right;
}

/* ---- several schemas of one value ---- */

bool check_all(struct check *check, const struct rule *rule, const struct place *place)
{
    bool right = true;
    for (size_t i = 0; i < rule->node_count && (right || wants_more(check)); i++) {
        right = fits(check, rule->nodes[i], place) && right;
    }
    return right;
}

/* None fits. Where only one of them speaks of values of this type, that one says why. */
static bool refuse_none(struct check *check, const struct rule *rule, const struct place *place,
                        const char *keyword)
{
    const struct node *meant = NULL;
    size_t count = 0;
    for (size_t i = 0; i < rule->node_count; i++) {
        if (rule->nodes[i]->never || !has_type(place->view, rule->nodes[i]->types)) continue;
        meant = rule->nodes[i];
        count++;
    }
    if (count == 1 && check->tries == 0) return fits(check, meant, place);
    return fault(check, place, "fits none of the %zu schemas of `%s`", rule->node_count, keyword);
}

bool check_any(struct check *check, const struct rule *rule, const struct place *place)
{
    for (size_t i = 0; i < rule->node_count; i++) {
        if (would_fit(check, rule->nodes[i], place)) return true;
    }
    return refuse_none(check, rule, place, "anyOf");
}

bool check_one(struct check *check, const struct rule *rule, const struct place *place)
{
    size_t found = 0;
    for (size_t i = 0; i < rule->node_count && found < 2; i++) {
        found += would_fit(check, rule->nodes[i], place);
    }
    if (found == 1) return true;
    if (found == 0) return refuse_none(check, rule, place, "oneOf");
    return fault(check, place, "fits more than one of the %zu schemas of `oneOf`",
                 rule->node_count);
}

bool check_not(struct check *check, const struct rule *rule, const struct place *place)
{
    return !would_fit(check, rule->nodes[0], place) ||
           fault(check, place, "must not fit the schema of `not`");
}

/* if, then, else; NULL where left out. */
bool check_condition(struct check *check, const struct rule *rule, const struct place *place)
{
    if (rule->nodes[0] == NULL) return true;
    const bool holds = would_fit(check, rule->nodes[0], place);
    const struct node *const node = rule->nodes[holds ? 1 : 2];
    return node == NULL || fits(check, node, place);
}

/* NOLINTEND(misc-no-recursion) */

/* ---- the whole ---- */

bool schema_check(const struct schema *schema, const struct json_view *value, struct arena *arena,
                  struct schema_report *ret_report)
{
    ret_report->count = 0;
    ret_report->more = false;
    struct check check = {
        .arena = arena,
        .report = ret_report,
        .budget.left = SCHEMA_OPERATIONS_MAX,
    };
    const struct place place = {.view = value};
    const bool right = fits(&check, schema->root, &place);
    if (!check.budget.spent) return right;
    ret_report->count = 1;
    ret_report->more = false;
    ret_report->fault[0] = (struct schema_fault){
        .pointer = BYTES(""),
        .detail = BYTES("takes more than 100,000 operations to check; send less, or mend the "
                        "schema"),
    };
    return false;
}

bool schema_check_text(const struct schema *schema, struct bytes json, struct arena *arena,
                       struct schema_report *ret_report)
{
    const struct json_view *view = NULL;
    struct json_error error;
    if (json.data == NULL || json.size == 0) json = BYTES("null");
    if (json_view_parse(json, arena, &view, &error)) {
        return schema_check(schema, view, arena, ret_report);
    }
    ret_report->count = 1;
    ret_report->more = false;
    ret_report->fault[0] = (struct schema_fault){BYTES(""), BYTES("is no JSON")};
    return false;
}
