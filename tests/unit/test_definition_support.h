/*
 * tests/unit/test_definition_support.h
 *   Parse a definition and look at what is said about it.
 */
#ifndef TESTS_UNIT_TEST_DEFINITION_SUPPORT_H
#define TESTS_UNIT_TEST_DEFINITION_SUPPORT_H

#include "sagas/definition/definition.h"

/* A parsed text with its report; done() releases both. */
struct parsed {
    struct definition *definition; /* NULL when there is an error */
    struct definition_report report;
    struct arena arena;
};

struct parsed parsed_text(struct bytes text);
struct parsed parsed_under(struct bytes text, const char *topics_allow);
/* As one that was registered before. */
struct parsed parsed_stored(struct bytes text);
__attribute__((format(printf, 1, 2))) struct parsed parsed_format(const char *format, ...);
void parsed_done(struct parsed *parsed);

/* Fail with the report when there is an error. */
void assert_valid(const struct parsed *parsed);
/* Fail with the report unless its errors are exactly at these pointers, in this order; end with
 * NULL. */
void assert_errors(const struct parsed *parsed, const char *first, ...) __attribute__((sentinel));
void assert_warnings(const struct parsed *parsed, const char *first, ...) __attribute__((sentinel));
void print_report(const struct parsed *parsed);

const struct step *step_named(const struct parsed *parsed, const char *id);

#endif
