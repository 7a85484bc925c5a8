/*
 * sagas/schema/keywords.c
 *   What each keyword of JSON Schema 2020-12 says: one row each.
 */
#include "sagas/schema/compile.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN_SIZE_MAX = 60, TOKEN_SIZE = 100, COUNT_MAX = 1000000000 };

struct keyword;

typedef void keyword_reader(struct building *building, const struct json_view *value,
                            const struct keyword *keyword);

struct keyword {
    const char *name;
    keyword_reader *read;
    unsigned applies;  /* of the rule; of an annotation: what it may be */
    rule_check *check; /* of the rule; NULL where the reader knows by itself */
};

static struct bytes shown(struct bytes text)
{
    return (struct bytes){text.data, text.size < SHOWN_SIZE_MAX ? text.size : SHOWN_SIZE_MAX};
}

static bool expect(struct building *building, const struct json_view *value, unsigned types,
                   const char *what)
{
    if ((types & IS(value->type)) != 0) return true;
    return schema_error(building->compilation, value, "must be %s", what);
}

/* ---- plain values ---- */

static void read_number(struct building *building, const struct json_view *value,
                        const struct keyword *keyword)
{
    if (!expect(building, value, IS_NUMBER, "a number")) return;
    const struct number number = number_of(value, building->compilation->given->arena);
    if (keyword->check == check_multiple && number.value <= 0) {
        (void)schema_error(building->compilation, value, "must be more than 0");
        return;
    }
    add_rule(building, keyword->check, keyword->applies)->number = number;
}

static bool read_whole(struct building *building, const struct json_view *value,
                       uint64_t *ret_count)
{
    if (value->type != VIEW_NUMBER || !number_is_whole(value->text)) {
        return schema_error(building->compilation, value, "must be a whole number of at least 0");
    }
    const struct number number = number_of(value, building->compilation->given->scratch);
    if (number.value < 0) {
        return schema_error(building->compilation, value, "must be a whole number of at least 0");
    }
    *ret_count = number.value > COUNT_MAX ? COUNT_MAX : (uint64_t)number.value;
    return true;
}

static void read_count(struct building *building, const struct json_view *value,
                       const struct keyword *keyword)
{
    uint64_t count = 0;
    if (!read_whole(building, value, &count)) return;
    add_rule(building, keyword->check, keyword->applies)->count = count;
}

static void read_pattern(struct building *building, const struct json_view *value,
                         const struct keyword *keyword);

static const struct pattern *compile_pattern(struct compilation *compilation,
                                             const struct json_view *at, struct bytes source)
{
    const char *why = NULL;
    if (source.size > SCHEMA_PATTERN_SIZE_MAX) {
        (void)schema_error(compilation, at, "a pattern has at most %d bytes, not %zu",
                           SCHEMA_PATTERN_SIZE_MAX, source.size);
        return NULL;
    }
    if (!has_room(compilation, at, source.size)) return NULL;
    const struct pattern *const pattern = pattern_compile(source, compilation->given->arena, &why);
    if (pattern == NULL) (void)schema_error(compilation, at, "is no pattern: %s", why);
    return pattern;
}

static void read_pattern(struct building *building, const struct json_view *value,
                         const struct keyword *keyword)
{
    if (!expect(building, value, IS_STRING, "a regular expression in a string")) return;
    const struct pattern *const pattern =
        compile_pattern(building->compilation, value, value->string);
    if (pattern == NULL) return;
    add_rule(building, keyword->check, keyword->applies)->pattern = pattern;
}

/* ---- type ---- */

static unsigned type_named(struct bytes name)
{
    static const struct {
        const char *name;
        unsigned types;
    } TYPES[] = {
        {"null",    IS(VIEW_NULL)},
        {"boolean", IS_BOOLEAN   },
        {"number",  IS_NUMBER    },
        {"integer", IS_WHOLE     },
        {"string",  IS_STRING    },
        {"array",   IS_ARRAY     },
        {"object",  IS_OBJECT    },
    };
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        if (bytes_equal_text(name, TYPES[i].name)) return TYPES[i].types;
    }
    return 0;
}

static unsigned read_type_name(struct building *building, const struct json_view *value)
{
    const unsigned types = value->type == VIEW_STRING ? type_named(value->string) : 0;
    if (types != 0) return types;
    (void)schema_error(building->compilation, value,
                       "must be \"null\", \"boolean\", \"number\", \"integer\", \"string\", "
                       "\"array\" or \"object\", or a list of them");
    return 0;
}

