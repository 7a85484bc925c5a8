/*
 * sagas/expression/evaluation.h
 *   One evaluation: what names stand for, and what may still be spent.
 *
 * Work is paid for in units, UNITS_PER_OPERATION to an operation of the contract, so that
 * visiting an item or comparing some bytes costs a fraction of one. Memory is paid for
 * by the byte. Both together bound what any input can cost.
 */
#ifndef SAGAS_EXPRESSION_EVALUATION_H
#define SAGAS_EXPRESSION_EVALUATION_H

#include "sagas/expression/expression.h"
#include "sagas/expression/value.h"

enum {
    UNITS_PER_OPERATION = 64,
    UNITS_OF_LEAF = 8,             /* a literal or a name */
    BYTES_PER_UNIT = 16,           /* compared, searched or copied */
    DIGITS_PER_UNIT = 4,           /* of a number that is converted */
    VARIABLES_MAX = 16,            /* macros inside each other */
    MEMORY_MAX = 1024 * 1024,      /* of all intermediate values together */
    SOURCES_MAX = 4 * 1024 * 1024, /* bytes of JSON that are looked into */
};

struct source;

struct evaluation {
    const struct expression_values *values;
    struct arena *arena;
    struct expression_error *error;
    int64_t units;           /* left */
    size_t memory;           /* bytes left */
    size_t source_bytes;     /* left */
    struct source *sources;  /* JSON that was read: each one once */
    struct bytes started_at; /* the text of saga.started_at once it was named */
    struct value variable[VARIABLES_MAX];
};

void evaluation_init(struct evaluation *evaluation, const struct expression_values *values,
                     struct arena *arena, struct expression_error *error);

__attribute__((format(printf, 2, 3))) bool evaluation_fail(struct evaluation *evaluation,
                                                           const char *format, ...);

bool evaluation_spend(struct evaluation *evaluation, size_t units);
bool evaluation_spend_bytes(struct evaluation *evaluation, size_t bytes);

/* Zeroed memory of an intermediate value; NULL with the error filled when it may have no more. */
void *evaluation_alloc(struct evaluation *evaluation, size_t size);

/* The value of JSON text that is not an intermediate value; absent gives null. */
bool evaluation_read(struct evaluation *evaluation, struct bytes json, struct value *ret_value);

/* The view of a list or object that comes from JSON. */
bool evaluation_view(struct evaluation *evaluation, const struct value *container,
                     const struct json_view **ret_view);

/* A number as a double, which may be infinite; a long one costs more. */
bool evaluation_double(struct evaluation *evaluation, const struct value *number,
                       double *ret_double);

/* Items of a list, from JSON or computed. */
struct items {
    size_t left;
    const struct json_view *view;
    const struct value *computed;
};

bool items_open(struct evaluation *evaluation, const struct value *list, struct items *ret_items);
/* False when there are no more. */
bool items_next(struct items *items, struct value *ret_item);

/* ---- printing ---- */

/* Append the JSON of a value; false when the buffer would exceed EXPRESSION_RESULT_MAX. */
bool value_write_json(struct evaluation *evaluation, struct buffer *buffer,
                      const struct value *value);
/* The JSON of a value by itself: the bytes it came with, or a print in the arena. */
bool value_result(struct evaluation *evaluation, const struct value *value, struct bytes *ret_json);
/* The text of a value in a mixed string: null is empty, lists and objects are compact JSON. */
bool value_text(struct evaluation *evaluation, const struct value *value, struct bytes *ret_text);
/* False when JSON text is nested deeper than readers of JSON here accept. */
bool evaluation_check_depth(struct evaluation *evaluation, struct bytes json);

#endif
