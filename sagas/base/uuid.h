/*
 * sagas/base/uuid.h
 *   Saga ids: 16 bytes, written as 36 characters of lower-case text.
 */
#ifndef SAGAS_BASE_UUID_H
#define SAGAS_BASE_UUID_H

#include "sagas/base/bytes.h"

#include <stdint.h>

enum { UUID_TEXT_SIZE = 37 }; /* with the NUL */

struct uuid {
    uint8_t byte[16];
};

/* UUIDv7 (RFC 9562) from a Unix time in ms and 10 random bytes. */
struct uuid uuid_v7(int64_t unix_ms, const uint8_t random[10]);
/* Any UUID, either case, hyphens required. */
bool uuid_parse(struct bytes text, struct uuid *ret_id);
void uuid_print(const struct uuid *id, char ret_text[UUID_TEXT_SIZE]);
bool uuid_equal(const struct uuid *a, const struct uuid *b);

#endif
