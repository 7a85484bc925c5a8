#include "sagas/calendar/zone.h"

size_t zone_stretch(const struct zone *zone, int64_t at_s)
{
    size_t low = 0;
    size_t high = zone->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].at_s <= at_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int32_t zone_stretch_offset(const struct zone *zone, size_t stretch)
{
    return stretch == 0 ? zone->offset_s : zone->changes[stretch - 1].offset_s;
}

int64_t zone_stretch_begin(const struct zone *zone, size_t stretch)
{
    return stretch == 0 ? INT64_MIN : zone->changes[stretch - 1].at_s;
}

int64_t zone_stretch_end(const struct zone *zone, size_t stretch)
{
    return stretch == zone->count ? INT64_MAX : zone->changes[stretch].at_s;
}

int64_t zone_moment(const struct zone *zone, int64_t local_s)
{
    /* The first stretch that ends after the wall shows it: local ends grow as the ends do. */
    size_t low = 0;
    size_t high = zone->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (local_s < zone->changes[middle].at_s + zone_stretch_offset(zone, middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    const int64_t at_s = local_s - zone_stretch_offset(zone, low);
    const int64_t begin_s = zone_stretch_begin(zone, low);
    return at_s < begin_s ? begin_s : at_s;
}
