/*
 * api/problem.h
 *   What can be wrong with a request: one table, one shape (RFC 9457), one page for each.
 */
#ifndef API_PROBLEM_H
#define API_PROBLEM_H

#include "orchestrator/base/err.h"
#include "sagas/base/bytes.h"

#include <stdint.h>

enum problem {
    PROBLEM_NONE,
    PROBLEM_BAD_REQUEST,
    PROBLEM_INVALID_JSON,
    PROBLEM_INVALID_QUERY,
    PROBLEM_INVALID_CURSOR,
    PROBLEM_INVALID_HEADER,
    PROBLEM_UNAUTHENTICATED,
    PROBLEM_FORBIDDEN,
    PROBLEM_FORGED_TOKEN,
    PROBLEM_NO_ROUTE,
    PROBLEM_SAGA_NOT_FOUND,
    PROBLEM_STEP_NOT_FOUND,
    PROBLEM_SIGNAL_NOT_FOUND,
    PROBLEM_DEFINITION_NOT_FOUND,
    PROBLEM_DEAD_LETTER_NOT_FOUND,
    PROBLEM_FAILURE_NOT_FOUND,
    PROBLEM_BATCH_NOT_FOUND,
    PROBLEM_SCHEDULE_NOT_FOUND,
    PROBLEM_TOPIC_NOT_FOUND,
    PROBLEM_DOCUMENT_NOT_FOUND,
    PROBLEM_METHOD_NOT_ALLOWED,
    PROBLEM_NOT_ACCEPTABLE,
    PROBLEM_NOT_ALLOWED,
    PROBLEM_PAST_PIVOT,
    PROBLEM_MATCHES_MANY,
    PROBLEM_ID_TAKEN,
    PROBLEM_SCHEDULE_EXISTS,
    PROBLEM_DEPRECATED,
    PROBLEM_SETTLED,
    PROBLEM_EVENTS_OFF,
    PROBLEM_EVENTS_GONE,
    PROBLEM_STALE,
    PROBLEM_TOO_LARGE,
    PROBLEM_INPUT_TOO_LARGE,
    PROBLEM_TOO_MANY_ITEMS,
    PROBLEM_BATCH_TOO_LARGE,
    PROBLEM_EXPORT_TOO_LARGE,
    PROBLEM_URI_TOO_LONG,
    PROBLEM_UNSUPPORTED_MEDIA_TYPE,
    PROBLEM_INVALID,
    PROBLEM_UNKNOWN_DEFINITION,
    PROBLEM_INVALID_DEFINITION,
    PROBLEM_KEY_REUSED,
    PROBLEM_HEADERS_TOO_LARGE,
    PROBLEM_OVERLOADED,
    PROBLEM_INTERNAL,
    PROBLEM_UNAVAILABLE,
    PROBLEM_TIMEOUT,
    PROBLEM_COUNT,
};

struct problem_row {
    const char *slug;
    uint16_t status;
    bool retryable;
    const char *title, *cause, *fix;
};

const struct problem_row *problem_row(enum problem problem);
/* PROBLEM_NONE when no problem has this slug. */
enum problem problem_by_slug(struct bytes slug);

/* What a failed call means to a client. `missing`: what ERR_NOT_FOUND is about. */
enum problem problem_of_err(const struct err *err, enum problem missing);

enum { FAULTS_MAX = 100 };

struct fault {
    struct bytes pointer, detail;
};

/*
 * What is wrong with one request, or with one item of a bulk. Zeroed but for `arena`: nothing is.
 * The first problem stays; faults add up, so that all of them are told at once.
 */
struct refusal {
    struct arena *arena;
    enum problem problem;
    struct bytes detail;
    struct fault *faults;
    size_t fault_count;
};

/* Both return false, so that refusing is one line. */
__attribute__((format(printf, 3, 4))) bool refuse(struct refusal *refusal, enum problem problem,
                                                  const char *format, ...);
/* A fault at a JSON Pointer of the body; the problem is PROBLEM_INVALID unless one was set. */
__attribute__((format(printf, 3, 4))) bool refuse_at(struct refusal *refusal, struct bytes pointer,
                                                     const char *format, ...);
/* `base` extended by one token. */
struct bytes pointer_to(struct arena *arena, struct bytes base, const char *token);

/* The problem object as application/problem+json. */
void problem_write(struct buffer *buffer, const struct refusal *refusal, const char *request_id);

/* The page of a problem. */
void problem_write_html(struct buffer *buffer, enum problem problem);
void problem_write_json(struct buffer *buffer, enum problem problem);
/* All of them. */
void problem_list_html(struct buffer *buffer);
void problem_list_json(struct buffer *buffer);

#endif
