#include "orchestrator/engine/cache.h"

#include "orchestrator/engine/id_hash.h"

#include <assert.h>
#include <stdlib.h>

enum { SLOTS = 1 << 16, BLOAT_BYTES = 16 * 1024, BLOAT_FACTOR = 4 };

struct cache {
    struct cached *slot[SLOTS];
    struct cached *newest, *oldest;
    size_t bytes, bytes_max, count;
};

struct cache *cache_new(size_t bytes_max)
{
    struct cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) abort();
    cache->bytes_max = bytes_max;
    return cache;
}

void cache_free(struct cache *cache)
{
    if (cache == NULL) return;
    while (cache->oldest != NULL) {
        cache_drop(cache, cache->oldest);
    }
    free(cache);
}

static void unlink_age(struct cache *cache, struct cached *cached)
{
    *(cached->newer != NULL ? &cached->newer->older : &cache->newest) = cached->older;
    *(cached->older != NULL ? &cached->older->newer : &cache->oldest) = cached->newer;
}

static void link_newest(struct cache *cache, struct cached *cached)
{
    cached->newer = NULL;
    cached->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = cached;
    cache->newest = cached;
}

static void link_oldest(struct cache *cache, struct cached *cached)
{
    cached->older = NULL;
    cached->newer = cache->oldest;
    *(cache->oldest != NULL ? &cache->oldest->older : &cache->newest) = cached;
    cache->oldest = cached;
}

struct cached *cache_find(struct cache *cache, const struct uuid *id)
{
    struct cached *cached = cache->slot[id_hash(id) % SLOTS];
    while (cached != NULL && !uuid_equal(&cached->id, id)) {
        cached = cached->next_in_slot;
    }
    if (cached != NULL && cached != cache->newest) {
        unlink_age(cache, cached);
        link_newest(cache, cached);
    }
    return cached;
}

struct cached *cache_add(struct cache *cache, const struct uuid *id)
{
    struct cached *cached = calloc(1, sizeof *cached);
    if (cached == NULL) abort();
    cached->id = *id;
    struct cached **slot = &cache->slot[id_hash(id) % SLOTS];
    cached->next_in_slot = *slot;
    *slot = cached;
    link_newest(cache, cached);
    cached->counted_bytes = sizeof *cached;
    cache->bytes += cached->counted_bytes;
    cache->count++;
    return cached;
}

void cache_drop(struct cache *cache, struct cached *cached)
{
    struct cached **link = &cache->slot[id_hash(&cached->id) % SLOTS];
    while (*link != cached) {
        link = &(*link)->next_in_slot;
    }
    *link = cached->next_in_slot;
    unlink_age(cache, cached);
    cache->bytes -= cached->counted_bytes;
    cache->count--;
    arena_done(&cached->arena);
    free(cached);
}

void cache_settle(struct cache *cache, struct cached *cached)
{
    const size_t held = arena_held(&cached->arena);
    if (cached->loaded_bytes == 0) cached->loaded_bytes = held;
    if (held > BLOAT_BYTES + BLOAT_FACTOR * cached->loaded_bytes) {
        cache_drop(cache, cached); /* texts of old errors; loaded again it is small */
        return;
    }
    cache->bytes += sizeof *cached + held - cached->counted_bytes;
    cached->counted_bytes = sizeof *cached + held;
    if (!saga_is_finished(cached->saga->state) && !cached->rests) return;
    unlink_age(cache, cached);
    link_oldest(cache, cached);
}

void cache_trim(struct cache *cache)
{
    while (cache->bytes > cache->bytes_max && cache->oldest != NULL) {
        cache_drop(cache, cache->oldest);
    }
}

size_t cache_count(const struct cache *cache)
{
    return cache->count;
}
