/*
 * sagas/schema/keywords.c
 *   What each keyword of JSON Schema 2020-12 says: one row each.
 */
#include "sagas/schema/keyword.h"

#include <string.h>

enum { SHOWN_SIZE_MAX = 60 };

static struct bytes shown(struct bytes text)
{
    return (struct bytes){text.data, text.size < SHOWN_SIZE_MAX ? text.size : SHOWN_SIZE_MAX};
}

bool keyword_expects(struct building *building, const struct json_view *value, unsigned types,
                     const char *what)
{
    if ((types & IS(value->type)) != 0) return true;
    return schema_error(building->compilation, value, "must be %s", what);
}

/* ---- schemas inside ---- */

static void read_schemas(struct building *building, const struct json_view *value,
                         const struct keyword *keyword)
{
    if (!keyword_expects(building, value, IS_ARRAY, "a list of schemas")) return;
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
    if (!keyword_expects(building, value, IS_STRING, "a string such as \"#/$defs/NAME\"")) return;
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
    if (!keyword_expects(building, value, IS_OBJECT, "an object of schemas")) return;
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

/* ---- what is said to people and tools ---- */

static void read_annotation(struct building *building, const struct json_view *value,
                            const struct keyword *keyword)
{
    const char *const what = keyword->applies == IS_BOOLEAN ? "true or false"
                             : keyword->applies == IS_ARRAY ? "a list"
                                                            : "a string";
    (void)keyword_expects(building, value, keyword->applies, what);
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
    {"type",                 keyword_type,               IS_ANY,     check_type},
    {"enum",                 keyword_enum,               IS_ANY,     check_values},
    {"const",                keyword_const,              IS_ANY,     check_values},
    {"minimum",              keyword_number,             IS_NUMBER,  check_minimum},
    {"maximum",              keyword_number,             IS_NUMBER,  check_maximum},
    {"exclusiveMinimum",     keyword_number,             IS_NUMBER,  check_above},
    {"exclusiveMaximum",     keyword_number,             IS_NUMBER,  check_below},
    {"multipleOf",           keyword_number,             IS_NUMBER,  check_multiple},
    {"minLength",            keyword_count,              IS_STRING,  check_min_length},
    {"maxLength",            keyword_count,              IS_STRING,  check_max_length},
    {"pattern",              keyword_pattern,            IS_STRING,  check_pattern},
    {"items",                keyword_items,              IS_ARRAY,   check_items},
    {"prefixItems",          keyword_prefix,             IS_ARRAY,   check_items},
    {"minItems",             keyword_count,              IS_ARRAY,   check_min_items},
    {"maxItems",             keyword_count,              IS_ARRAY,   check_max_items},
    {"uniqueItems",          keyword_unique,             IS_ARRAY,   check_unique},
    {"contains",             keyword_contains,           IS_ARRAY,   check_contains},
    {"minContains",          keyword_contains_count,     IS_ARRAY,   check_contains},
    {"maxContains",          keyword_contains_count,     IS_ARRAY,   check_contains},
    {"properties",           keyword_properties,         IS_OBJECT,  check_members},
    {"patternProperties",    keyword_pattern_properties, IS_OBJECT,  check_members},
    {"additionalProperties", keyword_rest,               IS_OBJECT,  check_members},
    {"propertyNames",        read_names_schema,          IS_OBJECT,  check_names},
    {"required",             keyword_required,           IS_OBJECT,  check_required},
    {"minProperties",        keyword_count,              IS_OBJECT,  check_min_members},
    {"maxProperties",        keyword_count,              IS_OBJECT,  check_max_members},
    {"dependentRequired",    keyword_wanted,             IS_OBJECT,  check_wanted},
    {"dependentSchemas",     keyword_dependent,          IS_OBJECT,  check_dependent},
    {"allOf",                read_schemas,               IS_ANY,     check_all},
    {"anyOf",                read_schemas,               IS_ANY,     check_any},
    {"oneOf",                read_schemas,               IS_ANY,     check_one},
    {"not",                  read_not,                   IS_ANY,     check_not},
    {"if",                   read_condition,             IS_ANY,     check_condition},
    {"then",                 read_condition,             IS_ANY,     check_condition},
    {"else",                 read_condition,             IS_ANY,     check_condition},
    {"$ref",                 read_ref,                   IS_ANY,     check_all},
    {"$defs",                read_defs,                  IS_OBJECT,  NULL},
    {"$schema",              read_dialect,               IS_STRING,  NULL},
    {"$id",                  read_id,                    IS_STRING,  NULL},
    {"title",                read_annotation,            IS_STRING,  NULL},
    {"description",          read_annotation,            IS_STRING,  NULL},
    {"$comment",             read_annotation,            IS_STRING,  NULL},
    {"default",              read_annotation,            IS_ANY,     NULL},
    {"examples",             read_annotation,            IS_ARRAY,   NULL},
    {"deprecated",           read_annotation,            IS_BOOLEAN, NULL},
    {"readOnly",             read_annotation,            IS_BOOLEAN, NULL},
    {"writeOnly",            read_annotation,            IS_BOOLEAN, NULL},
    {"format",               read_unchecked,             IS_STRING,  NULL},
    {"contentEncoding",      read_unchecked,             IS_STRING,  NULL},
    {"contentMediaType",     read_unchecked,             IS_STRING,  NULL},
    {"contentSchema",        read_unchecked,             IS_ANY,     NULL},
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
