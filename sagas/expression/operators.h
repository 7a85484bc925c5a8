/*
 * sagas/expression/operators.h
 *   What the operators do.
 *
 * int with int stays int and overflow is an error; any other pair of numbers is
 * computed as doubles, and a result that is not finite is an error.
 */
#ifndef SAGAS_EXPRESSION_OPERATORS_H
#define SAGAS_EXPRESSION_OPERATORS_H

#include "sagas/expression/node.h"

operator_apply apply_add, apply_subtract, apply_multiply, apply_divide, apply_modulo;
operator_apply apply_equal, apply_unequal;
operator_apply apply_less, apply_less_equal, apply_greater, apply_greater_equal;
operator_apply apply_in;

bool value_negate(struct evaluation *evaluation, const struct value *value,
                  struct value *ret_value);

/* Deep; the order of members does not matter; 1 equals 1.0. */
bool value_equal(struct evaluation *evaluation, const struct value *a, const struct value *b,
                 bool *ret_equal);

#endif
