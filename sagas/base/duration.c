#include "sagas/base/duration.h"

#include <stddef.h>
#include <string.h>

enum { PARTS_MAX = 5 };

enum {
    MS_PER_SECOND = 1000,
    MS_PER_MINUTE = 60 * MS_PER_SECOND,
    MS_PER_HOUR = 60 * MS_PER_MINUTE,
    MS_PER_DAY = 24 * MS_PER_HOUR,
};
static const uint64_t DURATION_MAX_MS = UINT64_C(3650) * MS_PER_DAY;

/* What is left to read. */
struct reader {
    const char *at;
    const char *end;
};

static bool read_number(struct reader *reader, uint64_t *ret_number)
{
    const char *const start = reader->at;
    uint64_t number = 0;
    for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
        number = number * 10 + (uint64_t)(*reader->at - '0');
        if (number > DURATION_MAX_MS) return false;
    }
    *ret_number = number;
    return reader->at > start;
}

static bool take(struct reader *reader, const char *word)
{
    const size_t size = strlen(word);
    if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, word, size) != 0) {
        return false;
    }
    reader->at += size;
    return true;
}

/* Milliseconds of a unit; 0 when there is none. `ms` goes first: `m` is its prefix. */
static uint64_t take_unit(struct reader *reader)
{
    if (take(reader, "ms")) return 1;
    if (take(reader, "s")) return MS_PER_SECOND;
    if (take(reader, "m")) return MS_PER_MINUTE;
    if (take(reader, "h")) return MS_PER_HOUR;
    if (take(reader, "d")) return MS_PER_DAY;
    return 0;
}

/* Both factors are at most 10 years, so that the sum is checked before it can overflow. */
static bool add_part(uint64_t *total_ms, uint64_t number, uint64_t unit_ms)
{
    if (number > DURATION_MAX_MS / unit_ms) return false;
    *total_ms += number * unit_ms;
    return *total_ms <= DURATION_MAX_MS;
}

static bool read_units(struct reader *reader, uint64_t *ret_ms)
{
    for (int parts = 0; reader->at < reader->end; parts++) {
        uint64_t number = 0;
        if (parts == PARTS_MAX || !read_number(reader, &number)) return false;
        const uint64_t unit_ms = take_unit(reader);
        if (unit_ms == 0 || !add_part(ret_ms, number, unit_ms)) return false;
    }
    return true;
}

/* The digits behind the point of seconds; what is finer than a millisecond is cut off. */
static bool read_fraction(struct reader *reader, uint64_t *ret_ms)
{
    const char *const start = reader->at;
    uint64_t unit_ms = 100;
    for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
        *ret_ms += (uint64_t)(*reader->at - '0') * unit_ms;
        unit_ms /= 10;
    }
    return reader->at > start;
}

static bool read_iso_seconds(struct reader *reader, uint64_t number, uint64_t *ret_ms)
{
    uint64_t fraction_ms = 0;
    if (take(reader, ".") && !read_fraction(reader, &fraction_ms)) return false;
    return take(reader, "S") && add_part(ret_ms, number, MS_PER_SECOND) &&
           add_part(ret_ms, fraction_ms, 1);
}

/* After the `T`: hours, minutes, seconds in this order, at least one of them. */
static bool read_iso_time(struct reader *reader, uint64_t *ret_ms)
{
    static const struct {
        const char *word;
        uint64_t unit_ms;
    } UNITS[] = {
        {"H", MS_PER_HOUR  },
        {"M", MS_PER_MINUTE}
    };

    size_t next = 0;
    do {
        uint64_t number = 0;
        if (!read_number(reader, &number)) return false;
        while (next < 2 && !take(reader, UNITS[next].word)) {
            next++;
        }
        if (next == 2) return read_iso_seconds(reader, number, ret_ms);
        if (!add_part(ret_ms, number, UNITS[next].unit_ms)) return false;
        next++;
    } while (reader->at < reader->end);
    return true;
}

static bool read_iso(struct reader *reader, uint64_t *ret_ms)
{
    if (reader->at == reader->end) return false;
    if (*reader->at != 'T') {
        uint64_t days = 0;
        if (!read_number(reader, &days) || !take(reader, "D")) return false;
        if (!add_part(ret_ms, days, MS_PER_DAY)) return false;
        if (reader->at == reader->end) return true;
    }
    return take(reader, "T") && read_iso_time(reader, ret_ms);
}

bool duration_parse(struct bytes text, uint64_t *ret_ms)
{
    if (text.data == NULL || text.size == 0) return false;
    struct reader reader = {text.data, text.data + text.size};
    uint64_t total_ms = 0;
    const bool valid =
        take(&reader, "P") ? read_iso(&reader, &total_ms) : read_units(&reader, &total_ms);
    if (!valid || reader.at != reader.end) return false;
    *ret_ms = total_ms;
    return true;
}
