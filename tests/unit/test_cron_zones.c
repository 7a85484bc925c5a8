/*
 * Cron in time zones: what daylight saving does to a schedule.
 *
 * The rule: an expression that names every hour goes by elapsed time. Any other means the clock on
 * the wall: what comes twice fires once, what is left out fires once right after the gap.
 */
#include "sagas/calendar/cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The changes of 2026 and 2027, as the tz database has them. */
static const struct zone_change BERLIN_CHANGES[] = {
    {1774746000, 7200},
    {1792890000, 3600},
    {1806195600, 7200},
    {1824944400, 3600}
};
static const struct zone_change NEW_YORK_CHANGES[] = {
    {1772953200, -14400},
    {1793512800, -18000},
    {1805007600, -14400},
    {1825567200, -18000}
};
static const struct zone_change LORD_HOWE_CHANGES[] = {
    {1775314800, 37800},
    {1791041400, 39600},
    {1806764400, 37800},
    {1822491000, 39600}
};
static const struct zone_change APIA_CHANGES[] = {
    {1325239200, 50400}
}; /* without 30 December 2011 */

static const struct zone BERLIN = {3600, BERLIN_CHANGES, 4};
static const struct zone NEW_YORK = {-18000, NEW_YORK_CHANGES, 4};
static const struct zone LORD_HOWE = {39600, LORD_HOWE_CHANGES, 4};
static const struct zone KOLKATA = {19800, NULL, 0};
static const struct zone APIA = {-36000, APIA_CHANGES, 1};

