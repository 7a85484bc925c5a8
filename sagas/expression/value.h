/*
 * sagas/expression/value.h
 *   What an expression computes with.
 *
 * A value that comes from JSON remembers its exact bytes and is not looked at more
 * closely than somebody asks: a double is converted when it is computed with, the items
 * of a list are read when they are visited.
 */
#ifndef SAGAS_EXPRESSION_VALUE_H
#define SAGAS_EXPRESSION_VALUE_H

#include "sagas/base/bytes.h"
#include "sagas/base/json_view.h"

#include <stdint.h>

enum value_kind {
    VALUE_NULL,
    VALUE_BOOLEAN,
    VALUE_INT,
    VALUE_DOUBLE,
    VALUE_STRING,
    VALUE_LIST,
    VALUE_OBJECT, /* always from JSON: the language makes none */
};

struct value_list {
    const struct value *items;
    size_t count;
};

struct value {
    enum value_kind kind;
    struct bytes text; /* exact JSON where it comes from JSON, absent where it was computed */
    union {
        bool boolean;
        int64_t integer;
        double number; /* VALUE_DOUBLE; NAN: not read from the text yet, see value_double() */
        struct bytes string;
        const struct json_view *view; /* VALUE_LIST, VALUE_OBJECT with `text`; NULL: not read yet */
        struct value_list list;       /* VALUE_LIST that was computed */
    };
};

struct value value_null(void);
struct value value_boolean(bool boolean);
struct value value_int(int64_t integer);
struct value value_double_of(double number);
struct value value_string(struct bytes string);
struct value value_of_view(const struct json_view *view);

static inline bool value_is_number(const struct value *value)
{
    return value->kind == VALUE_INT || value->kind == VALUE_DOUBLE;
}

/* A number as a double; infinite when the text says more than a double can hold. */
double value_double(const struct value *value);

/* "a string", "null", ... for sentences. */
const char *value_kind_name(const struct value *value);

#endif
