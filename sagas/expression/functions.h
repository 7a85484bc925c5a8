/*
 * sagas/expression/functions.h
 *   Functions, methods and macros by name.
 */
#ifndef SAGAS_EXPRESSION_FUNCTIONS_H
#define SAGAS_EXPRESSION_FUNCTIONS_H

#include "sagas/expression/node.h"

struct function {
    const char *name;
    uint32_t argument_count; /* a method's receiver included */
    function_apply *apply;
};

/* NULL when there is none. `has` is none: it looks at its argument before it is evaluated. */
const struct function *function_find(struct bytes name);
const struct function *method_find(struct bytes name);

/* `list.all(x, condition)` and its like. */
const struct macro *macro_find(struct bytes name);
bool macro_run(struct evaluation *evaluation, const struct node *node, struct value *ret_value);

#endif
