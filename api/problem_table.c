#include "api/problem.h"

#include <assert.h>

/* slug, status, retryable, title, cause, fix */
static const struct problem_row NONE_ROW = {"none", 200, false, "No problem", "", ""};
static const struct problem_row BAD_REQUEST_ROW = {
    "bad-request",
    400,
    false,
    "The request is not well-formed HTTP",
    "The request line or the headers could be read in more than one way, or not at all. The "
    "connection was closed.",
    "Send plain HTTP/1.1: one Host, one Content-Length or chunked, CRLF line ends, no folded "
    "headers."};
static const struct problem_row INVALID_JSON_ROW = {
    "invalid-json",
    400,
    false,
    "The body is not acceptable JSON",
    "The body is missing, is not RFC 8259 JSON, holds a member twice or a lone surrogate, or is "
    "nested deeper than 128.",
    "Send one JSON value in UTF-8. The detail names the byte where reading stopped."};
static const struct problem_row INVALID_QUERY_ROW = {
    "invalid-query",
    400,
    false,
    "The query string is not understood",
    "A query parameter is unknown here, comes too often, or its value is out of range.",
    "Use the parameters that /openapi.json lists for this path."};
static const struct problem_row INVALID_CURSOR_ROW = {
    "invalid-cursor",
    400,
    false,
    "The cursor does not belong to this list",
    "A cursor is bound to the filter that it was made with, and is not to be made by hand.",
    "Pass next_cursor of the page before, with the same filter, or start again without a cursor."};
static const struct problem_row INVALID_HEADER_ROW = {
    "invalid-header",
    400,
    false,
    "A header's value is not understood",
    "Idempotency-Key, If-Match or another header has a value that is not in its form.",
    "Idempotency-Key is 1 to 255 visible ASCII characters; If-Match is one entity tag as it was "
    "served."};
static const struct problem_row UNAUTHENTICATED_ROW = {
    "unauthenticated",
    401,
    false,
    "Who is asking?",
    "The API key is missing or unknown.",
    "Send Authorization: Bearer KEY. Keys are made by `sagad keys add`."};
static const struct problem_row FORBIDDEN_ROW = {
    "forbidden",
    403,
    false,
    "The key's role does not allow this",
    "Each route needs a role: reader, submitter, operator or admin; a higher one includes the "
    "lower ones.",
    "Use a key with the role that the detail names."};
static const struct problem_row FORGED_TOKEN_ROW = {
    "forged-token",
    403,
    false,
    "The reply token is not one of ours",
    "The token was changed, cut, or made with a key that is no longer accepted.",
    "Copy ce_sagatoken of the command byte for byte."};
static const struct problem_row NO_ROUTE_ROW = {"no-such-route",
                                                404,
                                                false,
                                                "There is nothing at this path",
                                                "No route has this path.",
                                                "See /openapi.json for the paths there are."};
static const struct problem_row SAGA_NOT_FOUND_ROW = {
    "saga-not-found",
    404,
    false,
    "There is no such saga",
    "No saga has this id in this namespace.",
    "Check the id; GET /v1/sagas lists what there is."};
static const struct problem_row STEP_NOT_FOUND_ROW = {
    "step-not-found",
    404,
    false,
    "The saga has no such step",
    "The saga's definition has no step of this id, or the step has no such item.",
    "GET /v1/sagas/{id}/steps lists the steps and their items; an item is named by ?index=n."};
static const struct problem_row DEFINITION_NOT_FOUND_ROW = {
    "definition-not-found",
    404,
    false,
    "There is no such definition",
    "No definition has this name, or it has no such version.",
    "GET /v1/definitions lists what there is."};
static const struct problem_row DEAD_LETTER_NOT_FOUND_ROW = {
    "dead-letter-not-found",
    404,
    false,
    "There is no such dead letter",
    "No dead letter has this id.",
    "GET /v1/dead-letters lists the open ones."};
static const struct problem_row DOCUMENT_NOT_FOUND_ROW = {"document-not-found",
                                                          404,
                                                          false,
                                                          "There is no such document",
                                                          "No document has this name.",
                                                          "See /openapi.json and /problems."};
static const struct problem_row METHOD_NOT_ALLOWED_ROW = {
    "method-not-allowed",
    405,
    false,
    "This path does not take this method",
    "The path exists, but not for this method.",
    "Use a method of the Allow header."};
static const struct problem_row NOT_ACCEPTABLE_ROW = {
    "not-acceptable",
    406,
    false,
    "The answer would not be in an accepted form",
    "The Accept header leaves out what this route can produce.",
    "Accept application/json (or */*)."};
static const struct problem_row NOT_ALLOWED_ROW = {
    "not-allowed",
    409,
    false,
    "The state does not allow it",
    "The saga, or its step, is in a state in which this command means nothing. Nothing was "
    "changed.",
    "The detail says what would be allowed; ?dry_run=true shows what a command would do."};
