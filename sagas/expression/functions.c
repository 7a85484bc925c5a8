#define _GNU_SOURCE /* memmem; NOLINT(*-reserved-identifier,cert-dcl*,readability-identifier-*) */
#include "sagas/expression/functions.h"

#include "sagas/base/utf8.h"

#include <math.h>
#include <string.h>

static bool wrong_argument(struct evaluation *evaluation, const char *function, const char *needed,
                           const struct value *value)
{
    return evaluation_fail(evaluation, "`%s` needs %s, not %s", function, needed,
                           value_kind_name(value));
}

/* ---- conversions ---- */

static bool call_size(struct evaluation *evaluation, const struct value *arguments,
                      struct value *ret_value)
{
    const struct value *const value = &arguments[0];
    if (value->kind == VALUE_STRING) {
        *ret_value = value_int((int64_t)utf8_count(value->string));
        return evaluation_spend_bytes(evaluation, value->string.size);
    }
    if (value->kind != VALUE_LIST && value->kind != VALUE_OBJECT) {
        return wrong_argument(evaluation, "size", "a string, a list or an object", value);
    }
    if (value->text.data == NULL) {
        *ret_value = value_int((int64_t)value->list.count);
        return true;
    }
    const struct json_view *view = NULL;
    if (!evaluation_view(evaluation, value, &view)) return false;
    *ret_value = value_int(view->count);
    return true;
}

static bool call_string(struct evaluation *evaluation, const struct value *arguments,
                        struct value *ret_value)
{
    struct bytes text = {0};
    if (!value_text(evaluation, &arguments[0], &text)) return false;
    *ret_value = value_string(text);
    return evaluation_spend_bytes(evaluation, text.size);
}

static bool int_of_double(struct evaluation *evaluation, const struct value *value,
                          struct value *ret_value)
{
    static const double BEYOND = 9223372036854775808.0; /* 2^63 */

    double number = 0;
    if (!evaluation_double(evaluation, value, &number)) return false;
    const double whole = trunc(number);
    if (!(whole >= -BEYOND && whole < BEYOND)) {
        return evaluation_fail(evaluation, "`int`: the number does not fit into 64 bits");
    }
    *ret_value = value_int((int64_t)whole);
    return true;
}

static bool int_of_string(struct evaluation *evaluation, struct bytes string,
                          struct value *ret_value)
{
    const bool negative = string.size > 0 && string.data[0] == '-';
    bool valid = string.size > negative;
    int64_t integer = 0;
    for (size_t i = negative; valid && i < string.size; i++) {
        const char c = string.data[i];
        const int digit = negative ? '0' - c : c - '0';
        valid = c >= '0' && c <= '9' && !__builtin_mul_overflow(integer, 10, &integer) &&
                !__builtin_add_overflow(integer, digit, &integer);
    }
    if (!valid) return evaluation_fail(evaluation, "`int`: the string is no 64-bit integer");
    *ret_value = value_int(integer);
    return true;
}

static bool call_int(struct evaluation *evaluation, const struct value *arguments,
                     struct value *ret_value)
{
    const struct value *const value = &arguments[0];
    if (value->kind == VALUE_STRING) return int_of_string(evaluation, value->string, ret_value);
    if (value->kind == VALUE_DOUBLE) return int_of_double(evaluation, value, ret_value);
    if (value->kind != VALUE_INT) {
        return wrong_argument(evaluation, "int", "a number or a string", value);
    }
    *ret_value = *value;
    return true;
}

/* A string that is a JSON number and nothing else. */
static bool number_of_string(struct evaluation *evaluation, struct bytes string,
                             struct value *ret_value)
{
    if (string.size == 0 || strchr("-0123456789", string.data[0]) == NULL) return false;
    const struct json_view *view = NULL;
    struct json_error error;
    if (!json_view_parse(string, evaluation->arena, &view, &error)) return false;
    *ret_value = value_of_view(view);
    return view->text.size == string.size;
}

static bool call_double(struct evaluation *evaluation, const struct value *arguments,
                        struct value *ret_value)
{
    struct value number = arguments[0];
    if (number.kind == VALUE_STRING && !number_of_string(evaluation, number.string, &number)) {
        return evaluation_fail(evaluation, "`double`: the string is no number");
    }
    if (!value_is_number(&number)) {
        return wrong_argument(evaluation, "double", "a number or a string", &number);
    }
    double result = 0;
    if (!evaluation_double(evaluation, &number, &result)) return false;
    if (!isfinite(result)) {
        return evaluation_fail(evaluation, "`double`: the number is beyond the range of doubles");
    }
    *ret_value = value_double_of(result);
    return true;
}

