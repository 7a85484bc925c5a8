#include "sagas/expression/value.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct value value_null(void)
{
    return (struct value){.kind = VALUE_NULL};
}

struct value value_boolean(bool boolean)
{
    return (struct value){.kind = VALUE_BOOLEAN, .boolean = boolean};
}

struct value value_int(int64_t integer)
{
    return (struct value){.kind = VALUE_INT, .integer = integer};
}

struct value value_double_of(double number)
{
    return (struct value){.kind = VALUE_DOUBLE, .number = number};
}

struct value value_string(struct bytes string)
{
    return (struct value){.kind = VALUE_STRING, .string = string};
}

struct value value_of_view(const struct json_view *view)
{
    struct value value = {.text = view->text};
    switch (view->type) {
    case VIEW_NULL: value.kind = VALUE_NULL; break;
    case VIEW_FALSE:
    case VIEW_TRUE:
        value.kind = VALUE_BOOLEAN;
        value.boolean = view->type == VIEW_TRUE;
        break;
    case VIEW_NUMBER:
        value.kind = json_view_int64(view, &value.integer) ? VALUE_INT : VALUE_DOUBLE;
        if (value.kind == VALUE_DOUBLE) value.number = NAN;
        break;
    case VIEW_STRING:
        value.kind = VALUE_STRING;
        value.string = view->string;
        break;
    case VIEW_ARRAY:
    case VIEW_OBJECT:
        value.kind = view->type == VIEW_ARRAY ? VALUE_LIST : VALUE_OBJECT;
        value.view = view;
        break;
    }
    return value;
}

/* The bytes are a JSON number without a NUL behind it. */
static double parse_double(struct bytes text)
{
    enum { USUAL_SIZE = 64 };
    char usual[USUAL_SIZE];

    char *const copy = text.size < USUAL_SIZE ? usual : malloc(text.size + 1);
    if (copy == NULL) abort();
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    const double number = strtod(copy, NULL);
    if (copy != usual) free(copy);
    return number;
}

double value_double(const struct value *value)
{
    assert(value_is_number(value));
    if (value->kind == VALUE_INT) return (double)value->integer;
    return isnan(value->number) ? parse_double(value->text) : value->number;
}

const char *value_kind_name(const struct value *value)
{
    switch (value->kind) {
    case VALUE_NULL: return "null";
    case VALUE_BOOLEAN: return "a boolean";
    case VALUE_INT:
    case VALUE_DOUBLE: return "a number";
    case VALUE_STRING: return "a string";
    case VALUE_LIST: return "a list";
    case VALUE_OBJECT: return "an object";
    }
    abort();
}
