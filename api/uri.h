/*
 * api/uri.h
 *   The request target, taken apart: path segments and query parameters, decoded.
 *
 * The raw target is read here and nowhere else, so that what was matched is what was sent. A
 * target that is ambiguous is refused, never mended: a bad %-escape, %00, a raw control or
 * non-ASCII byte, a fragment, text that is not UTF-8 once it is decoded.
 */
#ifndef API_URI_H
#define API_URI_H

#include "sagas/base/bytes.h"

enum {
    TARGET_SIZE_MAX = 8 * 1024,
    SEGMENTS_MAX = 8,
    PARAMETERS_MAX = 64,
};

struct parameter {
    struct bytes name, value;
};

struct uri {
    struct bytes path; /* as sent, without the query */
    struct bytes segment[SEGMENTS_MAX];
    size_t segment_count; /* SEGMENTS_MAX + 1: more than any route has */
    const struct parameter *parameters;
    size_t parameter_count;
};

/* False: *ret_what is one clause for people (static). Everything lives in `arena`. */
bool uri_parse(struct bytes target, struct arena *arena, struct uri *ret_uri,
               const char **ret_what);

/* The first value of a parameter; absent when there is none. */
struct bytes uri_parameter(const struct uri *uri, const char *name);

#endif
