#include "cli/demo/updates.h"

static const char *const STATES[] = {"announced", "preorder", "live", "featured", "archived"};
static const char *const REGIONS[] = {"DE", "US", "FR", "GB", "JP", "BR", "IN", "ES"};

enum {
    STATE_COUNT = sizeof STATES / sizeof STATES[0],
    REGION_COUNT = sizeof REGIONS / sizeof REGIONS[0],
    REGIONS_EACH_MAX = 4,
    REFUSED_ONE_IN = 20,
};

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(uint64_t *state, size_t bound)
{
    return (size_t)(next(state) % bound);
}

/* Move `count` regions, chosen at random, to the front. */
static void shuffle(uint64_t *state, size_t count, const char *regions[REGION_COUNT])
{
    for (size_t i = 0; i < count; i++) {
        const size_t other = i + below(state, REGION_COUNT - i);
        const char *moved = regions[i];
        regions[i] = regions[other];
        regions[other] = moved;
    }
}

size_t updates_write(size_t count, uint64_t seed, struct buffer *buffer)
{
    uint64_t state = seed;
    size_t refused = 0;
    for (size_t i = 1; i <= count; i++) {
        const char *regions[REGION_COUNT];
        for (size_t r = 0; r < REGION_COUNT; r++) {
            regions[r] = REGIONS[r];
        }
        const size_t region_count = 1 + below(&state, REGIONS_EACH_MAX);
        shuffle(&state, region_count, regions);
        buffer_add_format(buffer, "{\"title_id\":\"title-%06zu\",\"state\":\"%s\",\"regions\":[", i,
                          STATES[below(&state, STATE_COUNT)]);
        for (size_t r = 0; r < region_count; r++) {
            buffer_add_format(buffer, "%s\"%s\"", r > 0 ? "," : "", regions[r]);
        }
        buffer_add_char(buffer, ']');
        if (below(&state, REFUSED_ONE_IN) == 0) {
            buffer_add_format(buffer, ",\"refuse_region\":\"%s\"",
                              regions[below(&state, region_count)]);
            refused++;
        }
        buffer_add_text(buffer, "}\n");
    }
    return refused;
}
