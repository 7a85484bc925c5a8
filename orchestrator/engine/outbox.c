#include "orchestrator/engine/outbox.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/engine/id_hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct place {
    struct uuid id;
    bool used;
};

struct outbox {
    pthread_mutex_t lock; /* guards what follows but for `count`, which is read without */
    struct place *places; /* open addressing, linear probing */
    size_t capacity;      /* a power of two */
    int64_t since_ms;
    atomic_size_t count;
};

static struct place *places_new(size_t capacity)
{
    struct place *places = calloc(capacity, sizeof *places);
    if (places == NULL) abort();
    return places;
}

struct outbox *outbox_new(void)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (outbox == NULL) abort();
    pthread_mutex_init(&outbox->lock, NULL);
    outbox->capacity = 1024;
    outbox->places = places_new(outbox->capacity);
    return outbox;
}

void outbox_free(struct outbox *outbox)
{
    if (outbox == NULL) return;
    pthread_mutex_destroy(&outbox->lock);
    free(outbox->places);
    free(outbox);
}

static struct place *find(struct outbox *outbox, const struct uuid *id)
{
    size_t at = id_hash(id) & (outbox->capacity - 1);
    while (outbox->places[at].used && !uuid_equal(&outbox->places[at].id, id)) {
        at = (at + 1) & (outbox->capacity - 1);
    }
    return &outbox->places[at];
}

static void resize(struct outbox *outbox, size_t capacity)
{
    struct place *old = outbox->places;
    const size_t old_capacity = outbox->capacity;
    outbox->places = places_new(capacity);
    outbox->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].used) *find(outbox, &old[i].id) = old[i];
    }
    free(old);
}

void outbox_add(struct outbox *outbox, const struct uuid *id)
{
    pthread_mutex_lock(&outbox->lock);
    struct place *place = find(outbox, id);
    if (!place->used) {
        *place = (struct place){*id, true};
        if (atomic_fetch_add(&outbox->count, 1) == 0) outbox->since_ms = clock_monotonic_ms();
        if (atomic_load(&outbox->count) * 2 > outbox->capacity) {
            resize(outbox, outbox->capacity * 2);
        }
    }
    pthread_mutex_unlock(&outbox->lock);
}

bool outbox_has(struct outbox *outbox, const struct uuid *id)
{
    if (atomic_load(&outbox->count) == 0) return false;
    pthread_mutex_lock(&outbox->lock);
    const bool has = find(outbox, id)->used;
    pthread_mutex_unlock(&outbox->lock);
    return has;
}

size_t outbox_take(struct outbox *outbox, struct uuid *ret_ids, size_t limit)
{
    if (atomic_load(&outbox->count) == 0) return 0;
    pthread_mutex_lock(&outbox->lock);
    size_t taken = 0;
    for (size_t i = 0; i < outbox->capacity && taken < limit; i++) {
        if (!outbox->places[i].used) continue;
        ret_ids[taken++] = outbox->places[i].id;
        outbox->places[i].used = false;
    }
    atomic_fetch_sub(&outbox->count, taken);
    if (atomic_load(&outbox->count) == 0) outbox->since_ms = 0;
    resize(outbox, outbox->capacity > 1024 && atomic_load(&outbox->count) * 8 < outbox->capacity
                       ? outbox->capacity / 2
                       : outbox->capacity); /* removal left gaps in the probe sequences */
    pthread_mutex_unlock(&outbox->lock);
    return taken;
}

size_t outbox_count(struct outbox *outbox)
{
    return atomic_load(&outbox->count);
}

int64_t outbox_since_ms(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    const int64_t since_ms = outbox->since_ms;
    pthread_mutex_unlock(&outbox->lock);
    return since_ms;
}