/* ---- methods of strings ---- */

/* Both are strings: work is paid for by their size. */
static bool two_strings(struct evaluation *evaluation, const char *method,
                        const struct value *arguments)
{
    for (int i = 0; i < 2; i++) {
        if (arguments[i].kind != VALUE_STRING) {
            return wrong_argument(evaluation, method, "a string", &arguments[i]);
        }
    }
    return evaluation_spend_bytes(evaluation, arguments[0].string.size + arguments[1].string.size);
}

static bool call_contains(struct evaluation *evaluation, const struct value *arguments,
                          struct value *ret_value)
{
    if (!two_strings(evaluation, "contains", arguments)) return false;
    const struct bytes text = arguments[0].string;
    const struct bytes part = arguments[1].string;
    *ret_value = value_boolean(memmem(text.data, text.size, part.data, part.size) != NULL);
    return true;
}

static bool call_starts_with(struct evaluation *evaluation, const struct value *arguments,
                             struct value *ret_value)
{
    if (!two_strings(evaluation, "startsWith", arguments)) return false;
    const struct bytes text = arguments[0].string;
    const struct bytes part = arguments[1].string;
    *ret_value =
        value_boolean(part.size <= text.size && memcmp(text.data, part.data, part.size) == 0);
    return true;
}

static bool call_ends_with(struct evaluation *evaluation, const struct value *arguments,
                           struct value *ret_value)
{
    if (!two_strings(evaluation, "endsWith", arguments)) return false;
    const struct bytes text = arguments[0].string;
    const struct bytes part = arguments[1].string;
    *ret_value = value_boolean(part.size <= text.size && memcmp(text.data + text.size - part.size,
                                                                part.data, part.size) == 0);
    return true;
}

/* A copy in which the ASCII letters of a range change their case. */
static bool change_case(struct evaluation *evaluation, struct bytes text, const char range[2],
                        struct value *ret_value)
{
    if (!evaluation_spend_bytes(evaluation, text.size)) return false;
    char *const data = evaluation_alloc(evaluation, text.size + 1);
    if (data == NULL) return false;
    for (size_t i = 0; i < text.size; i++) {
        const char c = text.data[i];
        data[i] = (char)(c >= range[0] && c <= range[1] ? c ^ 0x20 : c);
    }
    *ret_value = value_string((struct bytes){data, text.size});
    return true;
}

static bool call_lower(struct evaluation *evaluation, const struct value *arguments,
                       struct value *ret_value)
{
    if (arguments[0].kind != VALUE_STRING) {
        return wrong_argument(evaluation, "lower", "a string", &arguments[0]);
    }
    return change_case(evaluation, arguments[0].string, "AZ", ret_value);
}

static bool call_upper(struct evaluation *evaluation, const struct value *arguments,
                       struct value *ret_value)
{
    if (arguments[0].kind != VALUE_STRING) {
        return wrong_argument(evaluation, "upper", "a string", &arguments[0]);
    }
    return change_case(evaluation, arguments[0].string, "az", ret_value);
}

/* ---- join ---- */

/* Bytes of the joined string; all items have to be strings. */
static bool joined_size(struct evaluation *evaluation, struct items items, size_t separator_size,
                        size_t *ret_size)
{
    *ret_size = 0;
    struct value item;
    for (bool first = true; items_next(&items, &item); first = false) {
        if (item.kind != VALUE_STRING) {
            return wrong_argument(evaluation, "join", "a list of strings", &item);
        }
        *ret_size += item.string.size + (first ? 0 : separator_size);
        if (!evaluation_spend(evaluation, 1)) return false;
    }
    return evaluation_spend_bytes(evaluation, *ret_size);
}

static char *append(char *at, struct bytes text)
{
    memcpy(at, text.data, text.size);
    return at + text.size;
}

static bool call_join(struct evaluation *evaluation, const struct value *arguments,
                      struct value *ret_value)
{
    if (arguments[1].kind != VALUE_STRING) {
        return wrong_argument(evaluation, "join", "a string between the items", &arguments[1]);
    }
    struct items items = {0};
    if (arguments[0].kind == VALUE_LIST) {
        if (!items_open(evaluation, &arguments[0], &items)) return false;
    } else if (arguments[0].kind != VALUE_NULL) {
        return wrong_argument(evaluation, "join", "a list", &arguments[0]);
    }
    const struct bytes separator = arguments[1].string;
    size_t size = 0;
    if (!joined_size(evaluation, items, separator.size, &size)) return false;
    char *const data = evaluation_alloc(evaluation, size + 1);
    if (data == NULL) return false;