static const struct problem_row PAST_PIVOT_ROW = {
    "past-pivot",
    409,
    false,
    "There is no way back any more",
    "The pivot step succeeded; from there a saga only goes forward, so it cannot be cancelled.",
    "Help it forward (retry, skip or complete a step), or terminate it, which undoes nothing."};
static const struct problem_row ID_TAKEN_ROW = {
    "id-taken",
    409,
    false,
    "The id belongs to another saga",
    "A saga with this id exists with other content, or if_exists is \"fail\".",
    "Choose another id, or leave it out and use an Idempotency-Key."};
static const struct problem_row DEPRECATED_ROW = {
    "definition-deprecated",
    409,
    false,
    "This version is deprecated",
    "No new saga starts under a deprecated version; those that run go on.",
    "Start a version that is not deprecated, or restore this one."};
static const struct problem_row SETTLED_ROW = {"already-settled",
                                               409,
                                               false,
                                               "The dead letter is settled",
                                               "It was replayed or discarded before.",
                                               "There is nothing left to do."};
static const struct problem_row STALE_ROW = {
    "stale",
    412,
    false,
    "The saga has moved on",
    "If-Match names a revision that is not the current one. Nothing was changed.",
    "Read the saga again, decide again, and send its new ETag."};
static const struct problem_row TOO_LARGE_ROW = {
    "too-large",
    413,
    false,
    "The body is too large",
    "A body is at most 1 MiB; that of a bulk at most 8 MiB.",
    "Send less, or keep large data elsewhere and send a reference."};
static const struct problem_row INPUT_TOO_LARGE_ROW = {
    "input-too-large",
    413,
    false,
    "The input is too large",
    "The input of a saga, like every payload, is at most 256 KiB.",
    "Keep large data elsewhere and send a reference."};
static const struct problem_row TOO_MANY_ITEMS_ROW = {
    "too-many-items",
    413,
    false,
    "The bulk has too many items",
    "A bulk holds at most 1,000 items. None of them was started.",
    "Send several bulks."};
static const struct problem_row URI_TOO_LONG_ROW = {"uri-too-long",
                                                    414,
                                                    false,
                                                    "The request target is too long",
                                                    "Path and query are at most 8 KiB.",
                                                    "Use fewer query parameters."};
static const struct problem_row UNSUPPORTED_MEDIA_TYPE_ROW = {
    "unsupported-media-type",
    415,
    false,
    "The body is not declared as JSON",
    "The Content-Type is missing or another one.",
    "Send Content-Type: application/json."};
static const struct problem_row INVALID_ROW = {
    "invalid",
    422,
    false,
    "Well-formed, but wrong",
    "A member is missing, unknown, of the wrong type or out of range; errors[] has the places.",
    "Mend what errors[] names. Each pointer is a JSON Pointer into the body."};
static const struct problem_row UNKNOWN_DEFINITION_ROW = {
    "unknown-definition",
    422,
    false,
    "The definition to start is not registered",
    "No definition has this name, or it has no such version.",
    "Register it by POST /v1/definitions, or name one of GET /v1/definitions."};
static const struct problem_row INVALID_DEFINITION_ROW = {
    "invalid-definition",
    422,
    false,
    "The definition has errors",
    "Each error is in errors[] with the place and what to do about it. Nothing was stored.",
    "Mend them all, try again with POST /v1/definitions/validate, then register."};
static const struct problem_row KEY_REUSED_ROW = {
    "key-reused",
    422,
    false,
    "The Idempotency-Key was used with another request",
    "A key stands for one request: same method, path and body, byte for byte, for 7 days. Nothing "
    "was changed.",
    "Use a new key for a new request; repeat the old one unchanged to get its answer again."};
static const struct problem_row HEADERS_TOO_LARGE_ROW = {
    "headers-too-large",
    431,
    false,
    "The headers are too large",
    "Request line and headers are at most 16 KiB and 100 headers.",
    "Send fewer or shorter headers."};
static const struct problem_row OVERLOADED_ROW = {
    "overloaded",
    429,
    true,
    "Too much at once",
    "More is waiting than is good for everybody, or too many commands wait for the broker. Nothing "
    "was started.",
    "Try again after Retry-After, with the same Idempotency-Key."};
static const struct problem_row INTERNAL_ROW = {
    "internal",
    500,
    true,
    "Something is wrong with sagad",
    "A defect or damaged data; the log of the node has the line with this request_id.",
    "Try once more with the same Idempotency-Key, then tell the operators the request_id."};
static const struct problem_row UNAVAILABLE_ROW = {
    "unavailable",
    503,
    true,
    "The database is away, or this node is stopping",
    "A start or command that got this answer may or may not have been carried out.",
    "Try again after Retry-After, with the same Idempotency-Key: it is carried out once."};
