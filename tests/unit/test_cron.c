/* Cron expressions: what is understood, what is refused and why, and which minutes are meant. */
#include "sagas/calendar/cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct zone UTC;

enum { MINUTE_MS = 60000 };
static const int64_t HOUR_MS = 60 * (int64_t)MINUTE_MS;
static const int64_t DAY_MS = 24 * 60 * (int64_t)MINUTE_MS;
static const int64_t MONDAY = 1767571200000; /* 2026-01-05T00:00Z */

static struct cron read_good(const char *text)
{
    struct cron cron;
    char fault[CRON_FAULT_SIZE] = "";
    if (!cron_parse(bytes_of(text), &cron, fault)) fail_msg("%s: %s", text, fault);
    return cron;
}

static void assert_refused(const char *text, const char *part)
{
    struct cron cron;
    char fault[CRON_FAULT_SIZE] = "";
    if (cron_parse(bytes_of(text), &cron, fault)) fail_msg("%s is taken", text);
    if (strstr(fault, part) == NULL) fail_msg("%s: %s", text, fault);
}

static int64_t next(const char *text, int64_t after_ms)
{
    const struct cron cron = read_good(text);
    int64_t at_ms = 0;
    if (!cron_next(&cron, &UTC, after_ms, &at_ms)) fail_msg("%s never fires", text);
    return at_ms;
}

static void assert_same(const char *a, const char *b)
{
    const struct cron left = read_good(a);
    const struct cron right = read_good(b);
    assert_int_equal(left.minutes, right.minutes);
    assert_int_equal(left.hours, right.hours);
    assert_int_equal(left.days, right.days);
    assert_int_equal(left.months, right.months);
    assert_int_equal(left.weekdays, right.weekdays);
}

static void fields_take_numbers_ranges_steps_lists_and_names(void **state)
{
    (void)state;
    assert_same("*/15 * * * *", "0,15,30,45 * * * *");
    assert_same("10-30/10 9-17 * * *", "10,20,30 9,10,11,12,13,14,15,16,17 * * *");
    assert_same("5/20 * * * *", "5,25,45 * * * *");
    assert_same("0 0 1 jan,JUL *", "0 0 1 1,7 *");
    assert_same("0 0 * * mon-fri", "0 0 * * 1-5");
    assert_same("0 0 * * 7", "0 0 * * 0");
    assert_same("0 0 * * SAT-SUN", "0 0 * * 6,0");
    assert_same("0 0 * * 5-7", "0 0 * * 5,6,0");
    assert_same("\t0  0 *\t* * ", "0 0 * * *");
}

static void names_of_whole_expressions_are_known(void **state)
{
    (void)state;
    assert_same("@yearly", "0 0 1 1 *");
    assert_same("@annually", "0 0 1 1 *");
    assert_same("@monthly", "0 0 1 * *");
    assert_same("@weekly", "0 0 * * 0");
    assert_same("@daily", "0 0 * * *");
    assert_same("@midnight", "0 0 * * *");
    assert_same("@Hourly", "0 * * * *");
}

static void what_is_wrong_is_told_with_its_cure(void **state)
{
    (void)state;
    assert_refused("", "write five");
    assert_refused("* * * *", "has 4 fields");
    assert_refused("0 0 0 * * *", "has 6 fields");
    assert_refused("60 * * * *", "the minute field has 60; it takes 0 to 59");
    assert_refused("* 24 * * *", "the hour field has 24");
    assert_refused("* * 0 * *", "the day of month field has 0; it takes 1 to 31");
    assert_refused("* * * 13 *", "the month field has 13");
    assert_refused("* * * * 8", "the day of week field has 8");
    assert_refused("30-10 * * * *", "runs backwards");
    assert_refused("*/0 * * * *", "a step of 0");
    assert_refused("*/99 * * * *", "a step of 99");
    assert_refused("1,,2 * * * *", "not understood at ',2'");
    assert_refused("1, * * * *", "stops where a number is expected");
    assert_refused("1- * * * *", "stops where a number is expected");
    assert_refused("a * * * *", "not understood at 'a'");
    assert_refused("* * L * *", "not understood at 'L'");
    assert_refused("* * ? * *", "not understood at '?'");
    assert_refused("* * * * mon#2", "not understood at '#2'");
    assert_refused("-5 * * * *", "not understood");
    assert_refused("99999999999 * * * *", "has 9999");
    assert_refused("@reboot", "@hourly");
    assert_refused("@every 5m", "@hourly");
}

