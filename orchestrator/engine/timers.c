#include "orchestrator/engine/timers.h"

#include "orchestrator/engine/id_hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    int64_t due_at_ms;
    struct uuid id;
};

/* `slot` maps a hash to heap position + 1; 0 is free. Open addressing, linear probing. */
struct timers {
    struct entry *heap;
    size_t count, capacity;
    uint32_t *slot;
    size_t slot_count; /* a power of two, at least twice the capacity */
};

static void *must(void *memory)
{
    if (memory == NULL) abort();
    return memory;
}

struct timers *timers_new(void)
{
    struct timers *timers = must(calloc(1, sizeof *timers));
    timers->capacity = 256;
    timers->heap = must(calloc(timers->capacity, sizeof *timers->heap));
    timers->slot_count = 1024;
    timers->slot = must(calloc(timers->slot_count, sizeof *timers->slot));
    return timers;
}

void timers_free(struct timers *timers)
{
    if (timers == NULL) return;
    free(timers->heap);
    free(timers->slot);
    free(timers);
}

/* The slot that holds `id`, or the free one where it would go. */
static size_t find_slot(const struct timers *timers, const struct uuid *id)
{
    size_t slot = id_hash(id) & (timers->slot_count - 1);
    while (timers->slot[slot] != 0 && !uuid_equal(&timers->heap[timers->slot[slot] - 1].id, id)) {
        slot = (slot + 1) & (timers->slot_count - 1);
    }
    return slot;
}

static void put(struct timers *timers, size_t position, struct entry entry)
{
    timers->heap[position] = entry;
}

static void swap(struct timers *timers, size_t a, size_t b)
{
    const size_t slot_a = find_slot(timers, &timers->heap[a].id);
    const size_t slot_b = find_slot(timers, &timers->heap[b].id);
    const struct entry entry = timers->heap[a];
    put(timers, a, timers->heap[b]);
    put(timers, b, entry);
    timers->slot[slot_a] = (uint32_t)b + 1;
    timers->slot[slot_b] = (uint32_t)a + 1;
}

static void sift_up(struct timers *timers, size_t position)
{
    while (position > 0) {
        const size_t parent = (position - 1) / 2;
        if (timers->heap[parent].due_at_ms <= timers->heap[position].due_at_ms) return;
        swap(timers, parent, position);
        position = parent;
    }
}

static size_t earlier(const struct timers *timers, size_t a, size_t b)
{
    const bool other = b < timers->count && timers->heap[b].due_at_ms < timers->heap[a].due_at_ms;
    return other ? b : a;
}

static void sift_down(struct timers *timers, size_t position)
{
    for (;;) {
        const size_t left = earlier(timers, position, 2 * position + 1);
        const size_t least = earlier(timers, left, 2 * position + 2);
        if (least == position) return;
        swap(timers, least, position);
        position = least;
    }
}

/* Free the slot and close the gap that it leaves in its probe sequence. */
static void free_slot(struct timers *timers, size_t slot)
{
    const size_t mask = timers->slot_count - 1;
    timers->slot[slot] = 0;
    for (size_t next = (slot + 1) & mask; timers->slot[next] != 0; next = (next + 1) & mask) {
        const size_t home = id_hash(&timers->heap[timers->slot[next] - 1].id) & mask;
        if (((next - home) & mask) < ((next - slot) & mask)) continue;
        timers->slot[slot] = timers->slot[next];
        timers->slot[next] = 0;
        slot = next;
    }
}

static void remove_at(struct timers *timers, size_t position)
{
    const size_t last = timers->count - 1;
    if (position != last) swap(timers, position, last);
    free_slot(timers, find_slot(timers, &timers->heap[last].id));
    timers->count--;
    if (position < timers->count) {
        sift_up(timers, position);
        sift_down(timers, position);
    }
}

static void grow(struct timers *timers)
{
    timers->capacity *= 2;
    timers->heap = must(realloc(timers->heap, timers->capacity * sizeof *timers->heap));
    if (timers->slot_count >= 2 * timers->capacity) return;
    free(timers->slot);
    timers->slot_count = 4 * timers->capacity;
    timers->slot = must(calloc(timers->slot_count, sizeof *timers->slot));
    for (size_t i = 0; i < timers->count; i++) {
        timers->slot[find_slot(timers, &timers->heap[i].id)] = (uint32_t)i + 1;
    }
}

void timers_set(struct timers *timers, const struct uuid *id, int64_t due_at_ms, int64_t now_ms)
{
    const bool wanted = due_at_ms != 0 && due_at_ms <= now_ms + TIMERS_HORIZON_MS;
    size_t slot = find_slot(timers, id);
    if (timers->slot[slot] != 0) {
        const size_t position = timers->slot[slot] - 1;
        if (!wanted) {
            remove_at(timers, position);
            return;
        }
        timers->heap[position].due_at_ms = due_at_ms;
        sift_up(timers, position);
        sift_down(timers, timers->slot[find_slot(timers, id)] - 1);
        return;
    }
    if (!wanted) return;
    if (timers->count == timers->capacity) {
        grow(timers);
        slot = find_slot(timers, id);
    }
    put(timers, timers->count, (struct entry){due_at_ms, *id});
    timers->slot[slot] = (uint32_t)timers->count + 1;
    timers->count++;
    sift_up(timers, timers->count - 1);
}

int64_t timers_next(const struct timers *timers)
{
    return timers->count == 0 ? 0 : timers->heap[0].due_at_ms;
}

bool timers_pop(struct timers *timers, int64_t now_ms, struct uuid *ret_id, int64_t *ret_due_at_ms)
{
    if (timers->count == 0 || timers->heap[0].due_at_ms > now_ms) return false;
    *ret_id = timers->heap[0].id;
    *ret_due_at_ms = timers->heap[0].due_at_ms;
    remove_at(timers, 0);
    return true;
}

size_t timers_count(const struct timers *timers)
{
    return timers->count;
}
