/*
 * sagas/expression/expression.h
 *   `${...}`: the one small language of definitions (contracts, section 1).
 *
 * A subset of CEL plus `??`, compiled and checked at registration, evaluated
 * with a budget, without clock, randomness or recursion: the same inputs give
 * the same bytes for ever. A value that is only passed through keeps the exact
 * bytes of its source; only computed values are printed. README.md has the details of the language.
 */
#ifndef SAGAS_EXPRESSION_EXPRESSION_H
#define SAGAS_EXPRESSION_EXPRESSION_H

#include "sagas/base/bytes.h"
#include "sagas/base/json_view.h"

#include <stdint.h>

enum {
    EXPRESSION_OPERATIONS_MAX = 10000,  /* of one evaluation (one expression or one template) */
    EXPRESSION_RESULT_MAX = 256 * 1024, /* bytes of the result and of any one value on the way */
    EXPRESSION_SOURCE_MAX = 16 * 1024,
    EXPRESSION_NESTING_MAX = 64,
};

struct expression;
struct template;

/* What an expression may name; checked when it is compiled. */
struct expression_names {
    const struct bytes *step_ids; /* of the definition, by position */
    size_t step_count;
    const bool *step_visible; /* by position; NULL: no step may be named */
    struct bytes item;        /* name of the foreach item; absent outside of foreach */
    bool index;               /* `index` is known */
    bool output;              /* `output` (of the own action) is known: in a compensation */
};

/* What the names stand for in one evaluation. All bytes are JSON text; absent reads as null. */
struct expression_step {
    struct bytes output;
    struct bytes error; /* {"code":..,"detail":..} or absent */
    const char *state;  /* "succeeded", "skipped", ... */
};

struct expression_values {
    struct bytes input;
    const struct expression_step *steps; /* by position */
    struct bytes item;
    int64_t index;
    struct bytes output;
    /* saga.id, saga.name, saga.version, saga.started_at, saga.labels */
    struct bytes saga_id, saga_name; /* plain text, not JSON */
    int64_t saga_version;
    int64_t saga_started_at_ms;
    struct bytes saga_labels; /* JSON object */
};

struct expression_error {
    char detail[200]; /* one sentence: what is wrong and how to mend it */
};

/*
 * Compile `source`, the text between `${` and `}`. The result lives in `arena`
 * and borrows nothing from `source`. False with *ret_error filled when it is no
 * expression or names what `names` does not allow.
 */
bool expression_compile(struct bytes source, const struct expression_names *names,
                        struct arena *arena, const struct expression **ret_expression,
                        struct expression_error *ret_error);

/* True when the expression names nothing and is false or null (a `when` that can never hold). */
bool expression_is_constant_false(const struct expression *expression);

/*
 * Evaluate to JSON text. *ret_json lives in `arena` or borrows from `values`.
 * False with *ret_error filled: type error, division by zero, overflow, budget.
 */
bool expression_evaluate(const struct expression *expression,
                         const struct expression_values *values, struct arena *arena,
                         struct bytes *ret_json, struct expression_error *ret_error);

/*
 * A JSON value of a definition in which strings may hold `${...}`. A string that is
 * exactly one expression becomes its value; a mixed string interpolates (null is
 * empty, objects and lists are compact JSON); `$${` writes `${`. Everything else
 * keeps its bytes; white space between tokens is dropped.
 *
 * Every wrong expression is reported: `report` is called with a JSON Pointer relative to
 * `view` ("" for the value itself, "/a/1/b~1c" for a place inside) and a sentence.
 */
typedef void expression_report(void *context, struct bytes pointer, const char *detail);

bool template_compile(const struct json_view *view, const struct expression_names *names,
                      struct arena *arena, expression_report *report, void *context,
                      const struct template **ret_template);

/*
 * The JSON text of the template under `values`, in `arena`; at most EXPRESSION_RESULT_MAX bytes.
 * The budget of work and memory is that of one evaluation.
 */
bool template_render(const struct template *tmpl, const struct expression_values *values,
                     struct arena *arena, struct bytes *ret_json,
                     struct expression_error *ret_error);

/* The bare text of a JSON scalar: a string decoded, a number or boolean as written; false otherwise
 * (null, object, list). For keys, headers and attributes. */
bool json_scalar_text(struct bytes json, struct arena *arena, struct bytes *ret_text);

#endif
