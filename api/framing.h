/*
 * api/framing.h
 *   Is a request head unambiguous? What two servers could read in two ways is refused.
 *
 * libmicrohttpd 0.9.75 accepts bare LF, folded lines, NUL in values and several framing headers,
 * and hands on strings that no longer show it. It parses in place, though: every byte of the head
 * is still there, with its line ends overwritten by NUL. framing_walk reads that block again and
 * wants exactly one NUL for a colon and two for a CRLF; whatever else was there leaves a
 * different trace, with one exception: a NUL right before a line end can make up for a CR that is
 * missing. Newer versions refuse all of this themselves (http.c).
 */
#ifndef API_FRAMING_H
#define API_FRAMING_H

#include "sagas/base/bytes.h"

enum {
    HEADERS_MAX = 100,
    HEAD_SIZE_MAX = 16 * 1024, /* request line and headers */
};

struct header {
    struct bytes name, value;
};

struct head {
    const char *version; /* "HTTP/1.1" */
    const struct header *headers;
    size_t header_count;
};

/* The first value of a header, by name without regard to case; absent when there is none. */
struct bytes header_find(const struct header *headers, size_t count, const char *name);
size_t header_count(const struct header *headers, size_t count, const char *name);

/* False: *ret_what says what is ambiguous or wrong, for people (static). */
bool framing_check(const struct head *head, const char **ret_what);

/* The head in memory: from the version to behind the empty line. */
struct head_block {
    const char *version; /* 8 bytes of HTTP/d.d, then the line end */
    const char *end;
};

/* Does the block hold `headers` in this order and nothing else, each line ended by CRLF? */
bool framing_walk(const struct head_block *block, const struct header *headers, size_t count,
                  const char **ret_what);

#endif
