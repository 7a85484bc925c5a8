/*
 * tests/unit/test_expression_support.h
 *   What an expression is worth under fixed names and values.
 */
#ifndef TESTS_UNIT_TEST_EXPRESSION_SUPPORT_H
#define TESTS_UNIT_TEST_EXPRESSION_SUPPORT_H

#include "sagas/expression/expression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

extern const char INPUT[];
extern const struct expression_names NAMES;         /* of an action behind three steps */
extern const struct expression_names FOREACH_NAMES; /* of a compensation in a foreach as `part` */

/* Memory of the running test; reset_arena is its teardown. */
extern struct arena arena;
int reset_arena(void **state);

struct expression_values values_with(const char *input);

/* The JSON of an expression, "error" when it fails at run time, "refused" when it does not compile.
 */
const char *worth(const char *source, const struct expression_names *names, const char *input);

/* A row is "expression => JSON" (or error, or refused), under NAMES and INPUT. */
void assert_row(const char *row);

/* NOLINTNEXTLINE(readability-identifier-naming): like the assertions of cmocka */
#define assert_rows(rows)                                                                          \
    do {                                                                                           \
        for (size_t row_ = 0; row_ < sizeof(rows) / sizeof((rows)[0]); row_++)                     \
            assert_row((rows)[row_]);                                                              \
    } while (0)

#endif