static void read_type(struct building *building, const struct json_view *value,
                      const struct keyword *keyword)
{
    unsigned types = 0;
    if (value->type != VIEW_ARRAY) {
        types = read_type_name(building, value);
    } else if (value->count == 0) {
        (void)schema_error(building->compilation, value, "must name at least one type");
    }
    const struct json_view *name = value->type == VIEW_ARRAY ? value->child : NULL;
    for (; name != NULL; name = name->next) {
        types |= read_type_name(building, name);
    }
    building->node->types = types;
    add_rule(building, keyword->check, keyword->applies)->types = types;
}

/* ---- enum and const ---- */

static size_t count_tokens(struct bytes text)
{
    size_t count = 1;
    for (size_t i = 0; i < text.size; i++) {
        count += text.data[i] == ',' || text.data[i] == ':' || text.data[i] == '[' ||
                 text.data[i] == '{';
    }
    return count;
}

/* Read once more, into what lives as long as the schema. */
static const struct json_view *keep_value(struct compilation *compilation,
                                          const struct json_view *value)
{
    const struct json_view *kept = NULL;
    struct json_error error;
    const size_t size = count_tokens(value->text) * TOKEN_SIZE + value->text.size;
    if (!has_room(compilation, value, size)) return NULL;
    return json_view_parse(value->text, compilation->given->arena, &kept, &error) ? kept : NULL;
}

static void add_values(struct building *building, const struct json_view *first, size_t count,
                       const struct keyword *keyword)
{
    struct rule *const rule = add_rule(building, keyword->check, keyword->applies);
    rule->values.value = keep(building->compilation, count, sizeof(void *));
    for (const struct json_view *item = first; rule->values.count < count; item = item->next) {
        const struct json_view *const kept = keep_value(building->compilation, item);
        if (kept == NULL) return;
        rule->values.value[rule->values.count++] = kept;
    }
}

static void read_enum(struct building *building, const struct json_view *value,
                      const struct keyword *keyword)
{
    if (!expect(building, value, IS_ARRAY, "a list of values")) return;
    if (value->count == 0) {
        (void)schema_error(building->compilation, value, "must hold at least one value");
        return;
    }
    add_values(building, value->child, value->count, keyword);
}

static void read_const(struct building *building, const struct json_view *value,
                       const struct keyword *keyword)
{
    add_values(building, value, 1, keyword);
}

/* ---- schemas inside ---- */

static void read_schemas(struct building *building, const struct json_view *value,
                         const struct keyword *keyword)
{
    if (!expect(building, value, IS_ARRAY, "a list of schemas")) return;
    if (value->count == 0) {
        (void)schema_error(building->compilation, value, "must hold at least one schema");
        return;
    }
    struct rule *const rule = add_rule(building, keyword->check, keyword->applies);
    rule->nodes = keep(building->compilation, value->count, sizeof(void *));
    rule->in_place = true;
    for (const struct json_view *item = value->child; item != NULL; item = item->next) {
        rule->nodes[rule->node_count++] = compile_node(building->compilation, item);
    }
}

static struct rule *add_one(struct building *building, const struct json_view *value,
                            const struct keyword *keyword)
{
    struct rule *const rule = add_rule(building, keyword->check, keyword->applies);
    rule->nodes = keep(building->compilation, 1, sizeof(void *));
    rule->nodes[0] = compile_node(building->compilation, value);
    rule->node_count = 1;
    return rule;
}

static void read_not(struct building *building, const struct json_view *value,
                     const struct keyword *keyword)
{
    add_one(building, value, keyword)->in_place = true;
}

static void read_names_schema(struct building *building, const struct json_view *value,
                              const struct keyword *keyword)
{
    (void)add_one(building, value, keyword);
}

static void read_ref(struct building *building, const struct json_view *value,
                     const struct keyword *keyword)
{
    struct compilation *const compilation = building->compilation;
    if (!expect(building, value, IS_STRING, "a string such as \"#/$defs/NAME\"")) return;
    struct rule *const rule = add_rule(building, keyword->check, keyword->applies);
    rule->nodes = keep(compilation, 1, sizeof(void *));
    rule->node_count = 1;
    rule->in_place = true;
    struct link *const link = arena_alloc(compilation->given->scratch, sizeof(*link));
    *link = (struct link){
        .next = compilation->links,
        .view = value,
        .from = building->node,
        .to = &rule->nodes[0],
    };
    compilation->links = link;
}