/* Unix seconds of a UTC time, 2026 where the year is left out. */
static int64_t utc_of(int year, int month, int day, int hour, int minute)
{
    static const int DAYS_BEFORE[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    const int leap = year / 4 - year / 100 + year / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    const int is_leap = year % 4 == 0 ? 1 : 0;
    const int64_t days = (int64_t)(year - 1970) * 365 + leap + DAYS_BEFORE[month - 1] + day - 1 +
                         (month > 2 ? 0 : -is_leap);
    return (days * 24 + hour) * 3600 + (int64_t)minute * 60;
}

static int64_t utc(int month, int day, int hour, int minute)
{
    return utc_of(2026, month, day, hour, minute);
}

/* From `after_s` on the expression fires at these moments and at none between. */
static void assert_fires(const char *text, const struct zone *zone, int64_t after_s,
                         const int64_t *expected_s, size_t count)
{
    struct cron cron;
    char fault[CRON_FAULT_SIZE];
    int64_t at_ms = after_s * 1000;
    assert_true(cron_parse(bytes_of(text), &cron, fault));
    for (size_t i = 0; i < count; i++) {
        assert_true(cron_next(&cron, zone, at_ms, &at_ms));
        if (at_ms != expected_s[i] * 1000) {
            fail_msg("%s, time %zu: %lld minutes off", text, i,
                     (long long)(at_ms / 1000 - expected_s[i]) / 60);
        }
    }
}
#define FIRES(text, zone, after, ...)                                                              \
    assert_fires((text), (zone), (after), (const int64_t[]){__VA_ARGS__},                          \
                 sizeof(const int64_t[]){__VA_ARGS__} / sizeof(int64_t))

static void local_time_is_meant(void **state)
{
    (void)state;
    FIRES("0 6 * * *", &BERLIN, utc(1, 10, 0, 0), utc(1, 10, 5, 0), utc(1, 11, 5, 0));
    FIRES("0 6 * * *", &BERLIN, utc(7, 10, 0, 0), utc(7, 10, 4, 0), utc(7, 11, 4, 0));
    FIRES("0 6 * * *", &NEW_YORK, utc(1, 10, 0, 0), utc(1, 10, 11, 0), utc(1, 11, 11, 0));
    FIRES("30 6 * * *", &KOLKATA, utc(1, 10, 0, 0), utc(1, 10, 1, 0), utc(1, 11, 1, 0));
    FIRES("0 6 * * *", &LORD_HOWE, utc(7, 10, 0, 0), utc(7, 10, 19, 30), utc(7, 11, 19, 30));
    /* Its weekday too: Monday begins in Kolkata while it is Sunday in UTC. */
    FIRES("0 0 * * MON", &KOLKATA, utc(1, 10, 0, 0), utc(1, 11, 18, 30));
}

static void a_time_that_does_not_exist_fires_once_right_after_the_gap(void **state)
{
    (void)state;
    /* Berlin, 29 March: 02:00 to 03:00 is left out. */
    FIRES("30 2 * * *", &BERLIN, utc(3, 28, 0, 0), utc(3, 28, 1, 30), utc(3, 29, 1, 0),
          utc(3, 30, 0, 30));
    FIRES("0,15,30,45 2 * * *", &BERLIN, utc(3, 28, 2, 0), utc(3, 29, 1, 0), utc(3, 30, 0, 0));
    FIRES("0 2,3 * * *", &BERLIN, utc(3, 28, 12, 0), utc(3, 29, 1, 0), utc(3, 30, 0, 0));
    FIRES("30 2 29 3 *", &BERLIN, utc(1, 1, 0, 0), utc(3, 29, 1, 0), utc_of(2027, 3, 29, 0, 30));
    /* New York, 8 March; Lord Howe, 4 October: 02:00 to 02:30. */
    FIRES("30 2 * * *", &NEW_YORK, utc(3, 7, 8, 0), utc(3, 8, 7, 0), utc(3, 9, 6, 30));
    FIRES("15 2 * * *", &LORD_HOWE, utc(10, 3, 0, 0), utc(10, 3, 15, 30), utc(10, 4, 15, 15));
    /* Apia went over a whole day. */
    FIRES("0 12 * * *", &APIA, utc_of(2011, 12, 29, 0, 0), utc_of(2011, 12, 29, 22, 0),
          utc_of(2011, 12, 30, 10, 0), utc_of(2011, 12, 30, 22, 0));
}

static void a_time_that_comes_twice_fires_once(void **state)
{
    (void)state;
    /* Berlin, 25 October: 02:00 to 03:00 comes twice. */
    FIRES("30 2 * * *", &BERLIN, utc(10, 24, 12, 0), utc(10, 25, 0, 30), utc(10, 26, 1, 30));
    FIRES("30 1,2,3 * * *", &BERLIN, utc(10, 24, 23, 0), utc(10, 24, 23, 30), utc(10, 25, 0, 30),
          utc(10, 25, 2, 30));
    /* Asked in the hour that comes again. */
    FIRES("30 2 * * *", &BERLIN, utc(10, 25, 1, 10), utc(10, 26, 1, 30));
    /* New York, 1 November; Lord Howe, 5 April: 01:30 to 02:00. */
    FIRES("30 1 * * *", &NEW_YORK, utc(11, 1, 0, 0), utc(11, 1, 5, 30), utc(11, 2, 6, 30));
    FIRES("45 1 * * *", &LORD_HOWE, utc(4, 4, 0, 0), utc(4, 4, 14, 45), utc(4, 5, 15, 15));
}

static void an_expression_of_every_hour_goes_by_elapsed_time(void **state)
{
    (void)state;
    FIRES("30 * * * *", &BERLIN, utc(10, 24, 23, 40), utc(10, 25, 0, 30), utc(10, 25, 1, 30),
          utc(10, 25, 2, 30));
    FIRES("30 * * * *", &BERLIN, utc(3, 29, 0, 0), utc(3, 29, 0, 30), utc(3, 29, 1, 30),
          utc(3, 29, 2, 30));
    FIRES("*/30 0-23 * * *", &LORD_HOWE, utc(4, 4, 14, 30), utc(4, 4, 15, 0), utc(4, 4, 15, 30),
          utc(4, 4, 16, 0));
    FIRES("20,50 * * * *", &LORD_HOWE, utc(10, 3, 14, 55), utc(10, 3, 15, 20), utc(10, 3, 15, 50),
          utc(10, 3, 16, 20));
    FIRES("*/15 * * * *", &KOLKATA, utc(1, 1, 0, 0), utc(1, 1, 0, 15), utc(1, 1, 0, 30));
}

/* ---- against a search minute by minute ---- */

static int32_t offset_at(const struct zone *zone, int64_t at_s)
{
    int32_t offset_s = zone->offset_s;
    for (size_t i = 0; i < zone->count && zone->changes[i].at_s <= at_s; i++) {
        offset_s = zone->changes[i].offset_s;
    }
    return offset_s;
}

static bool names_local(const struct cron *cron, int64_t local_s)
{
    static const struct zone UTC;
    int64_t at_ms = 0;
    return cron_next(cron, &UTC, local_s * 1000 - 1, &at_ms) && at_ms == local_s * 1000;
}

/* The rule told once more, the slow way: does it fire at this moment? */
static bool fires_at(const struct cron *cron, const struct zone *zone, int64_t at_s)
{
    const int32_t offset_s = offset_at(zone, at_s);
    const int32_t before_s = offset_at(zone, at_s - 1);
    const bool by_elapsed_time = cron->hours == 0xffffff;
    if (by_elapsed_time) return names_local(cron, at_s + offset_s);
    for (int64_t local_s = at_s + before_s; local_s < at_s + offset_s; local_s += 60) {
        if (names_local(cron, local_s)) return true; /* left out just now */
    }
    if (!names_local(cron, at_s + offset_s)) return false;
    /* The second of two? Then it was the same on the wall up to three hours ago. */
    for (int64_t back_s = 1800; back_s <= 3 * 3600; back_s += 1800) {
        const int64_t then_s = at_s - back_s;
        if (then_s + offset_at(zone, then_s) == at_s + offset_s) return false;
    }
    return true;
}

static void nothing_is_left_out_and_nothing_comes_twice_around_every_change(void **state)
{
    (void)state;
    static const struct zone *const ZONES[] = {&BERLIN, &NEW_YORK, &LORD_HOWE};
    static const char *const TEXTS[] = {"*/7 1-3 * * *", "30 * * * *",   "0 2 * * *",
                                        "15 */2 * * *",  "*/20 * * * *", "0,59 0,2,23 * * *"};
    enum { AROUND_S = 30 * 3600 };
    for (size_t i = 0; i < sizeof ZONES / sizeof ZONES[0] * (sizeof TEXTS / sizeof TEXTS[0]); i++) {
        const struct zone *const zone = ZONES[i % 3];
        const char *const text = TEXTS[i / 3];
        struct cron cron;
        char fault[CRON_FAULT_SIZE];
        assert_true(cron_parse(bytes_of(text), &cron, fault));
        for (size_t change = 0; change < zone->count; change++) {
            const int64_t begin_s = zone->changes[change].at_s - AROUND_S;
            int64_t next_ms = 0;
            assert_true(cron_next(&cron, zone, begin_s * 1000 - 1, &next_ms));
            for (int64_t at_s = begin_s; at_s < begin_s + 2 * AROUND_S; at_s += 60) {
                const bool fires = next_ms == at_s * 1000;
                if (fires != fires_at(&cron, zone, at_s)) {
                    fail_msg("%s, zone %zu, change %zu: %lld minutes from it", text, i % 3, change,
                             (long long)(at_s - zone->changes[change].at_s) / 60);
                }
                const int64_t before_ms = next_ms;
                if (fires) assert_true(cron_next(&cron, zone, next_ms, &next_ms));
                if (fires) assert_true(next_ms > before_ms);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_time_is_meant),
        cmocka_unit_test(a_time_that_does_not_exist_fires_once_right_after_the_gap),
        cmocka_unit_test(a_time_that_comes_twice_fires_once),
        cmocka_unit_test(an_expression_of_every_hour_goes_by_elapsed_time),
        cmocka_unit_test(nothing_is_left_out_and_nothing_comes_twice_around_every_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