    char *at = data;
    struct value item;
    for (bool first = true; items_next(&items, &item); first = false) {
        if (!first) at = append(at, separator);
        at = append(at, item.string);
    }
    *ret_value = value_string((struct bytes){data, size});
    return true;
}

/* ---- macros ---- */

enum macro_result { RESULT_ALL, RESULT_EXISTS, RESULT_FILTER, RESULT_MAP };

struct macro {
    const char *name;
    enum macro_result result;
};

static const struct macro MACROS[] = {
    {"all",    RESULT_ALL   },
    {"exists", RESULT_EXISTS},
    {"filter", RESULT_FILTER},
    {"map",    RESULT_MAP   },
};

/* all and exists end with the first item that decides. */
static bool run_quantifier(struct evaluation *evaluation, const struct node *node,
                           struct items items, struct value *ret_value)
{
    const bool decisive = node->macro->result == RESULT_EXISTS;
    *ret_value = value_boolean(!decisive);
    while (items_next(&items, &evaluation->variable[node->variable])) {
        struct value answer;
        bool holds = false;
        if (!evaluation_spend(evaluation, UNITS_PER_OPERATION)) return false;
        if (!node_evaluate(evaluation, node->operand[1], &answer)) return false;
        if (!value_condition(evaluation, &answer, &holds)) return false;
        if (holds == decisive) {
            *ret_value = value_boolean(decisive);
            return true;
        }
    }
    return true;
}

static bool run_list(struct evaluation *evaluation, const struct node *node, struct items items,
                     struct value *ret_value)
{
    const bool map = node->macro->result == RESULT_MAP;
    struct value *const results = evaluation_alloc(evaluation, items.left * sizeof(*results));
    if (results == NULL) return false;
    size_t count = 0;
    while (items_next(&items, &evaluation->variable[node->variable])) {
        struct value answer;
        bool kept = map;
        if (!evaluation_spend(evaluation, UNITS_PER_OPERATION)) return false;
        if (!node_evaluate(evaluation, node->operand[1], &answer)) return false;
        if (!map && !value_condition(evaluation, &answer, &kept)) return false;
        if (kept) results[count++] = map ? answer : evaluation->variable[node->variable];
    }
    *ret_value = (struct value){
        .kind = VALUE_LIST, .list = {results, count}
    };
    return true;
}

bool macro_run(struct evaluation *evaluation, const struct node *node, struct value *ret_value)
{
    struct value list;
    struct items items = {0};
    if (!node_evaluate(evaluation, node->operand[0], &list)) return false;
    if (list.kind == VALUE_LIST) {
        if (!items_open(evaluation, &list, &items)) return false;
    } else if (list.kind != VALUE_NULL) {
        return wrong_argument(evaluation, node->macro->name, "a list", &list);
    }
    const bool quantifier =
        node->macro->result == RESULT_ALL || node->macro->result == RESULT_EXISTS;
    return quantifier ? run_quantifier(evaluation, node, items, ret_value)
                      : run_list(evaluation, node, items, ret_value);
}

/* ---- names ---- */

static const struct function FUNCTIONS[] = {
    {"size",   1, call_size  },
    {"string", 1, call_string},
    {"int",    1, call_int   },
    {"double", 1, call_double},
};

static const struct function METHODS[] = {
    {"contains",   2, call_contains   },
    {"startsWith", 2, call_starts_with},
    {"endsWith",   2, call_ends_with  },
    {"lower",      1, call_lower      },
    {"upper",      1, call_upper      },
    {"join",       2, call_join       },
};

const struct function *function_find(struct bytes name)
{
    for (size_t i = 0; i < sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]); i++) {
        if (bytes_equal_text(name, FUNCTIONS[i].name)) return &FUNCTIONS[i];
    }
    return NULL;
}

const struct function *method_find(struct bytes name)
{
    for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++) {
        if (bytes_equal_text(name, METHODS[i].name)) return &METHODS[i];
    }
    return NULL;
}

const struct macro *macro_find(struct bytes name)
{
    for (size_t i = 0; i < sizeof(MACROS) / sizeof(MACROS[0]); i++) {
        if (bytes_equal_text(name, MACROS[i].name)) return &MACROS[i];
    }
    return NULL;
}
