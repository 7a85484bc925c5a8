/*
 * api/text.h
 *   Small texts of requests: times, numbers, entity tags, preferences, media types, cursors.
 */
#ifndef API_TEXT_H
#define API_TEXT_H

#include "sagas/base/bytes.h"
#include "sagas/base/json_view.h"
#include "sagas/base/uuid.h"

#include <stdint.h>

/* As time_parse. */
static inline bool text_time(struct bytes text, int64_t *ret_at_ms)
{
    return time_parse(text, ret_at_ms);
}

/* Decimal digits only. */
bool text_number(struct bytes text, uint64_t max, uint64_t *ret_number);

/* Seconds as `20` or `0.5`, as ms. */
bool text_seconds(struct bytes text, uint32_t *ret_ms);

/* `"7"`, the revision of an ETag of ours; weak ones (W/) are accepted where `weak_too`. */
enum etag_strength { ETAG_STRONG_ONLY, ETAG_WEAK_TOO };
bool text_etag(struct bytes text, enum etag_strength strength, uint32_t *ret_revision);
/* Does a list of entity tags, or `*`, name this revision? (If-None-Match) */
bool text_etags_hold(struct bytes list, uint32_t revision);

/* `wait=20` of a Prefer header, as ms; false when there is none. */
bool text_prefer_wait(struct bytes prefer, uint32_t *ret_ms);

/* Is `type` (parameters aside) this media type? */
bool text_is_media_type(struct bytes type, const char *wanted);
/* Does an Accept header admit `type` ("application/json")? Absent admits everything. */
bool text_accepts(struct bytes accept, const char *type);

/* 1 to 255 visible ASCII characters. */
bool text_is_key(struct bytes text);
/* A request id that is safe to echo: 1 to 64 of A-Z a-z 0-9 . _ - */
bool text_is_request_id(struct bytes text);
/* W3C traceparent, version 00 form. */
bool text_is_traceparent(struct bytes text);

/* base64url without padding. */
struct bytes text_base64url(struct arena *arena, const void *data, size_t size);
bool text_base64url_read(struct bytes text, struct arena *arena, struct bytes *ret_data);
/* Standard base64 with padding. */
struct bytes text_base64(struct arena *arena, const void *data, size_t size);

/* Lower-case hexadecimal. */
struct bytes text_hex(struct arena *arena, const void *data, size_t size);

#endif
