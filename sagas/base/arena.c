#include "sagas/base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Chunks double from the first to the largest size; a bigger request gets a chunk of its own. */
enum {
    CHUNK_SIZE_MIN = 1024,
    CHUNK_SIZE_MAX = 64 * 1024,
    KEPT_MAX = 4 * 1024 * 1024, /* bytes that a reset arena holds on to */
    ALIGNMENT = alignof(max_align_t),
};

struct arena_chunk {
    struct arena_chunk *older;
    size_t capacity; /* of `data` */
    size_t used;
    alignas(max_align_t) char data[];
};

static_assert((ALIGNMENT & (ALIGNMENT - 1)) == 0, "an alignment is a power of two");

static size_t round_up(size_t size)
{
    if (size > SIZE_MAX - CHUNK_SIZE_MAX) abort();
    return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static size_t next_chunk_size(const struct arena_chunk *newest)
{
    if (newest == NULL) return CHUNK_SIZE_MIN;
    const size_t doubled = 2 * (newest->capacity + sizeof(struct arena_chunk));
    return doubled < CHUNK_SIZE_MAX ? doubled : CHUNK_SIZE_MAX;
}

static struct arena_chunk *new_chunk(size_t size)
{
    struct arena_chunk *const chunk = malloc(size);
    if (chunk == NULL) abort();
    chunk->capacity = size - sizeof(*chunk);
    return chunk;
}

static struct arena_chunk *link_chunk(struct arena_chunk **place, struct arena_chunk *chunk)
{
    chunk->older = *place;
    chunk->used = 0;
    *place = chunk;
    return chunk;
}

/* What is large stands behind the newest chunk, whose room is for the small things that follow. */
static struct arena_chunk *chunk_with_room(struct arena *arena, size_t needed)
{
    struct arena_chunk *const newest = arena->chunk;
    if (newest != NULL && newest->capacity - newest->used >= needed) return newest;

    struct arena_chunk *const spare = arena->spare;
    if (spare != NULL && spare->capacity >= needed) {
        arena->spare = spare->older;
        return link_chunk(&arena->chunk, spare);
    }
    const size_t size = next_chunk_size(newest);
    const size_t least = needed + sizeof(struct arena_chunk);
    if (size >= least) return link_chunk(&arena->chunk, new_chunk(size));
    return link_chunk(newest == NULL ? &arena->chunk : &newest->older, new_chunk(least));
}

void *arena_room(struct arena *arena, size_t size)
{
    const size_t rounded = round_up(size);
    struct arena_chunk *const chunk = chunk_with_room(arena, rounded);
    char *const data = chunk->data + chunk->used;
    chunk->used += rounded;
    arena->used_bytes += rounded;
    return data;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    return memset(arena_room(arena, size), 0, size);
}

bool arena_extend(struct arena *arena, const void *newest, size_t old_size, size_t new_size)
{
    assert(new_size >= old_size);
    struct arena_chunk *const chunk = arena->chunk;
    const size_t old_rounded = round_up(old_size);
    const size_t more = round_up(new_size) - old_rounded;
    if (chunk == NULL || (const char *)newest + old_rounded != chunk->data + chunk->used) {
        return false;
    }
    if (chunk->capacity - chunk->used < more) return false;
    chunk->used += more;
    arena->used_bytes += more;
    return true;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total)) abort();
    return arena_alloc(arena, total);
}

char *arena_copy(struct arena *arena, const void *data, size_t size)
{
    char *const copy = arena_room(arena, size + 1);
    if (size > 0) memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

static void free_chunks(struct arena_chunk *chunk)
{
    while (chunk != NULL) {
        struct arena_chunk *const older = chunk->older;
        free(chunk);
        chunk = older;
    }
}

static size_t held_by(const struct arena_chunk *chunk)
{
    size_t held = 0;
    for (; chunk != NULL; chunk = chunk->older) {
        held += chunk->capacity + sizeof(*chunk);
    }
    return held;
}

void arena_reset(struct arena *arena)
{
    size_t kept = held_by(arena->spare);
    for (struct arena_chunk *chunk = arena->chunk, *older = NULL; chunk != NULL; chunk = older) {
        const size_t size = chunk->capacity + sizeof(*chunk);
        older = chunk->older;
        if (size > CHUNK_SIZE_MAX || kept + size > KEPT_MAX) {
            free(chunk);
            continue;
        }
        kept += size;
        chunk->older = arena->spare;
        arena->spare = chunk;
    }
    *arena = (struct arena){.spare = arena->spare};
}

void arena_done(struct arena *arena)
{
    free_chunks(arena->chunk);
    free_chunks(arena->spare);
    *arena = (struct arena){0};
}

size_t arena_held(const struct arena *arena)
{
    return held_by(arena->chunk) + held_by(arena->spare);
}
