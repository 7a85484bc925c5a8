#include "orchestrator/engine/flow/waiting.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/engine/id_hash.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    CAPACITY_MIN = 1024,
    RING_MIN = 64,
    TAKEN_MAX_MS = 300000, /* whoever took it lost it */
};

enum stage { FREE, HELD, TAKEN };

struct place {
    struct uuid id;
    int64_t taken_at_ms; /* monotonic */
    uint16_t topic;
    uint8_t stage;
    uint8_t line;
    bool again; /* it left before */
};

/* Ids in the order in which they came; of some the place has moved on since. */
struct ring {
    struct uuid *id;
    size_t capacity, first, size; /* capacity: 0 or a power of two */
    size_t live;                  /* places that are HELD in this line */
};

struct lines {
    struct ring ring[LINE_COUNT];
};

struct waiting {
    pthread_mutex_t lock; /* guards what follows but for `count`, which is read without */
    struct place *places; /* open addressing, linear probing */
    size_t capacity;      /* a power of two */
    atomic_size_t count;
    struct lines *lines[WAITING_TOPICS_MAX]; /* NULL: nothing was held there yet */
};

static void *zeroed(size_t count, size_t size)
{
    void *made = calloc(count, size);
    if (made == NULL) abort();
    return made;
}

struct waiting *waiting_new(void)
{
    struct waiting *waiting = zeroed(1, sizeof *waiting);
    pthread_mutex_init(&waiting->lock, NULL);
    waiting->capacity = CAPACITY_MIN;
    waiting->places = zeroed(waiting->capacity, sizeof *waiting->places);
    return waiting;
}

static void free_lines(struct lines *lines)
{
    if (lines == NULL) return;
    for (size_t i = 0; i < LINE_COUNT; i++) {
        free(lines->ring[i].id);
    }
    free(lines);
}

void waiting_free(struct waiting *waiting)
{
    if (waiting == NULL) return;
    for (size_t i = 0; i < WAITING_TOPICS_MAX; i++) {
        free_lines(waiting->lines[i]);
    }
    pthread_mutex_destroy(&waiting->lock);
    free(waiting->places);
    free(waiting);
}

/* ---- places ---- */

static size_t home_of(const struct waiting *waiting, uint16_t topic, const struct uuid *id)
{
    return (id_hash(id) + (size_t)topic * 0x9e3779b1U) & (waiting->capacity - 1);
}

/* The place that holds it, or the free one where it would go. */
static struct place *find(const struct waiting *waiting, uint16_t topic, const struct uuid *id)
{
    size_t at = home_of(waiting, topic, id);
    for (;; at = (at + 1) & (waiting->capacity - 1)) {
        struct place *place = &waiting->places[at];
        if (place->stage == FREE) return place;
        if (place->topic == topic && uuid_equal(&place->id, id)) return place;
    }
}

static void resize(struct waiting *waiting, size_t capacity)
{
    struct place *old = waiting->places;
    const size_t old_capacity = waiting->capacity;
    waiting->places = zeroed(capacity, sizeof *waiting->places);
    waiting->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].stage != FREE) *find(waiting, old[i].topic, &old[i].id) = old[i];
    }
    free(old);
}

/* Free the place and close the gap that it leaves in its probe sequence. */
static void forget(struct waiting *waiting, struct place *place)
{
    const size_t mask = waiting->capacity - 1;
    size_t at = (size_t)(place - waiting->places);
    place->stage = FREE;
    atomic_fetch_sub(&waiting->count, 1);
    for (size_t next = (at + 1) & mask; waiting->places[next].stage != FREE;
         next = (next + 1) & mask) {
        const struct place *moved = &waiting->places[next];
        const size_t home = home_of(waiting, moved->topic, &moved->id);
        if (((next - home) & mask) < ((next - at) & mask)) continue;
        waiting->places[at] = *moved;
        waiting->places[next].stage = FREE;
        at = next;
    }
    const size_t used = atomic_load(&waiting->count);
    if (waiting->capacity > CAPACITY_MIN && used * 8 < waiting->capacity) {
        resize(waiting, waiting->capacity / 2);
    }
}

/* ---- lines ---- */

static void push(struct ring *ring, const struct uuid *id)
{
    if (ring->size == ring->capacity) {
        const size_t capacity = ring->capacity == 0 ? RING_MIN : ring->capacity * 2;
        struct uuid *ids = zeroed(capacity, sizeof *ids);
        for (size_t i = 0; i < ring->size; i++) {
            ids[i] = ring->id[(ring->first + i) & (ring->capacity - 1)];
        }
        free(ring->id);
        ring->id = ids;
        ring->capacity = capacity;
        ring->first = 0;
    }
    ring->id[(ring->first + ring->size++) & (ring->capacity - 1)] = *id;
    ring->live++;
}

