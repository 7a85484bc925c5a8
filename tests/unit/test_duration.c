#include "sagas/base/duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_ms(const char *text, uint64_t ms)
{
    uint64_t found = 0;
    if (!duration_parse(bytes_of(text), &found)) fail_msg("%s is refused", text);
    if (found != ms) fail_msg("%s is %ju ms", text, (uintmax_t)found);
}

static void units_are_added_up(void **state)
{
    (void)state;

    assert_ms("500ms", 500);
    assert_ms("30s", 30000);
    assert_ms("5m", 300000);
    assert_ms("1h30m", 5400000);
    assert_ms("1d2h3m4s5ms", 93784005);
    assert_ms("0s", 0);
    assert_ms("30m1h", 5400000);
    assert_ms("1s1s", 2000);
    assert_ms("007s", 7000);
    assert_ms("1500ms", 1500);
}

static void iso_8601_is_understood(void **state)
{
    (void)state;

    assert_ms("PT1H30M", 5400000);
    assert_ms("P1D", 86400000);
    assert_ms("PT0.5S", 500);
    assert_ms("PT0.0019S", 1);
    assert_ms("P1DT1H1M1.001S", 90061001);
    assert_ms("PT90M", 5400000);
    assert_ms("PT36H", 129600000);
    assert_ms("PT0S", 0);
    assert_ms("P1DT5M", 86700000);
}

static void ten_years_are_the_most(void **state)
{
    (void)state;
    uint64_t ms = 0;

    assert_ms("3650d", UINT64_C(315360000000));
    assert_ms("315360000000ms", UINT64_C(315360000000));
    assert_ms("P3650D", UINT64_C(315360000000));
    assert_false(duration_parse(BYTES("3650d1ms"), &ms));
    assert_false(duration_parse(BYTES("3651d"), &ms));
    assert_false(duration_parse(BYTES("P3650DT0.001S"), &ms));
    assert_false(duration_parse(BYTES("99999999999999999999999d"), &ms));
    assert_false(duration_parse(BYTES("18446744073709551617ms"), &ms));
}

static void anything_else_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        NULL,    "",      "5",       "s",       "ms",        "5 s",    " 5s",          "5s ",
        "-5s",   "+5s",   "1.5s",    "5S",      "5x",        "5s5",    "1d1d1d1d1d1d", "P",
        "PT",    "P1DT",  "P1",      "P1H",     "PT1D",      "PT1S1H", "PT1M1H",       "PT1H1H",
        "PT.5S", "PT1.S", "PT1.5H",  "PT1.5",   "pt1s",      "PT1s",   "P1W",          "P1Y",
        "P1M",   "PT-1S", "P1DT1S1", "1h PT1H", "5\xc2\xb5s"};

    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        uint64_t ms = 42;
        if (duration_parse(bytes_of(TEXTS[i]), &ms)) fail_msg("%s is accepted", TEXTS[i]);
        assert_int_equal(ms, 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_added_up),
        cmocka_unit_test(iso_8601_is_understood),
        cmocka_unit_test(ten_years_are_the_most),
        cmocka_unit_test(anything_else_is_refused_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
