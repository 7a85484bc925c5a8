/*
 * sagas/schema/keyword_members.c
 *   Keywords about what a value holds: the items of a list, the members of an object.
 */
#include "sagas/schema/keyword.h"

#include <stdlib.h>
#include <string.h>

/* ---- lists ---- */

static struct items *items_of(struct building *building, const struct keyword *keyword)
{
    if (building->items == NULL) {
        building->items = add_rule(building, keyword->check, keyword->applies);
        building->items->items = keep(building->compilation, 0, sizeof(struct items));
    }
    return building->items->items;
}

void keyword_items(struct building *building, const struct json_view *value,
                   const struct keyword *keyword)
{
    if (value->type == VIEW_ARRAY) {
        (void)schema_error(building->compilation, value,
                           "must be one schema for all items; schemas by place are `prefixItems`");
        return;
    }
    items_of(building, keyword)->rest = compile_node(building->compilation, value);
}

void keyword_prefix(struct building *building, const struct json_view *value,
                    const struct keyword *keyword)
{
    struct items *const items = items_of(building, keyword);
    if (!keyword_expects(building, value, IS_ARRAY, "a list of schemas")) return;
    items->prefix = keep(building->compilation, value->count, sizeof(void *));
    for (const struct json_view *item = value->child; item != NULL; item = item->next) {
        items->prefix[items->prefix_count++] = compile_node(building->compilation, item);
    }
}

static struct contains *contains_of(struct building *building, const struct keyword *keyword)
{
    if (building->contains == NULL) {
        building->contains = add_rule(building, keyword->check, keyword->applies);
        building->contains->contains = keep(building->compilation, 0, sizeof(struct contains));
        building->contains->contains->least = 1;
        building->contains->contains->most = UINT64_MAX;
    }
    return building->contains->contains;
}

void keyword_contains(struct building *building, const struct json_view *value,
                      const struct keyword *keyword)
{
    contains_of(building, keyword)->node = compile_node(building->compilation, value);
}

void keyword_contains_count(struct building *building, const struct json_view *value,
                            const struct keyword *keyword)
{
    uint64_t count = 0;
    struct contains *const contains = contains_of(building, keyword);
    if (!keyword_whole(building, value, &count)) return;
    *(strcmp(keyword->name, "minContains") == 0 ? &contains->least : &contains->most) = count;
    if (json_view_member(building->schema, "contains") != NULL) return;
    schema_warning(building->compilation, value, "means nothing without `contains`");
}

void keyword_unique(struct building *building, const struct json_view *value,
                    const struct keyword *keyword)
{
    if (!keyword_expects(building, value, IS_BOOLEAN, "true or false")) return;
    if (value->type == VIEW_TRUE) (void)add_rule(building, keyword->check, keyword->applies);
}

/* ---- objects ---- */

static struct members *members_of(struct building *building, const struct keyword *keyword)
{
    if (building->members == NULL) {
        building->members = add_rule(building, keyword->check, keyword->applies);
        building->members->members = keep(building->compilation, 0, sizeof(struct members));
    }
    return building->members->members;
}

static int by_name(const void *left, const void *right)
{
    return bytes_compare(((const struct named_node *)left)->name,
                         ((const struct named_node *)right)->name);
}

void keyword_properties(struct building *building, const struct json_view *value,
                        const struct keyword *keyword)
{
    struct compilation *const compilation = building->compilation;
    struct members *const members = members_of(building, keyword);
    if (!keyword_expects(building, value, IS_OBJECT, "an object of schemas")) return;
    members->named = keep(compilation, value->count, sizeof(*members->named));
    for (const struct json_view *member = value->child; member != NULL; member = member->next) {
        const struct node *const node = compile_node(compilation, member);
        if (node == NULL) continue;
        members->named[members->named_count++] =
            (struct named_node){bytes_copy(compilation->given->arena, member->key), node};
    }
    if (members->named_count == 0) return;
    qsort(members->named, members->named_count, sizeof(*members->named), by_name);
}

void keyword_pattern_properties(struct building *building, const struct json_view *value,
                                const struct keyword *keyword)
{
    struct compilation *const compilation = building->compilation;
    struct members *const members = members_of(building, keyword);
    if (!keyword_expects(building, value, IS_OBJECT, "an object of schemas")) return;
    members->patterns = keep(compilation, value->count, sizeof(*members->patterns));
    for (const struct json_view *member = value->child; member != NULL; member = member->next) {
        const struct pattern *const pattern = keyword_regex(compilation, member, member->key);
        const struct node *const node = compile_node(compilation, member);
        if (pattern == NULL || node == NULL) continue;
        members->patterns[members->pattern_count++] = (struct pattern_node){pattern, node};
    }
}

void keyword_rest(struct building *building, const struct json_view *value,
                  const struct keyword *keyword)
{
    members_of(building, keyword)->rest = compile_node(building->compilation, value);
}

static const struct bytes *read_name_list(struct building *building, const struct json_view *value,
                                          size_t *ret_count)
{
    struct compilation *const compilation = building->compilation;
    size_t count = 0;
    *ret_count = 0;
    if (!keyword_expects(building, value, IS_ARRAY, "a list of names of members")) return NULL;
    if (!has_room(compilation, value, value->text.size)) return NULL;
    struct bytes *const names = keep(compilation, value->count, sizeof(*names));
    for (const struct json_view *name = value->child; name != NULL; name = name->next) {
        if (!keyword_expects(building, name, IS_STRING, "the name of a member")) continue;
        names[count++] = bytes_copy(compilation->given->arena, name->string);
    }
    *ret_count = count;
    return names;
}

void keyword_required(struct building *building, const struct json_view *value,
                      const struct keyword *keyword)
{
    size_t count = 0;
    const struct bytes *const names = read_name_list(building, value, &count);
    if (names == NULL) return;
    struct rule *const rule = add_rule(building, keyword->check, keyword->applies);
    rule->names = names;
    rule->name_count = count;
}

void keyword_wanted(struct building *building, const struct json_view *value,
                    const struct keyword *keyword)
{
    struct compilation *const compilation = building->compilation;
    if (!keyword_expects(building, value, IS_OBJECT, "an object of lists of names")) return;
    if (!has_room(compilation, value, value->count * sizeof(struct wanted))) return;
    struct rule *const rule = add_rule(building, keyword->check, keyword->applies);
    struct wanted *const wanted = keep(compilation, value->count, sizeof(*wanted));
    rule->wanted = wanted;
    for (const struct json_view *list = value->child; list != NULL; list = list->next) {
        struct wanted *const one = &wanted[rule->wanted_count++];
        one->name = bytes_copy(compilation->given->arena, list->key);
        one->names = read_name_list(building, list, &one->count);
    }
}

void keyword_dependent(struct building *building, const struct json_view *value,
                       const struct keyword *keyword)
{
    struct compilation *const compilation = building->compilation;
    if (!keyword_expects(building, value, IS_OBJECT, "an object of schemas")) return;
    struct rule *const rule = add_rule(building, keyword->check, keyword->applies);
    struct bytes *const names = keep(compilation, value->count, sizeof(*names));
    rule->nodes = keep(compilation, value->count, sizeof(void *));
    rule->in_place = true;
    rule->names = names;
    for (const struct json_view *member = value->child; member != NULL; member = member->next) {
        names[rule->node_count] = bytes_copy(compilation->given->arena, member->key);
        rule->nodes[rule->node_count++] = compile_node(compilation, member);
    }
}