/* Memory of a crowd that has gone is given back. */
static bool pop(struct ring *ring, struct uuid *ret_id)
{
    if (ring->size == 0) {
        free(ring->id);
        *ring = (struct ring){0};
        return false;
    }
    *ret_id = ring->id[ring->first];
    ring->first = (ring->first + 1) & (ring->capacity - 1);
    ring->size--;
    return true;
}

static struct ring *ring_of(struct waiting *waiting, uint16_t topic, enum line line)
{
    assert(topic < WAITING_TOPICS_MAX && line < LINE_COUNT);
    if (waiting->lines[topic] == NULL) waiting->lines[topic] = zeroed(1, sizeof(struct lines));
    return &waiting->lines[topic]->ring[line];
}

/* ---- the contract ---- */

static void add(struct waiting *waiting, uint16_t topic, const struct uuid *id, enum line line,
                bool again)
{
    pthread_mutex_lock(&waiting->lock);
    struct place *place = find(waiting, topic, id);
    const bool fresh = place->stage == FREE;
    if (place->stage == HELD && place->line <= line) {
        pthread_mutex_unlock(&waiting->lock);
        return;
    }
    if (place->stage == HELD) ring_of(waiting, topic, place->line)->live--;
    *place = (struct place){.id = *id,
                            .topic = topic,
                            .stage = HELD,
                            .line = (uint8_t)line,
                            .again = fresh ? again : place->again && again};
    push(ring_of(waiting, topic, line), id);
    if (fresh && (atomic_fetch_add(&waiting->count, 1) + 1) * 2 > waiting->capacity) {
        resize(waiting, waiting->capacity * 2);
    }
    pthread_mutex_unlock(&waiting->lock);
}

void waiting_add(struct waiting *waiting, uint16_t topic, const struct uuid *id, enum line line)
{
    add(waiting, topic, id, line, false);
}

void waiting_add_again(struct waiting *waiting, uint16_t topic, const struct uuid *id,
                       enum line line)
{
    add(waiting, topic, id, line, true);
}

bool waiting_is_unsent(struct waiting *waiting, uint16_t topic, const struct uuid *id)
{
    if (waiting_count(waiting) == 0) return false;
    pthread_mutex_lock(&waiting->lock);
    const struct place *place = find(waiting, topic, id);
    const bool unsent = place->stage != FREE && !place->again;
    pthread_mutex_unlock(&waiting->lock);
    return unsent;
}

bool waiting_take(struct waiting *waiting, uint16_t topic, enum line line, struct uuid *ret_id)
{
    bool taken = false;
    pthread_mutex_lock(&waiting->lock);
    struct ring *ring = ring_of(waiting, topic, line);
    while (!taken && pop(ring, ret_id)) {
        struct place *place = find(waiting, topic, ret_id);
        taken = place->stage == HELD && place->line == line;
        if (!taken) continue; /* it was sent otherwise, or stands in another line */
        place->stage = TAKEN;
        place->taken_at_ms = clock_monotonic_ms();
        ring->live--;
    }
    pthread_mutex_unlock(&waiting->lock);
    return taken;
}

void waiting_done(struct waiting *waiting, uint16_t topic, const struct uuid *id)
{
    pthread_mutex_lock(&waiting->lock);
    struct place *place = find(waiting, topic, id);
    if (place->stage == HELD) ring_of(waiting, topic, place->line)->live--;
    if (place->stage != FREE) forget(waiting, place);
    pthread_mutex_unlock(&waiting->lock);
}

bool waiting_has(struct waiting *waiting, uint16_t topic, const struct uuid *id)
{
    if (waiting_count(waiting) == 0) return false;
    pthread_mutex_lock(&waiting->lock);
    struct place *place = find(waiting, topic, id);
    if (place->stage == TAKEN && clock_monotonic_ms() - place->taken_at_ms > TAKEN_MAX_MS) {
        forget(waiting, place);
        pthread_mutex_unlock(&waiting->lock);
        return false;
    }
    const bool held = place->stage != FREE;
    pthread_mutex_unlock(&waiting->lock);
    return held;
}

size_t waiting_up_to(struct waiting *waiting, uint16_t topic, enum line line)
{
    size_t count = 0;
    if (waiting_count(waiting) == 0) return 0;
    pthread_mutex_lock(&waiting->lock);
    const struct lines *lines = waiting->lines[topic];
    for (size_t i = 0; lines != NULL && i <= (size_t)line; i++) {
        count += lines->ring[i].live;
    }
    pthread_mutex_unlock(&waiting->lock);
    return count;
}

size_t waiting_count(struct waiting *waiting)
{
    return atomic_load(&waiting->count);
}
