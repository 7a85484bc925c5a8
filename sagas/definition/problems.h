/*
 * sagas/definition/problems.h
 *   What is wrong with a definition: collected in any order, told in the order of the text.
 *
 * A problem names the JSON value that it is about; its JSON Pointer is worked out at the end, in
 * one walk over the document, so no check has to carry its place around. A hostile text cannot
 * make the report large: what is beyond the limits is counted, not kept.
 */
#ifndef SAGAS_DEFINITION_PROBLEMS_H
#define SAGAS_DEFINITION_PROBLEMS_H

#include "sagas/base/json_view.h"
#include "sagas/definition/definition.h"

enum {
    PROBLEMS_MAX = 1000,             /* of a kind (errors, warnings) */
    PROBLEMS_BYTES_MAX = 256 * 1024, /* of texts of a kind; the first is kept whatever its size */
    NAMES_GUESSED_MAX = 100,         /* problems for which a nearest name is looked up */
};

struct problem;

struct problem_list {
    struct problem *item;
    size_t count;
    size_t capacity;
    size_t bytes;
    size_t left_out;
};

struct problems {
    struct arena *arena; /* everything lives here */
    struct problem_list errors;
    struct problem_list warnings;
};

/* `at` NULL: the text as a whole. Details are one sentence: what is wrong; how to mend it. */
__attribute__((format(printf, 3, 4))) void
problems_error(struct problems *problems, const struct json_view *at, const char *format, ...);
__attribute__((format(printf, 3, 4))) void
problems_warning(struct problems *problems, const struct json_view *at, const char *format, ...);
/* The same at `below`, a JSON Pointer relative to `at`; it is copied. */
void problems_error_below(struct problems *problems, const struct json_view *at, struct bytes below,
                          const char *detail);

/* True while it is worth looking for the name that was meant. */
bool problems_guess(const struct problems *problems);

/* Sort, make the pointers under `root` (NULL when the text is no JSON). */
void problems_report(struct problems *problems, const struct json_view *root,
                     struct definition_report *ret_report);

/* ---- words for the details ---- */

struct shown {
    char text[64];
};

/* The caller's text, short and printable. */
struct shown shown_text(struct bytes text);
/* As definitions write it: `2m37s500ms`. */
struct shown shown_duration(uint64_t ms);
/* "a number", "a list". */
const char *shown_type(const struct json_view *view);

#endif
