/*
 * sagas/machine/codec.h
 *   A saga as bytes, for the hot row.
 *
 * Little-endian varints, a leading format number, steps named by id. Payload bytes are not
 * in it: after saga_unpack, hand each stored payload back with saga_attach.
 */
#ifndef SAGAS_MACHINE_CODEC_H
#define SAGAS_MACHINE_CODEC_H

#include "sagas/machine/saga.h"

enum { SAGA_PACK_FORMAT = 1 };

void saga_pack(const struct saga *saga, struct buffer *buffer);

/* Fill the packed part of `saga` (made by saga_new). False: damaged, or a newer format; *ret_what
 * says. */
bool saga_unpack(struct saga *saga, struct bytes packed, const char **ret_what);

/* The payload and saga output of the history row that begins at `seq`; copied into the saga's
 * arena. */
void saga_attach(struct saga *saga, uint32_t seq, struct bytes payload, struct bytes output);

#endif
