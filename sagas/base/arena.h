/*
 * sagas/base/arena.h
 *   Memory of one unit of work: many small allocations, one release.
 *
 * The core never frees a single object; it is handed an arena and whoever owns
 * the arena resets it. Running out of memory aborts: every saga is in
 * PostgreSQL, so nothing is lost by stopping. An arena belongs to one thread
 * at a time.
 */
#ifndef SAGAS_BASE_ARENA_H
#define SAGAS_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunk; /* newest first; NULL when empty */
    struct arena_chunk *spare; /* kept by arena_reset, to be used again */
    size_t used_bytes;         /* handed out since the last reset */
};

/* Zeroed memory, aligned for any type; lives until arena_reset or arena_done. */
void *arena_alloc(struct arena *arena, size_t size);

/* Memory that is not zeroed: for what is written over at once. */
void *arena_room(struct arena *arena, size_t size);

/* `count` zeroed objects of `size`; aborts on overflow. */
void *arena_array(struct arena *arena, size_t count, size_t size);

/* A NUL-terminated copy (the NUL is not counted in `size`). */
char *arena_copy(struct arena *arena, const void *data, size_t size);

/*
 * Make the newest allocation longer where it stands, the new part not zeroed. False, and nothing
 * changed, when `newest` is not the newest one or its chunk has no room.
 */
bool arena_extend(struct arena *arena, const void *newest, size_t old_size, size_t new_size);

/*
 * Everything handed out becomes invalid. Chunks of at most 64 KiB are kept, 4 MiB together, so that
 * the next unit of work asks the heap for little.
 */
void arena_reset(struct arena *arena);

/* Release all memory; the arena is empty and may be used again. */
void arena_done(struct arena *arena);

/* Bytes that the arena holds from the heap. */
size_t arena_held(const struct arena *arena);

#endif
