#include "orchestrator/engine/outbox.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/engine/id_hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    CAPACITY_MIN = 1024,
    DELAY_FIRST_MS = 500,
    DOUBLINGS_MAX = 5,     /* 16 s */
    REMEMBER_MS = 60000,   /* a record is given up after less than that */
    TAKEN_MAX_MS = 300000, /* whoever took it lost it */
};

enum stage { FREE, WAITING, TAKEN, SENT };

struct place {
    struct uuid id;
    int64_t at_ms; /* monotonic. WAITING: not before; TAKEN, SENT: since */
    uint8_t stage;
    uint8_t tries; /* times it came back in a row */
};

struct outbox {
    pthread_mutex_t lock; /* guards what follows but for `unsent`, which is read without */
    struct place *places; /* open addressing, linear probing */
    size_t capacity;      /* a power of two */
    size_t used;
    size_t cursor; /* where the next look for what is due begins */
    int64_t since_ms;
    atomic_size_t unsent; /* WAITING and TAKEN */
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
    outbox->capacity = CAPACITY_MIN;
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

/* The place that holds `id`, or the free one where it would go. */
static struct place *find(const struct outbox *outbox, const struct uuid *id)
{
    size_t at = id_hash(id) & (outbox->capacity - 1);
    while (outbox->places[at].stage != FREE && !uuid_equal(&outbox->places[at].id, id)) {
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
    outbox->cursor = 0;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].stage != FREE) *find(outbox, &old[i].id) = old[i];
    }
    free(old);
}

/* Free the place and close the gap that it leaves in its probe sequence. */
static void forget(struct outbox *outbox, size_t at)
{
    const size_t mask = outbox->capacity - 1;
    outbox->used--;
    outbox->places[at].stage = FREE;
    for (size_t next = (at + 1) & mask; outbox->places[next].stage != FREE;
         next = (next + 1) & mask) {
        const size_t home = id_hash(&outbox->places[next].id) & mask;
        if (((next - home) & mask) < ((next - at) & mask)) continue;
        outbox->places[at] = outbox->places[next];
        outbox->places[next].stage = FREE;
        at = next;
    }
}

static void count_one_more(struct outbox *outbox, int64_t now_ms)
{
    if (atomic_fetch_add(&outbox->unsent, 1) == 0) outbox->since_ms = now_ms;
}

static void count_one_less(struct outbox *outbox)
{
    if (atomic_fetch_sub(&outbox->unsent, 1) == 1) outbox->since_ms = 0;
}

static void wait_longer(struct place *place, int64_t now_ms)
{
    if (now_ms - place->at_ms > REMEMBER_MS) place->tries = 0;
    place->stage = WAITING;
    place->at_ms = now_ms + ((int64_t)DELAY_FIRST_MS << place->tries);
    if (place->tries < DOUBLINGS_MAX) place->tries++;
}

void outbox_add(struct outbox *outbox, const struct uuid *id)
{
    const int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&outbox->lock);
    struct place *place = find(outbox, id);
    if (place->stage == FREE) {
        *place = (struct place){.id = *id, .at_ms = now_ms, .stage = WAITING};
        count_one_more(outbox, now_ms);
        if (++outbox->used * 2 > outbox->capacity) resize(outbox, outbox->capacity * 2);
    } else if (place->stage == SENT) {
        wait_longer(place, now_ms);
        count_one_more(outbox, now_ms);
    }
    pthread_mutex_unlock(&outbox->lock);
}

void outbox_sent(struct outbox *outbox, const struct uuid *id)
{
    pthread_mutex_lock(&outbox->lock);
    struct place *place = find(outbox, id);
    if (place->stage == TAKEN || place->stage == WAITING) {
        place->stage = SENT;
        place->at_ms = clock_monotonic_ms();
        count_one_less(outbox);
    }
    pthread_mutex_unlock(&outbox->lock);
}

void outbox_hurry(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    for (size_t i = 0; i < outbox->capacity; i++) {
        struct place *place = &outbox->places[i];
        if (place->stage == WAITING) place->at_ms = 0;
        if (place->stage != TAKEN) place->tries = 0;
    }
    pthread_mutex_unlock(&outbox->lock);
}

enum outbox_place outbox_find(struct outbox *outbox, const struct uuid *id)
{
    if (outbox_count(outbox) == 0) return OUTBOX_NOT;
    pthread_mutex_lock(&outbox->lock);
    const struct place place = *find(outbox, id);
    pthread_mutex_unlock(&outbox->lock);
    if (place.stage == TAKEN) return OUTBOX_WAITING;
    if (place.stage != WAITING) return OUTBOX_NOT;
    return place.tries == 0 ? OUTBOX_WAITING : OUTBOX_BOUNCING;
}

static bool is_due(const struct place *place, int64_t now_ms)
{
    return (place->stage == WAITING && place->at_ms <= now_ms) ||
           (place->stage == TAKEN && now_ms - place->at_ms > TAKEN_MAX_MS);
}

size_t outbox_take(struct outbox *outbox, int64_t monotonic_ms, struct uuid *ret_ids, size_t limit)
{
    size_t taken = 0;
    pthread_mutex_lock(&outbox->lock);
    const size_t mask = outbox->capacity - 1;
    for (size_t seen = 0; seen < outbox->capacity && taken < limit && outbox->used > 0; seen++) {
        const size_t at = outbox->cursor;
        struct place *place = &outbox->places[at];
        while (place->stage == SENT && monotonic_ms - place->at_ms > REMEMBER_MS) {
            forget(outbox, at); /* another one may move in */
        }
        if (is_due(place, monotonic_ms)) {
            place->stage = TAKEN;
            place->at_ms = monotonic_ms;
            ret_ids[taken++] = place->id;
        }
        outbox->cursor = (at + 1) & mask;
    }
    if (outbox->capacity > CAPACITY_MIN && outbox->used * 8 < outbox->capacity) {
        resize(outbox, outbox->capacity / 2);
    }
    pthread_mutex_unlock(&outbox->lock);
    return taken;
}

size_t outbox_count(struct outbox *outbox)
{
    return atomic_load(&outbox->unsent);
}

int64_t outbox_since_ms(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    const int64_t since_ms = outbox->since_ms;
    pthread_mutex_unlock(&outbox->lock);
    return since_ms;
}
