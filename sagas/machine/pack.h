/*
 * sagas/machine/pack.h
 *   Numbers and texts as few bytes: what the packed state and the history are made of.
 *   For sagas/machine/ only.
 *
 * A number is a varint: seven bits a byte, the lowest first, the top bit says that more follow.
 * A text is its size and its bytes.
 */
#ifndef SAGAS_MACHINE_PACK_H
#define SAGAS_MACHINE_PACK_H

#include "sagas/base/bytes.h"

#include <stdint.h>

void pack_number(struct buffer *buffer, uint64_t value);
void pack_bytes(struct buffer *buffer, struct bytes bytes);

/* Once something is wrong, `what` is set and every further read gives zero. */
struct unpacker {
    const unsigned char *at, *end;
    const char *what;
};

struct unpacker unpacker_of(struct bytes packed);
/* Returns 0. */
uint64_t unpack_damaged(struct unpacker *in, const char *what);
uint64_t unpack_number(struct unpacker *in);
/* A number of at most `max`. */
uint32_t unpack_limited(struct unpacker *in, uint32_t max, const char *what);
/* At most `max` bytes, borrowed from what is unpacked. */
struct bytes unpack_bytes(struct unpacker *in, size_t max);

#endif
