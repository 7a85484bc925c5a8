/*
 * api/cursor.h
 *   Where a page ended, as an opaque text bound to the filter of its list.
 *
 * A cursor is the base64url of a hash of the filter and of the last item's key. It is no secret and
 * no credential: a made-up one only begins elsewhere. The hash catches a cursor of another filter.
 */
#ifndef API_CURSOR_H
#define API_CURSOR_H

#include "api/exchange.h"

/* What the list was asked for, without limit and cursor; order and repetition do not matter. */
enum { FILTER_HASH_SIZE = 8 };
void cursor_hash_filter(const struct exchange *exchange, uint8_t ret_hash[FILTER_HASH_SIZE]);

/* The cursor behind an item with this key. */
struct bytes cursor_make(struct exchange *exchange, const void *key, size_t size);
/* The `cursor` parameter's key; absent when none was given. False: refused with
 * PROBLEM_INVALID_CURSOR. */
bool cursor_read(struct exchange *exchange, struct bytes *ret_key);

/* The same where the key is the number of the last item; 0: from the beginning. */
bool cursor_before(struct exchange *exchange, int64_t *ret_before);

/* `limit`: 50 where left out, 1 to 500. False: refused. */
bool cursor_limit(struct exchange *exchange, size_t *ret_limit);

/* `],"next_cursor":..}` */
void cursor_close_list(struct buffer *buffer, struct bytes cursor);

#endif
