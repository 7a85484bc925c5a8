#include "orchestrator/engine/home.h"

#include "orchestrator/bus/bus.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    PARTITIONS_MAX = 1024, /* those beyond are nobody's home */
    TRIES_MAX = 250,       /* below 256: the last byte alone makes the difference */
    ALL = 1 << 16,         /* of `kept` */
    NEARLY_ALL = ALL / 5 * 4,
};

struct home {
    atomic_int count; /* of partitions; below 1: not known */
    atomic_int ours_count;
    atomic_bool ours[PARTITIONS_MAX];
    atomic_uint kept; /* part of the starts that stays at home, of ALL */
    atomic_ullong drawn;
};

struct home *home_new(void)
{
    struct home *home = calloc(1, sizeof *home);
    if (home == NULL) abort();
    atomic_init(&home->kept, ALL);
    return home;
}

void home_free(struct home *home)
{
    free(home);
}

void home_set_count(struct home *home, int32_t count)
{
    atomic_store(&home->count, count);
}

void home_set(struct home *home, int32_t partition, bool is_ours)
{
    if (partition < 0 || partition >= PARTITIONS_MAX) return;
    if (atomic_exchange(&home->ours[partition], is_ours) == is_ours) return;
    atomic_fetch_add(&home->ours_count, is_ours ? 1 : -1);
}

/* What our partitions take of all starts, of our own. Nearly all is all: a balancer is not exact.
 */
void home_set_starts(struct home *home, uint64_t own, uint64_t others)
{
    const int32_t count = atomic_load(&home->count);
    if (count < 1) return;
    const double fair = (double)(own + others) * atomic_load(&home->ours_count) / count;
    const double kept = own == 0 ? ALL : fair / (double)own * ALL;
    atomic_store(&home->kept, kept >= NEARLY_ALL ? ALL : (unsigned)kept);
}

static bool is_home(struct home *home, const struct uuid *id, int32_t count)
{
    char text[UUID_TEXT_SIZE];
    uuid_print(id, text);
    const int32_t partition = bus_partition_among((struct bytes){text, UUID_TEXT_SIZE - 1}, count);
    return partition < PARTITIONS_MAX && atomic_load(&home->ours[partition]);
}

/* The next id by the same noise. */
static void draw_on(struct uuid *id)
{
    id->byte[sizeof id->byte - 1]++;
}

struct uuid home_draw(struct home *home, int64_t now_ms)
{
    uint8_t noise[12];
    randombytes_buf(noise, sizeof noise);
    struct uuid id = uuid_v7(now_ms, noise);
    atomic_fetch_add(&home->drawn, 1);

    const int32_t count = atomic_load(&home->count);
    const int32_t ours = atomic_load(&home->ours_count);
    if (ours < 1 || ours >= count) return id;
    const unsigned chance = (unsigned)noise[10] << 8 | noise[11];
    const bool stays = chance < atomic_load(&home->kept);
    for (int i = 0; i < TRIES_MAX && is_home(home, &id, count) != stays; i++) {
        draw_on(&id);
    }
    return id;
}

uint64_t home_drawn(struct home *home)
{
    return atomic_load(&home->drawn);
}
