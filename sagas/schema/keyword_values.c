/*
 * sagas/schema/keyword_values.c
 *   Keywords about the value itself: numbers, lengths, patterns, types, values it may be.
 */
#include "sagas/schema/keyword.h"

enum { TOKEN_SIZE = 100, COUNT_MAX = 1000000000 };

/* ---- plain values ---- */

void keyword_number(struct building *building, const struct json_view *value,
                    const struct keyword *keyword)
{
    if (!keyword_expects(building, value, IS_NUMBER, "a number")) return;
    const struct number number = number_of(value, building->compilation->given->arena);
    if (keyword->check == check_multiple && number.value <= 0) {
        (void)schema_error(building->compilation, value, "must be more than 0");
        return;
    }
    add_rule(building, keyword->check, keyword->applies)->number = number;
}

bool keyword_whole(struct building *building, const struct json_view *value, uint64_t *ret_count)
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

void keyword_count(struct building *building, const struct json_view *value,
                   const struct keyword *keyword)
{
    uint64_t count = 0;
    if (!keyword_whole(building, value, &count)) return;
    add_rule(building, keyword->check, keyword->applies)->count = count;
}

const struct pattern *keyword_regex(struct compilation *compilation, const struct json_view *at,
                                    struct bytes source)
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

void keyword_pattern(struct building *building, const struct json_view *value,
                     const struct keyword *keyword)
{
    if (!keyword_expects(building, value, IS_STRING, "a regular expression in a string")) return;
    const struct pattern *const pattern =
        keyword_regex(building->compilation, value, value->string);
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

void keyword_type(struct building *building, const struct json_view *value,
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

void keyword_enum(struct building *building, const struct json_view *value,
                  const struct keyword *keyword)
{
    if (!keyword_expects(building, value, IS_ARRAY, "a list of values")) return;
    if (value->count == 0) {
        (void)schema_error(building->compilation, value, "must hold at least one value");
        return;
    }
    add_values(building, value->child, value->count, keyword);
}

void keyword_const(struct building *building, const struct json_view *value,
                   const struct keyword *keyword)
{
    add_values(building, value, 1, keyword);
}
