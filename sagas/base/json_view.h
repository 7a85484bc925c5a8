/*
 * sagas/base/json_view.h
 *   A strict JSON reader that keeps the caller's bytes.
 *
 * sagad forwards payloads untouched, so a parser that turns `0.10` into 0.1 is
 * of no use: every view points at its exact bytes in the source text. RFC 8259
 * and nothing beyond it: UTF-8 must be valid, lone surrogates, duplicate
 * members, trailing text and nesting beyond JSON_DEPTH_MAX are refused.
 */
#ifndef SAGAS_BASE_JSON_VIEW_H
#define SAGAS_BASE_JSON_VIEW_H

#include "sagas/base/bytes.h"

#include <stdint.h>

enum { JSON_DEPTH_MAX = 128 };

enum json_view_type {
    VIEW_NULL,
    VIEW_FALSE,
    VIEW_TRUE,
    VIEW_NUMBER,
    VIEW_STRING,
    VIEW_ARRAY,
    VIEW_OBJECT,
};

struct json_view {
    enum json_view_type type;
    uint32_t count;                /* items or members */
    struct bytes text;             /* exact bytes of the value, borrowed from the source */
    struct bytes string;           /* VIEW_STRING: decoded UTF-8 (may hold NUL) */
    struct bytes key;              /* decoded name, when this is a member of an object */
    const struct json_view *child; /* first item or member */
    const struct json_view *next;  /* next sibling */
};

struct json_error {
    size_t offset;    /* byte where reading stopped */
    const char *what; /* one lower-case clause, static */
};

/*
 * Parse the whole of `text`. The views live in `arena` and borrow from `text`.
 * False with *ret_error filled when it is not JSON or exceeds a limit.
 * Linear time but for the search of duplicate members, which sorts or hashes
 * when an object has many.
 */
bool json_view_parse(struct bytes text, struct arena *arena, const struct json_view **ret_view,
                     struct json_error *ret_error);

/* The member `name` of an object; NULL when absent or when `view` is no object. */
const struct json_view *json_view_member(const struct json_view *view, const char *name);
const struct json_view *json_view_member_bytes(const struct json_view *view, struct bytes name);
/* The item at `index` of an array, NULL when there is none. */
const struct json_view *json_view_item(const struct json_view *view, size_t index);

/* An integer without fraction or exponent that fits; false otherwise. */
bool json_view_int64(const struct json_view *view, int64_t *ret_value);

/*
 * In text that is known to be JSON: where the string ends whose opening quote is before `at`. The
 * result is behind its closing quote, or `end` when that is missing.
 */
const char *json_string_end(const char *at, const char *end);

/* ---- writing ---- */

/* A JSON string with quotes; `"` `\` and controls escaped, the rest as it is. */
void json_write_string(struct buffer *buffer, struct bytes text);
/* The same without the quotes: a part of a string. */
void json_write_string_part(struct buffer *buffer, struct bytes text);
void json_write_text(struct buffer *buffer, const char *text); /* NULL writes null */
void json_write_int(struct buffer *buffer, int64_t value);
/*
 * A finite double in the shortest decimal form that reads back as it. A whole number up to 2^53
 * has neither point nor exponent (3, not 3.0): readers of integers take it as well. The
 * process keeps the C locale for numbers.
 */
void json_write_double(struct buffer *buffer, double value);
enum { TIME_TEXT_SIZE = sizeof "2026-01-31T12:00:00.000Z" };
/* RFC 3339, UTC, milliseconds; years 0 to 9999. Returns the length without the NUL. */
size_t time_print(int64_t at_ms, char ret_text[TIME_TEXT_SIZE]);
/* RFC 3339 with any offset, up to milliseconds kept; false when it is none or before 1970. */
bool time_parse(struct bytes text, int64_t *ret_at_ms);
/* The same in quotes; 0 writes null. */
void json_write_time(struct buffer *buffer, int64_t at_ms);
/* The same value without white space outside strings; numbers and strings keep their bytes. */
void json_write_compact(struct buffer *buffer, const struct json_view *view);
/* Likewise for text that is valid JSON, or a run of whole tokens of it. */
void json_write_compact_text(struct buffer *buffer, struct bytes text);
/* Append `token` to an RFC 6901 pointer, `~` and `/` escaped. */
void json_pointer_add(struct buffer *buffer, struct bytes token);

#endif
