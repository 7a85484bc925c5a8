/*
 * orchestrator/engine/id_hash.h
 *   Saga ids as hash table keys.
 */
#ifndef ORCHESTRATOR_ENGINE_ID_HASH_H
#define ORCHESTRATOR_ENGINE_ID_HASH_H

#include "sagas/base/uuid.h"

#include <stddef.h>
#include <string.h>

/* Clients choose ids, so both halves are mixed (the finalizer of MurmurHash3). */
static inline size_t id_hash(const struct uuid *id)
{
    uint64_t half[2];
    memcpy(half, id->byte, sizeof half);
    uint64_t hash = half[0] * 0x9e3779b97f4a7c15U ^ half[1];
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdU;
    hash ^= hash >> 33;
    hash *= 0xc4ceb9fe1a85ec53U;
    hash ^= hash >> 33;
    return (size_t)hash;
}

#endif
