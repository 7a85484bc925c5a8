#include "sagas/calendar/cron.h"

enum { DAY_MINUTES = 1440, YEAR_DAYS = 366, EVERY_HOUR = 0xffffff };

struct date {
    int64_t year;
    uint32_t month, day; /* from 1 */
};

static int64_t floor_div(int64_t a, int64_t b)
{
    const int64_t quotient = a / b;
    return a % b < 0 ? quotient - 1 : quotient;
}

/* Proleptic Gregorian; years are counted from 1 March so that a leap day is the last of one. */
static struct date date_of(int64_t day)
{
    const int64_t shifted = day + 719468;
    const int64_t era = floor_div(shifted, 146097);
    const int64_t in_era = shifted - era * 146097;
    const int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    const int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    const int64_t month = (5 * in_year + 2) / 153;
    return (struct date){
        .year = year + era * 400 + (month >= 10 ? 1 : 0),
        .month = (uint32_t)(month < 10 ? month + 3 : month - 9),
        .day = (uint32_t)(in_year - (153 * month + 2) / 5 + 1),
    };
}

static bool has(uint64_t set, int64_t number)
{
    return (set >> number & 1) != 0;
}

static bool is_day(const struct cron *cron, int64_t day, const struct date *date)
{
    const int64_t weekday = day - floor_div(day - 3, 7) * 7 - 3; /* 1970-01-01 was a Thursday */
    const bool by_weekday = has(cron->weekdays, weekday);
    const bool by_day = has(cron->days, date->day);
    return cron->any_day || cron->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* The first minute of the day at or after `from` (0 to 1439); -1: none. */
static int64_t minute_of_day(const struct cron *cron, int64_t from)
{
    for (int64_t hour = from / 60; hour < 24; hour++) {
        if (!has(cron->hours, hour)) continue;
        for (int64_t minute = hour == from / 60 ? from % 60 : 0; minute < 60; minute++) {
            if (has(cron->minutes, minute)) return hour * 60 + minute;
        }
    }
    return -1;
}

/* The first local minute (since 1970) in [from, until) that the expression names. */
static bool next_local(const struct cron *cron, int64_t from, int64_t until, int64_t *ret_minute)
{
    int64_t day = floor_div(from, DAY_MINUTES);
    int64_t minute = from - day * DAY_MINUTES;
    while (day * DAY_MINUTES < until) {
        const struct date date = date_of(day);
        const int64_t found = has(cron->months, date.month) && is_day(cron, day, &date)
                                  ? minute_of_day(cron, minute)
                                  : -1;
        if (found >= 0) {
            *ret_minute = day * DAY_MINUTES + found;
            return *ret_minute < until;
        }
        day++;
        minute = 0;
    }
    return false;
}

/* By the clock on the wall. */
static bool next_on_the_wall(const struct cron *cron, const struct zone *zone, int64_t after_s,
                             int64_t until_s, int64_t *ret_at_s)
{
    const int32_t offset_s = zone_stretch_offset(zone, zone_stretch(zone, after_s));
    int64_t minute = floor_div(after_s + offset_s, 60);
    while (next_local(cron, minute, floor_div(until_s, 60), &minute)) {
        *ret_at_s = zone_moment(zone, minute * 60);
        if (*ret_at_s > after_s) return true;
        minute++;
    }
    return false;
}

/* By elapsed time: each stretch has its own local minutes. */
static bool next_elapsed(const struct cron *cron, const struct zone *zone, int64_t after_s,
                         int64_t until_s, int64_t *ret_at_s)
{
    size_t stretch = zone_stretch(zone, after_s + 1);
    for (int64_t from_s = after_s + 1; from_s < until_s;
         from_s = zone_stretch_begin(zone, stretch)) {
        const int32_t offset_s = zone_stretch_offset(zone, stretch);
        const int64_t end_s = zone_stretch_end(zone, stretch);
        const int64_t until = (end_s < until_s ? end_s : until_s) + offset_s;
        int64_t minute = 0;
        if (next_local(cron, floor_div(from_s + offset_s + 59, 60), floor_div(until + 59, 60),
                       &minute)) {
            *ret_at_s = minute * 60 - offset_s;
            return true;
        }
        if (stretch == zone->count) break;
        stretch++;
    }
    return false;
}

bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after_ms,
               int64_t *ret_at_ms)
{
    const int64_t after_s = floor_div(after_ms, 1000);
    const int64_t until_s = after_s + (int64_t)CRON_YEARS * YEAR_DAYS * DAY_MINUTES * 60;
    int64_t at_s = 0;
    const bool found = cron->hours == EVERY_HOUR
                           ? next_elapsed(cron, zone, after_s, until_s, &at_s)
                           : next_on_the_wall(cron, zone, after_s, until_s, &at_s);
    if (found) *ret_at_ms = at_s * 1000;
    return found;
}