static void read_defs(struct building *building, const struct json_view *value,
                      const struct keyword *keyword)
{
    (void)keyword;
    if (!expect(building, value, IS_OBJECT, "an object of schemas")) return;
    for (const struct json_view *def = value->child; def != NULL; def = def->next) {
        (void)compile_node(building->compilation, def);
    }
}

static void read_condition(struct building *building, const struct json_view *value,
                           const struct keyword *keyword)
{
    static const char *const PARTS[] = {"if", "then", "else"};
    struct rule *rule = building->condition;
    if (rule == NULL) {
        rule = building->condition = add_rule(building, keyword->check, keyword->applies);
        rule->nodes = keep(building->compilation, 3, sizeof(void *));
        rule->node_count = 3;
        rule->in_place = true;
    }
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(keyword->name, PARTS[i]) != 0) continue;
        rule->nodes[i] = compile_node(building->compilation, value);
        if (i == 0 || json_view_member(building->schema, "if") != NULL) continue;
        schema_warning(building->compilation, value, "means nothing without `if`");
    }
}

/* ---- lists ---- */

static struct items *items_of(struct building *building, const struct keyword *keyword)
{
    if (building->items == NULL) {
        building->items = add_rule(building, keyword->check, keyword->applies);
        building->items->items = keep(building->compilation, 0, sizeof(struct items));
    }
    return building->items->items;
}

static void read_items(struct building *building, const struct json_view *value,
                       const struct keyword *keyword)
{
    if (value->type == VIEW_ARRAY) {
        (void)schema_error(building->compilation, value,
                           "must be one schema for all items; schemas by place are `prefixItems`");
        return;
    }
    items_of(building, keyword)->rest = compile_node(building->compilation, value);
}

