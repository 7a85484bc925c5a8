/* Amounts as plain digits. */
#include "sagas/base/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_plain(const char *text, const char *plain)
{
    struct arena arena = {0};
    struct bytes result = {0};
    const bool known = decimal_plain(bytes_of(text), &arena, &result);
    if (plain == NULL) {
        if (known) fail_msg("%s is taken as %s", text, result.data);
    } else {
        if (!known) fail_msg("%s is refused", text);
        assert_string_equal(result.data, plain);
        assert_int_equal(result.size, strlen(plain));
    }
    arena_done(&arena);
}

static void digits_stay_as_they_are(void **state)
{
    (void)state;
    assert_plain("0", "0");
    assert_plain("120.10", "120.10");
    assert_plain("-0.01", "-0.01");
    assert_plain("9007199254740993", "9007199254740993");
    assert_plain("0.00", "0.00");
    assert_plain("-0", "0");
}

static void exponents_become_digits(void **state)
{
    (void)state;
    assert_plain("1e3", "1000");
    assert_plain("1.50e3", "1500");
    assert_plain("1.2345e2", "123.45");
    assert_plain("-12e-3", "-0.012");
    assert_plain("120E-2", "1.20");
    assert_plain("0.001e+3", "1");
    assert_plain("0.0e1", "0");
    assert_plain("0e-2", "0.00");
    assert_plain("5e-1", "0.5");
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    const char *const wrong[] = {"",   "-",  ".5",  "5.",   "01",   "+1",       "1e",  "1e+",
                                 "1 ", " 1", "NaN", "1,50", "0x10", "Infinity", "1..2"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_plain(wrong[i], NULL);
    }
}

static void forty_digits_fit_on_each_side(void **state)
{
    (void)state;
    assert_plain("1e39", "1000000000000000000000000000000000000000");
    assert_plain("1e40", NULL);
    assert_plain("1e-40", "0.0000000000000000000000000000000000000001");
    assert_plain("1e-41", NULL);
    assert_plain("1e99999999999999999999", NULL);
    assert_plain("0e99999999999999999999", "0");
    assert_plain("1e-99999999999999999999", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_stay_as_they_are),
        cmocka_unit_test(exponents_become_digits),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(forty_digits_fit_on_each_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
