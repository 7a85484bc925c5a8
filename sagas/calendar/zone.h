/*
 * sagas/calendar/zone.h
 *   A time zone as its offsets from UTC, one after the other.
 *
 * Whoever asks brings the changes (the store reads them from PostgreSQL), so that nothing here
 * depends on files, settings or the day on which it runs.
 */
#ifndef SAGAS_CALENDAR_ZONE_H
#define SAGAS_CALENDAR_ZONE_H

#include <stddef.h>
#include <stdint.h>

struct zone_change {
    int64_t at_s;     /* Unix seconds: from here on */
    int32_t offset_s; /* local time is UTC plus this */
};

struct zone {
    int32_t offset_s;                  /* before the first change */
    const struct zone_change *changes; /* by time */
    size_t count;
};

/* The stretch between two changes that a moment lies in: its number, 0 to count. */
size_t zone_stretch(const struct zone *zone, int64_t at_s);
int32_t zone_stretch_offset(const struct zone *zone, size_t stretch);
/* INT64_MIN and INT64_MAX where it has none. */
int64_t zone_stretch_begin(const struct zone *zone, size_t stretch);
int64_t zone_stretch_end(const struct zone *zone, size_t stretch);

/*
 * The moment when clocks on the wall show `local_s` (seconds since 1970 as if it were UTC). The
 * first of two where it comes twice; the end of the gap where clocks jump over it. Later local
 * times never give earlier moments.
 */
int64_t zone_moment(const struct zone *zone, int64_t local_s);

#endif
