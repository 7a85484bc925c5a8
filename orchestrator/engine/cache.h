/*
 * orchestrator/engine/cache.h
 *   Sagas that a worker touched lately, decoded. An optimisation that may be dropped at any
 *   moment, never a truth: the compare-and-set at commit catches what another node did.
 *
 * Belongs to one thread.
 */
#ifndef ORCHESTRATOR_ENGINE_CACHE_H
#define ORCHESTRATOR_ENGINE_CACHE_H

#include "sagas/machine/saga.h"

#include <stddef.h>

struct cached {
    struct uuid id;
    struct saga *saga; /* in `arena` */
    struct arena arena;
    uint64_t loaded_in;             /* number of the batch that read it from PostgreSQL */
    uint32_t stored_revision;       /* as committed; compare-and-set against it */
    uint64_t stored_failure;        /* failures_key, as committed */
    int64_t stored_definition;      /* stored_id, as committed */
    struct stored_effects *effects; /* effects.c, as committed; NULL: nothing is stored of any */
    enum lock_state stored_lock;    /* saga->lock, as committed */
    struct bytes stored_lock_key;   /* likewise; in `arena` */
    size_t loaded_bytes;            /* of the arena when it came in */
    size_t counted_bytes;           /* of the arena as last counted */
    bool fresh;                     /* not committed yet */
    bool touched;                   /* changed by the batch at hand */
    bool rests;                     /* nothing of it is due soon */
    bool held;                      /* something is due and waits for its topic */
    struct cached *next_in_slot;
    struct cached *newer, *older;
};

struct cache;

struct cache *cache_new(size_t bytes_max);
void cache_free(struct cache *cache);
/* NULL when it is not there. Found: it becomes the newest. */
struct cached *cache_find(struct cache *cache, const struct uuid *id);
/* A new, empty entry; there must be none with this id. The caller fills `saga`. */
struct cached *cache_add(struct cache *cache, const struct uuid *id);
void cache_drop(struct cache *cache, struct cached *cached);
/*
 * Count what an entry holds now (after it was filled and after each change); a saga that is
 * finished or rests becomes the first to go, a bloated one that has been changed goes. */
void cache_settle(struct cache *cache, struct cached *cached);
/* Drop the oldest until the limit holds: between batches only. */
void cache_trim(struct cache *cache);
size_t cache_count(const struct cache *cache);

#endif