static const struct problem_row TIMEOUT_ROW = {
    "timeout",
    503,
    true,
    "The answer took too long",
    "The request was not answered in time; it may still be carried out.",
    "Try again after Retry-After, with the same Idempotency-Key: it is carried out once."};

static const struct problem_row *const ROWS[PROBLEM_COUNT] = {
    [PROBLEM_NONE] = &NONE_ROW,
    [PROBLEM_BAD_REQUEST] = &BAD_REQUEST_ROW,
    [PROBLEM_INVALID_JSON] = &INVALID_JSON_ROW,
    [PROBLEM_INVALID_QUERY] = &INVALID_QUERY_ROW,
    [PROBLEM_INVALID_CURSOR] = &INVALID_CURSOR_ROW,
    [PROBLEM_INVALID_HEADER] = &INVALID_HEADER_ROW,
    [PROBLEM_UNAUTHENTICATED] = &UNAUTHENTICATED_ROW,
    [PROBLEM_FORBIDDEN] = &FORBIDDEN_ROW,
    [PROBLEM_FORGED_TOKEN] = &FORGED_TOKEN_ROW,
    [PROBLEM_NO_ROUTE] = &NO_ROUTE_ROW,
    [PROBLEM_SAGA_NOT_FOUND] = &SAGA_NOT_FOUND_ROW,
    [PROBLEM_STEP_NOT_FOUND] = &STEP_NOT_FOUND_ROW,
    [PROBLEM_DEFINITION_NOT_FOUND] = &DEFINITION_NOT_FOUND_ROW,
    [PROBLEM_DEAD_LETTER_NOT_FOUND] = &DEAD_LETTER_NOT_FOUND_ROW,
    [PROBLEM_DOCUMENT_NOT_FOUND] = &DOCUMENT_NOT_FOUND_ROW,
    [PROBLEM_METHOD_NOT_ALLOWED] = &METHOD_NOT_ALLOWED_ROW,
    [PROBLEM_NOT_ACCEPTABLE] = &NOT_ACCEPTABLE_ROW,
    [PROBLEM_NOT_ALLOWED] = &NOT_ALLOWED_ROW,
    [PROBLEM_PAST_PIVOT] = &PAST_PIVOT_ROW,
    [PROBLEM_ID_TAKEN] = &ID_TAKEN_ROW,
    [PROBLEM_DEPRECATED] = &DEPRECATED_ROW,
    [PROBLEM_SETTLED] = &SETTLED_ROW,
    [PROBLEM_STALE] = &STALE_ROW,
    [PROBLEM_TOO_LARGE] = &TOO_LARGE_ROW,
    [PROBLEM_INPUT_TOO_LARGE] = &INPUT_TOO_LARGE_ROW,
    [PROBLEM_TOO_MANY_ITEMS] = &TOO_MANY_ITEMS_ROW,
    [PROBLEM_URI_TOO_LONG] = &URI_TOO_LONG_ROW,
    [PROBLEM_UNSUPPORTED_MEDIA_TYPE] = &UNSUPPORTED_MEDIA_TYPE_ROW,
    [PROBLEM_INVALID] = &INVALID_ROW,
    [PROBLEM_UNKNOWN_DEFINITION] = &UNKNOWN_DEFINITION_ROW,
    [PROBLEM_INVALID_DEFINITION] = &INVALID_DEFINITION_ROW,
    [PROBLEM_KEY_REUSED] = &KEY_REUSED_ROW,
    [PROBLEM_HEADERS_TOO_LARGE] = &HEADERS_TOO_LARGE_ROW,
    [PROBLEM_OVERLOADED] = &OVERLOADED_ROW,
    [PROBLEM_INTERNAL] = &INTERNAL_ROW,
    [PROBLEM_UNAVAILABLE] = &UNAVAILABLE_ROW,
    [PROBLEM_TIMEOUT] = &TIMEOUT_ROW,
};

const struct problem_row *problem_row(enum problem problem)
{
    assert(problem < PROBLEM_COUNT && ROWS[problem] != NULL);
    return ROWS[problem];
}

enum problem problem_by_slug(struct bytes slug)
{
    for (enum problem problem = PROBLEM_NONE + 1; problem < PROBLEM_COUNT; problem++)
        if (bytes_equal_text(slug, ROWS[problem]->slug)) return problem;
    return PROBLEM_NONE;
}

enum problem problem_of_err(const struct err *err, enum problem missing)
{
    switch (err->kind) {
    case ERR_INVALID: return PROBLEM_INVALID;
    case ERR_NOT_FOUND: return missing;
    case ERR_CONFLICT: return PROBLEM_NOT_ALLOWED;
    case ERR_UNAVAILABLE: return PROBLEM_UNAVAILABLE;
    case ERR_INTERNAL:
    case ERR_KIND_COUNT: break;
    }
    return PROBLEM_INTERNAL;
}
