/*
 * sagas/schema/schema.h
 *   JSON Schema 2020-12: compiled once, checked often, within a budget.
 *
 * A compiled schema never changes and is shared by threads. What a schema says and what is not
 * understood here is an error at compilation, never silently passed over. A check gives the same
 * answer for the same bytes for ever.
 */
#ifndef SAGAS_SCHEMA_SCHEMA_H
#define SAGAS_SCHEMA_SCHEMA_H

#include "sagas/base/json_view.h"

enum {
    SCHEMA_FAULTS_MAX = 20,         /* told of one value */
    SCHEMA_OPERATIONS_MAX = 100000, /* of one check */
    SCHEMA_ROOM = 4 * 1024 * 1024,  /* compiled bytes of all schemas of a definition */
    SCHEMA_PATTERN_SIZE_MAX = 1024, /* bytes of a `pattern` */
};

struct schema;

enum schema_level { SCHEMA_ERROR, SCHEMA_WARNING };

/* `at`: the place in the schema. `detail`: what is wrong and how to mend it; gone after the call.
 */
typedef void schema_say(void *context, enum schema_level level, const struct json_view *at,
                        const char *detail);

struct schema_compiler {
    struct arena *arena;   /* owns the schema */
    struct arena *scratch; /* gone after the compilation */
    size_t *room;          /* bytes left for this and further schemas, SCHEMA_ROOM at first */
    schema_say *say;
    void *context;
};

/* NULL after at least one error. The bytes of `view`'s text must live as long as the schema. */
const struct schema *schema_compile(const struct json_view *view,
                                    const struct schema_compiler *compiler);

struct schema_fault {
    struct bytes pointer; /* RFC 6901, into the value; "" is the value as a whole */
    struct bytes detail;  /* a clause: "must be a string, not a number" */
};

struct schema_report {
    struct schema_fault fault[SCHEMA_FAULTS_MAX];
    size_t count;
    bool more; /* there are others that are not told */
};

/*
 * True when `value` is what the schema says; else the report has at least one fault, in `arena`.
 * A value that takes more operations to check than there are is refused with one fault that says
 * so.
 */
bool schema_check(const struct schema *schema, const struct json_view *value, struct arena *arena,
                  struct schema_report *ret_report);
/* The same for JSON text; absent or empty text is null. */
bool schema_check_text(const struct schema *schema, struct bytes json, struct arena *arena,
                       struct schema_report *ret_report);

#endif