static void read_prefix(struct building *building, const struct json_view *value,
                        const struct keyword *keyword)
{
    struct items *const items = items_of(building, keyword);
    if (!expect(building, value, IS_ARRAY, "a list of schemas")) return;
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

static void read_contains(struct building *building, const struct json_view *value,
                          const struct keyword *keyword)
{
    contains_of(building, keyword)->node = compile_node(building->compilation, value);
}

static void read_contains_count(struct building *building, const struct json_view *value,
                                const struct keyword *keyword)
{
    uint64_t count = 0;
    struct contains *const contains = contains_of(building, keyword);
    if (!read_whole(building, value, &count)) return;
    *(strcmp(keyword->name, "minContains") == 0 ? &contains->least : &contains->most) = count;
    if (json_view_member(building->schema, "contains") != NULL) return;
    schema_warning(building->compilation, value, "means nothing without `contains`");
}

static void read_unique(struct building *building, const struct json_view *value,
                        const struct keyword *keyword)
{
    if (!expect(building, value, IS_BOOLEAN, "true or false")) return;
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

static void read_properties(struct building *building, const struct json_view *value,
                            const struct keyword *keyword)
{
    struct compilation *const compilation = building->compilation;
    struct members *const members = members_of(building, keyword);
    if (!expect(building, value, IS_OBJECT, "an object of schemas")) return;
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

static void read_pattern_properties(struct building *building, const struct json_view *value,
                                    const struct keyword *keyword)
{
    struct compilation *const compilation = building->compilation;
    struct members *const members = members_of(building, keyword);
    if (!expect(building, value, IS_OBJECT, "an object of schemas")) return;
    members->patterns = keep(compilation, value->count, sizeof(*members->patterns));
    for (const struct json_view *member = value->child; member != NULL; member = member->next) {
        const struct pattern *const pattern = compile_pattern(compilation, member, member->key);
        const struct node *const node = compile_node(compilation, member);
        if (pattern == NULL || node == NULL) continue;
        members->patterns[members->pattern_count++] = (struct pattern_node){pattern, node};
    }
}

static void read_rest(struct building *building, const struct json_view *value,
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
    if (!expect(building, value, IS_ARRAY, "a list of names of members")) return NULL;
    if (!has_room(compilation, value, value->text.size)) return NULL;
    struct bytes *const names = keep(compilation, value->count, sizeof(*names));
    for (const struct json_view *name = value->child; name != NULL; name = name->next) {
        if (!expect(building, name, IS_STRING, "the name of a member")) continue;
        names[count++] = bytes_copy(compilation->given->arena, name->string);
    }
    *ret_count = count;
    return names;
}

static void read_required(struct building *building, const struct json_view *value,
                          const struct keyword *keyword)
{
    size_t count = 0;
    const struct bytes *const names = read_name_list(building, value, &count);
    if (names == NULL) return;
    struct rule *const rule = add_rule(building, keyword->check, keyword->applies);
    rule->names = names;
    rule->name_count = count;
}

static void read_wanted(struct building *building, const struct json_view *value,
                        const struct keyword *keyword)
{
    struct compilation *const compilation = building->compilation;
    if (!expect(building, value, IS_OBJECT, "an object of lists of names")) return;
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

static void read_dependent(struct building *building, const struct json_view *value,
                           const struct keyword *keyword)
{
    struct compilation *const compilation = building->compilation;
    if (!expect(building, value, IS_OBJECT, "an object of schemas")) return;
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

/* ---- what is said to people and tools ---- */

static void read_annotation(struct building *building, const struct json_view *value,
                            const struct keyword *keyword)
{
    const char *const what = keyword->applies == IS_BOOLEAN ? "true or false"
                             : keyword->applies == IS_ARRAY ? "a list"
                                                            : "a string";
    (void)expect(building, value, keyword->applies, what);
}

static void read_unchecked(struct building *building, const struct json_view *value,
                           const struct keyword *keyword)
{
    schema_warning(building->compilation, value,
                   "`%s` is for readers, as 2020-12 has it: nothing is checked by it; a `pattern` "
                   "is",
                   keyword->name);
    if (keyword->applies == IS_STRING) read_annotation(building, value, keyword);
}

static void read_dialect(struct building *building, const struct json_view *value,
                         const struct keyword *keyword)
{
    static const char DIALECT[] = "https://json-schema.org/draft/2020-12/schema";
    struct bytes text = value->string;
    (void)keyword;
    if (value->type == VIEW_STRING && text.size > 0 && text.data[text.size - 1] == '#') text.size--;
    if (value->type == VIEW_STRING && bytes_equal_text(text, DIALECT)) return;
    (void)schema_error(building->compilation, value,
                       "another dialect would mean other things; write \"%s\", or leave it out",
                       DIALECT);
}

static void read_id(struct building *building, const struct json_view *value,
                    const struct keyword *keyword)
{
    if (building->schema != building->compilation->root) {
        (void)schema_error(building->compilation, value,
                           "only the outermost schema may have an `$id`; leave it out");
        return;
    }
    read_annotation(building, value, keyword);
}

/* ---- what is not understood ---- */

static const struct {
    const char *name;
    const char *instead;
} REFUSED[] = {
    {"unevaluatedProperties",
     "is not supported; list the members under `properties` of one schema and say "
     "\"additionalProperties\": false there"                                                             },
    {"unevaluatedItems",      "is not supported; use `prefixItems` and \"items\": false"                 },
    {"$anchor",               "is not supported; put the schema under `$defs`, refer as \"#/$defs/NAME\""},
    {"$dynamicRef",           "is not supported; use `$ref`"                                             },
    {"$dynamicAnchor",        "is not supported; put the schema under `$defs`"                           },
    {"$recursiveRef",         "is of an older draft; use `$ref`"                                         },
    {"$recursiveAnchor",      "is of an older draft; leave it out"                                       },
    {"$vocabulary",           "belongs to dialects, not to schemas; leave it out"                        },
    {"definitions",           "is of an older draft; it is called `$defs`"                               },
    {"additionalItems",       "is of an older draft; it is `items` beside `prefixItems`"                 },
    {"dependencies",          "is of an older draft; it is `dependentRequired` or `dependentSchemas`"    },
    {"id",                    "is of an older draft; it is called `$id`"                                 },
    {"nullable",              "is of OpenAPI; write \"type\": [..., \"null\"]"                           },
};

/* clang-format off */
static const struct keyword KEYWORDS[] = {
    {"type",                 read_type,               IS_ANY,     check_type},
    {"enum",                 read_enum,               IS_ANY,     check_values},
    {"const",                read_const,              IS_ANY,     check_values},
    {"minimum",              read_number,             IS_NUMBER,  check_minimum},
    {"maximum",              read_number,             IS_NUMBER,  check_maximum},
    {"exclusiveMinimum",     read_number,             IS_NUMBER,  check_above},
    {"exclusiveMaximum",     read_number,             IS_NUMBER,  check_below},
    {"multipleOf",           read_number,             IS_NUMBER,  check_multiple},
    {"minLength",            read_count,              IS_STRING,  check_min_length},
    {"maxLength",            read_count,              IS_STRING,  check_max_length},
    {"pattern",              read_pattern,            IS_STRING,  check_pattern},
    {"items",                read_items,              IS_ARRAY,   check_items},
    {"prefixItems",          read_prefix,             IS_ARRAY,   check_items},
    {"minItems",             read_count,              IS_ARRAY,   check_min_items},
    {"maxItems",             read_count,              IS_ARRAY,   check_max_items},
    {"uniqueItems",          read_unique,             IS_ARRAY,   check_unique},
    {"contains",             read_contains,           IS_ARRAY,   check_contains},
    {"minContains",          read_contains_count,     IS_ARRAY,   check_contains},
    {"maxContains",          read_contains_count,     IS_ARRAY,   check_contains},
    {"properties",           read_properties,         IS_OBJECT,  check_members},
    {"patternProperties",    read_pattern_properties, IS_OBJECT,  check_members},
    {"additionalProperties", read_rest,               IS_OBJECT,  check_members},
    {"propertyNames",        read_names_schema,       IS_OBJECT,  check_names},
    {"required",             read_required,           IS_OBJECT,  check_required},
    {"minProperties",        read_count,              IS_OBJECT,  check_min_members},
    {"maxProperties",        read_count,              IS_OBJECT,  check_max_members},
    {"dependentRequired",    read_wanted,             IS_OBJECT,  check_wanted},
    {"dependentSchemas",     read_dependent,          IS_OBJECT,  check_dependent},
    {"allOf",                read_schemas,            IS_ANY,     check_all},
    {"anyOf",                read_schemas,            IS_ANY,     check_any},
    {"oneOf",                read_schemas,            IS_ANY,     check_one},
    {"not",                  read_not,                IS_ANY,     check_not},
    {"if",                   read_condition,          IS_ANY,     check_condition},
    {"then",                 read_condition,          IS_ANY,     check_condition},
    {"else",                 read_condition,          IS_ANY,     check_condition},
    {"$ref",                 read_ref,                IS_ANY,     check_all},
    {"$defs",                read_defs,               IS_OBJECT,  NULL},
    {"$schema",              read_dialect,            IS_STRING,  NULL},
    {"$id",                  read_id,                 IS_STRING,  NULL},
    {"title",                read_annotation,         IS_STRING,  NULL},
    {"description",          read_annotation,         IS_STRING,  NULL},
    {"$comment",             read_annotation,         IS_STRING,  NULL},
    {"default",              read_annotation,         IS_ANY,     NULL},
    {"examples",             read_annotation,         IS_ARRAY,   NULL},
    {"deprecated",           read_annotation,         IS_BOOLEAN, NULL},
    {"readOnly",             read_annotation,         IS_BOOLEAN, NULL},
    {"writeOnly",            read_annotation,         IS_BOOLEAN, NULL},
    {"format",               read_unchecked,          IS_STRING,  NULL},
    {"contentEncoding",      read_unchecked,          IS_STRING,  NULL},
    {"contentMediaType",     read_unchecked,          IS_STRING,  NULL},
    {"contentSchema",        read_unchecked,          IS_ANY,     NULL},
};
/* clang-format on */

static void refuse_keyword(struct building *building, const struct json_view *value)
{
    const struct bytes name = value->key;
    if (name.size >= 2 && memcmp(name.data, "x-", 2) == 0) return; /* for tools, as elsewhere */
    for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
        if (!bytes_equal_text(name, REFUSED[i].name)) continue;
        (void)schema_error(building->compilation, value, "`%s` %s", REFUSED[i].name,
                           REFUSED[i].instead);
        return;
    }
    (void)schema_error(building->compilation, value,
                       "`%.*s` is no keyword of JSON Schema 2020-12 that is understood here; mend "
                       "its name, or call it `x-...` if it is for tools",
                       (int)shown(name).size, name.data);
}

void read_keyword(struct building *building, const struct json_view *value)
{
    for (size_t i = 0; i < sizeof(KEYWORDS) / sizeof(KEYWORDS[0]); i++) {
        if (!bytes_equal_text(value->key, KEYWORDS[i].name)) continue;
        KEYWORDS[i].read(building, value, &KEYWORDS[i]);
        return;
    }
    refuse_keyword(building, value);
}