static void what_never_fires_is_refused(void **state)
{
    (void)state;
    assert_refused("0 0 30 2 *", "never fires");
    assert_refused("0 0 31 2,4,6,9,11 *", "never fires");
    (void)read_good("0 0 29 2 *");
    (void)read_good("0 0 30 2 MON"); /* every Monday of February */
}

static void an_expression_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char text[400];
    memset(text, '1', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_refused(text, "at most 200 bytes");
}

static void the_next_time_is_after_the_moment_asked_for(void **state)
{
    (void)state;
    assert_int_equal(next("* * * * *", MONDAY), MONDAY + MINUTE_MS);
    assert_int_equal(next("* * * * *", MONDAY - 1), MONDAY);
    assert_int_equal(next("* * * * *", MONDAY + 59999), MONDAY + MINUTE_MS);
    assert_int_equal(next("30 6 * * *", MONDAY), MONDAY + 6 * HOUR_MS + 30 * (int64_t)MINUTE_MS);
    assert_int_equal(next("0 0 * * *", MONDAY), MONDAY + DAY_MS);
    assert_int_equal(next("0 0 * * FRI", MONDAY), MONDAY + 4 * DAY_MS);
    assert_int_equal(next("0 0 1 * *", MONDAY), MONDAY + 27 * DAY_MS);
    assert_int_equal(next("0 0 * * *", -1), 0);
}

static void one_of_two_given_days_suffices(void **state)
{
    (void)state;
    assert_int_equal(next("0 0 8 * THU", MONDAY), MONDAY + 3 * DAY_MS);
    assert_int_equal(next("0 0 7 * FRI", MONDAY), MONDAY + 2 * DAY_MS);
    /* A field that begins with a star narrows instead: of odd days, Fridays. */
    assert_int_equal(next("0 0 */2 * FRI", MONDAY), MONDAY + 4 * DAY_MS);
    assert_int_equal(next("0 0 */2 * THU", MONDAY), MONDAY + 10 * DAY_MS);
}

static void a_leap_day_is_found_years_ahead(void **state)
{
    (void)state;
    assert_int_equal(next("0 0 29 2 *", MONDAY), INT64_C(1835395200000)); /* 2028 */
    assert_int_equal(next("0 0 29 2 *", INT64_C(3981312000000)),
                     INT64_C(4233686400000)); /* 2096, 2104 */
    /* A leap day that is a Sunday: 2088, then 2128. */
    assert_int_equal(next("0 0 29 2 */7", INT64_C(3728851200000)), INT64_C(4991068800000));
}

static void times_only_grow_and_none_is_left_out(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"*/7 * * * *",  "3 */5 * * *",   "0 12 13 * FRI",
                                        "59 23 31 * *", "0-5 0 * 2,3 *", "17 4 */3 * 1-3"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        const struct cron cron = read_good(TEXTS[i]);
        int64_t expected = MONDAY;
        int64_t at = MONDAY;
        for (int fired = 0; fired < 30; fired++) {
            assert_true(cron_next(&cron, &UTC, at, &at));
            /* The same from every minute on the way: nothing lies between. */
            for (; expected < at; expected += 6 * (int64_t)MINUTE_MS) {
                int64_t seen = 0;
                assert_true(cron_next(&cron, &UTC, expected, &seen));
                assert_int_equal(seen, at);
            }
            expected = at;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_take_numbers_ranges_steps_lists_and_names),
        cmocka_unit_test(names_of_whole_expressions_are_known),
        cmocka_unit_test(what_is_wrong_is_told_with_its_cure),
        cmocka_unit_test(what_never_fires_is_refused),
        cmocka_unit_test(an_expression_that_is_too_long_is_refused),
        cmocka_unit_test(the_next_time_is_after_the_moment_asked_for),
        cmocka_unit_test(one_of_two_given_days_suffices),
        cmocka_unit_test(a_leap_day_is_found_years_ahead),
        cmocka_unit_test(times_only_grow_and_none_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
