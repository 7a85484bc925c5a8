#include "api/problem.h"

#include <assert.h>

/* slug, status, retryable, title, cause, fix */
/* clang-format off */
static const struct problem_row ROWS[PROBLEM_COUNT] = {
    [PROBLEM_NONE] = {"none", 200, false, "No problem", "", ""},
    [PROBLEM_BAD_REQUEST] = {
        "bad-request", 400, false, "The request is not well-formed HTTP",
        "The request line or the headers could be read in more than one way, or not at all. The connection was closed.",
        "Send plain HTTP/1.1: one Host, one Content-Length or chunked, CRLF line ends, no folded headers."},
    [PROBLEM_INVALID_JSON] = {
        "invalid-json", 400, false, "The body is not acceptable JSON",
        "The body is missing, is not RFC 8259 JSON, holds a member twice or a lone surrogate, or is nested deeper than 128.",
        "Send one JSON value in UTF-8. The detail names the byte where reading stopped."},
    [PROBLEM_INVALID_QUERY] = {
        "invalid-query", 400, false, "The query string is not understood",
        "A query parameter is unknown here, comes too often, or its value is out of range.",
        "Use the parameters that /openapi.json lists for this path."},
    [PROBLEM_INVALID_CURSOR] = {
        "invalid-cursor", 400, false, "The cursor does not belong to this list",
        "A cursor is bound to the filter that it was made with, and is not to be made by hand.",
        "Pass next_cursor of the page before, with the same filter, or start again without a cursor."},
    [PROBLEM_INVALID_HEADER] = {
        "invalid-header", 400, false, "A header's value is not understood",
        "Idempotency-Key, If-Match or another header has a value that is not in its form.",
        "Idempotency-Key is 1 to 255 visible ASCII characters; If-Match is one entity tag as it was served."},
    [PROBLEM_UNAUTHENTICATED] = {
        "unauthenticated", 401, false, "Who is asking?",
        "The API key is missing or unknown.",
        "Send Authorization: Bearer KEY. Keys are made by `sagad keys add`."},
    [PROBLEM_FORBIDDEN] = {
        "forbidden", 403, false, "The key's role does not allow this",
        "Each route needs a role: reader, submitter, operator or admin; a higher one includes the lower ones.",
        "Use a key with the role that the detail names."},
    [PROBLEM_FORGED_TOKEN] = {
        "forged-token", 403, false, "The reply token is not one of ours",
        "The token was changed, cut, or made with a key that is no longer accepted.",
        "Copy ce_sagatoken of the command byte for byte."},
    [PROBLEM_NO_ROUTE] = {
        "no-such-route", 404, false, "There is nothing at this path",
        "No route has this path.",
        "See /openapi.json for the paths there are."},
    [PROBLEM_SAGA_NOT_FOUND] = {
        "saga-not-found", 404, false, "There is no such saga",
        "No saga has this id in this namespace.",
        "Check the id; GET /v1/sagas lists what there is."},
    [PROBLEM_STEP_NOT_FOUND] = {
        "step-not-found", 404, false, "The saga has no such step",
        "The saga's definition has no step of this id, or the step has no such item.",
        "GET /v1/sagas/{id}/steps lists the steps and their items; an item is named by ?index=n."},
    [PROBLEM_SIGNAL_NOT_FOUND] = {
        "signal-not-found", 404, false, "The saga knows no such signal",
        "No step of the saga's definition waits for a signal of this name.",
        "Use a name that the detail lists; GET /v1/definitions/{name} shows the steps with a signal."},
    [PROBLEM_DEFINITION_NOT_FOUND] = {
        "definition-not-found", 404, false, "There is no such definition",
        "No definition has this name, or it has no such version.",
        "GET /v1/definitions lists what there is."},
    [PROBLEM_DEAD_LETTER_NOT_FOUND] = {
        "dead-letter-not-found", 404, false, "There is no such dead letter",
        "No dead letter has this id.",
        "GET /v1/dead-letters lists the open ones."},
    [PROBLEM_FAILURE_NOT_FOUND] = {
        "failure-not-found", 404, false, "There is no such group of failures",
        "No saga is stuck or retrying for this reason (any more).",
        "GET /v1/failures lists the groups that there are."},
    [PROBLEM_BATCH_NOT_FOUND] = {
        "batch-not-found", 404, false, "There is no such batch",
        "No batch has this id; those that ended long ago are deleted.",
        "GET /v1/batches lists those that there are."},
    [PROBLEM_SCHEDULE_NOT_FOUND] = {
        "schedule-not-found", 404, false, "There is no such schedule",
        "No schedule has this name in this namespace.",
        "GET /v1/schedules lists what there is; PUT /v1/schedules/{name} makes one."},
    [PROBLEM_TOPIC_NOT_FOUND] = {
        "topic-not-found", 404, false, "This node knows no such topic",
        "No command was sent to a topic of this name by this node, and nobody paused it.",
        "GET /v1/topics lists those that are known; a pause takes any topic that definitions may "
        "name."},
    [PROBLEM_DOCUMENT_NOT_FOUND] = {
        "document-not-found", 404, false, "There is no such document",
        "No document has this name.",
        "See /openapi.json and /problems."},
    [PROBLEM_METHOD_NOT_ALLOWED] = {
        "method-not-allowed", 405, false, "This path does not take this method",
        "The path exists, but not for this method.",
        "Use a method of the Allow header."},
    [PROBLEM_NOT_ACCEPTABLE] = {
        "not-acceptable", 406, false, "The answer would not be in an accepted form",
        "The Accept header leaves out what this route can produce.",
        "Accept application/json (or */*)."},
    [PROBLEM_NOT_ALLOWED] = {
        "not-allowed", 409, false, "The state does not allow it",
        "The saga, or its step, is in a state in which this command means nothing. Nothing was changed.",
        "The detail says what would be allowed; ?dry_run=true shows what a command would do."},
    [PROBLEM_PAST_PIVOT] = {
        "past-pivot", 409, false, "There is no way back any more",
        "The pivot step succeeded; from there a saga only goes forward, so it cannot be cancelled.",
        "Help it forward (retry, skip or complete a step), or terminate it, which undoes nothing."},
    [PROBLEM_MATCHES_MANY] = {
        "matches-many", 409, false, "The attributes name too many sagas",
        "More sagas than are asked for, or than can be asked at once, are open and have these attributes. Nothing was changed.",
        "Name more attributes, say \"match\": \"all\", or, for more than 1,000 sagas, use a batch."},
    [PROBLEM_ID_TAKEN] = {
        "id-taken", 409, false, "The id belongs to another saga",
        "A saga with this id exists with other content, or if_exists is \"fail\".",
        "Choose another id, or leave it out and use an Idempotency-Key."},
    [PROBLEM_SCHEDULE_EXISTS] = {
        "schedule-exists", 409, false, "The name belongs to another schedule",
        "A schedule of this name exists with other content. Nothing was changed.",
        "Choose another name, or change the schedule by PUT /v1/schedules/{name}."},
    [PROBLEM_DEPRECATED] = {
        "definition-deprecated", 409, false, "This version is deprecated",
        "No new saga starts under a deprecated version; those that run go on.",
        "Start a version that is not deprecated, or restore this one."},
    [PROBLEM_SETTLED] = {
        "already-settled", 409, false, "The dead letter is settled",
        "It was replayed or discarded before.",
        "There is nothing left to do."},
    [PROBLEM_EVENTS_OFF] = {
        "events-off", 409, false, "Nothing is told of all sagas here",
        "The node runs with --events off, so that the events of all sagas are in no common order.",
        "Start the nodes with --events stream, sagas or all; /v1/sagas/{id}/events/stream is there anyhow."},
    [PROBLEM_EVENTS_GONE] = {
        "events-gone", 410, false, "The events behind that one are gone",
        "Last-Event-ID names an event that is older than what is kept of all sagas' events, a day.",
        "Begin without Last-Event-ID or with 0, and read what was missed from the sagas: /v1/sagas and their /history."},
    [PROBLEM_STALE] = {
        "stale", 412, false, "The saga has moved on",
        "If-Match names a revision that is not the current one. Nothing was changed.",
        "Read the saga again, decide again, and send its new ETag."},
    [PROBLEM_TOO_LARGE] = {
        "too-large", 413, false, "The body is too large",
        "A body is at most 1 MiB; that of a bulk at most 8 MiB.",
        "Send less, or keep large data elsewhere and send a reference."},
    [PROBLEM_INPUT_TOO_LARGE] = {
        "input-too-large", 413, false, "The input is too large",
        "The input of a saga, like every payload, is at most 256 KiB.",
        "Keep large data elsewhere and send a reference."},
    [PROBLEM_TOO_MANY_ITEMS] = {
        "too-many-items", 413, false, "The bulk has too many items",
        "A bulk holds at most 1,000 items. None of them was started.",
        "Send several bulks."},
    [PROBLEM_BATCH_TOO_LARGE] = {
        "batch-too-large", 413, false, "Too much for one batch",
        "A batch takes at most 10,000,000 items, 100,000 by their ids. Nothing was frozen.",
        "Narrow the filter, by definition, version or time of creation, and make several."},
    [PROBLEM_EXPORT_TOO_LARGE] = {
        "export-too-large", 413, false, "The export would be too large",
        "All that is known of the saga, its outputs above all, is more than 64 MiB.",
        "Read it in parts: /v1/sagas/{id}, its /steps and its /history."},
    [PROBLEM_URI_TOO_LONG] = {
        "uri-too-long", 414, false, "The request target is too long",
        "Path and query are at most 8 KiB.",
        "Use fewer query parameters."},
    [PROBLEM_UNSUPPORTED_MEDIA_TYPE] = {
        "unsupported-media-type", 415, false, "The body is not declared as JSON",
        "The Content-Type is missing or another one.",
        "Send Content-Type: application/json."},
    [PROBLEM_INVALID] = {
        "invalid", 422, false, "Well-formed, but wrong",
        "A member is missing, unknown, of the wrong type or out of range; errors[] has the places.",
        "Mend what errors[] names. Each pointer is a JSON Pointer into the body."},
    [PROBLEM_UNKNOWN_DEFINITION] = {
        "unknown-definition", 422, false, "The definition to start is not registered",
        "No definition has this name, or it has no such version.",
        "Register it by POST /v1/definitions, or name one of GET /v1/definitions."},
    [PROBLEM_INVALID_DEFINITION] = {
        "invalid-definition", 422, false, "The definition has errors",
        "Each error is in errors[] with the place and what to do about it. Nothing was stored.",
        "Mend them all, try again with POST /v1/definitions/validate, then register."},
    [PROBLEM_KEY_REUSED] = {
        "key-reused", 422, false, "The Idempotency-Key was used with another request",
        "A key stands for one request: same method, path and body, byte for byte, for 7 days. Nothing was changed.",
        "Use a new key for a new request; repeat the old one unchanged to get its answer again."},
    [PROBLEM_HEADERS_TOO_LARGE] = {
        "headers-too-large", 431, false, "The headers are too large",
        "Request line and headers are at most 16 KiB and 100 headers.",
        "Send fewer or shorter headers."},
    [PROBLEM_OVERLOADED] = {
        "overloaded", 429, true, "Too much at once",
        "More is waiting than is good for everybody, or too many commands wait for the broker. Nothing was started.",
        "Try again after Retry-After, with the same Idempotency-Key."},
    [PROBLEM_INTERNAL] = {
        "internal", 500, true, "Something is wrong with sagad",
        "A defect or damaged data; the log of the node has the line with this request_id.",
        "Try once more with the same Idempotency-Key, then tell the operators the request_id."},
    [PROBLEM_UNAVAILABLE] = {
        "unavailable", 503, true, "The database is away, or this node is stopping",
        "A start or command that got this answer may or may not have been carried out.",
        "Try again after Retry-After, with the same Idempotency-Key: it is carried out once."},
    [PROBLEM_TIMEOUT] = {
        "timeout", 503, true, "The answer took too long",
        "The request was not answered in time; it may still be carried out.",
        "Try again after Retry-After, with the same Idempotency-Key: it is carried out once."},
};
/* clang-format on */

const struct problem_row *problem_row(enum problem problem)
{
    assert(problem < PROBLEM_COUNT && ROWS[problem].slug != NULL);
    return &ROWS[problem];
}

enum problem problem_by_slug(struct bytes slug)
{
    for (enum problem problem = PROBLEM_NONE + 1; problem < PROBLEM_COUNT; problem++) {
        if (bytes_equal_text(slug, ROWS[problem].slug)) return problem;
    }
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
