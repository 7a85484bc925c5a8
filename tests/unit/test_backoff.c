/* How long to wait between two attempts. */
#include "sagas/machine/backoff.h"
#include "sagas/machine/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { DRAWS = 20000 };

static struct retry_policy policy_of(enum jitter jitter)
{
    return (struct retry_policy){
        .initial_ms = 1000, .multiplier = 2, .max_ms = 30000, .jitter = jitter};
}

static void waits_grow_by_the_multiplier_to_the_cap(void **state)
{
    (void)state;
    static const uint64_t WAITS_MS[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
    const struct retry_policy policy = policy_of(JITTER_NONE);
    uint64_t random = 1;
    for (uint32_t i = 0; i < sizeof(WAITS_MS) / sizeof(WAITS_MS[0]); i++) {
        assert_int_equal(backoff_delay_ms(&policy, i + 1, &random), WAITS_MS[i]);
    }
    assert_int_equal(backoff_delay_ms(&policy, UINT32_MAX, &random), 30000);
    assert_int_equal(random, 1);
}

static void a_multiplier_of_one_is_constant(void **state)
{
    (void)state;
    struct retry_policy policy = policy_of(JITTER_NONE);
    policy.multiplier = 1;
    uint64_t random = 1;
    assert_int_equal(backoff_delay_ms(&policy, 1, &random), 1000);
    assert_int_equal(backoff_delay_ms(&policy, UINT32_MAX, &random), 1000);
}

static void there_is_always_a_wait(void **state)
{
    (void)state;
    static const enum jitter ALL[] = {JITTER_FULL, JITTER_EQUAL, JITTER_NONE};
    for (size_t i = 0; i < sizeof(ALL) / sizeof(ALL[0]); i++) {
        struct retry_policy policy = {.jitter = ALL[i], .multiplier = 1};
        uint64_t random = 5;
        assert_int_equal(backoff_delay_ms(&policy, 1, &random), 1);
        policy.initial_ms = policy.max_ms = 1;
        assert_int_equal(backoff_delay_ms(&policy, 7, &random), 1);
    }
}

/* Lowest, highest and mean of many draws of the second wait, which is 2 s. */
static void draw(enum jitter jitter, uint64_t *ret_lowest, uint64_t *ret_highest, double *ret_mean)
{
    const struct retry_policy policy = policy_of(jitter);
    uint64_t random = 42;
    double sum = 0;
    *ret_lowest = UINT64_MAX;
    *ret_highest = 0;
    for (int i = 0; i < DRAWS; i++) {
        const uint64_t wait_ms = backoff_delay_ms(&policy, 2, &random);
        if (wait_ms < *ret_lowest) *ret_lowest = wait_ms;
        if (wait_ms > *ret_highest) *ret_highest = wait_ms;
        sum += (double)wait_ms;
    }
    *ret_mean = sum / DRAWS;
}

static void full_jitter_spreads_over_the_whole_wait(void **state)
{
    (void)state;
    uint64_t lowest = 0;
    uint64_t highest = 0;
    double mean = 0;
    draw(JITTER_FULL, &lowest, &highest, &mean);
    assert_in_range(lowest, 1, 5);
    assert_in_range(highest, 1995, 2000);
    assert_true(mean > 970 && mean < 1030);
}

static void equal_jitter_stays_in_the_upper_half(void **state)
{
    (void)state;
    uint64_t lowest = 0;
    uint64_t highest = 0;
    double mean = 0;
    draw(JITTER_EQUAL, &lowest, &highest, &mean);
    assert_in_range(lowest, 1001, 1005);
    assert_in_range(highest, 1995, 2000);
    assert_true(mean > 1480 && mean < 1520);
}

static void the_same_seed_gives_the_same_waits(void **state)
{
    (void)state;
    const struct retry_policy policy = policy_of(JITTER_FULL);
    uint64_t one = 7;
    uint64_t other = 7;
    for (uint32_t i = 1; i < 50; i++) {
        assert_int_equal(backoff_delay_ms(&policy, i, &one), backoff_delay_ms(&policy, i, &other));
    }
}

static void splitmix64_gives_its_known_values(void **state)
{
    (void)state;
    uint64_t random = 1234567;
    assert_int_equal(random_next(&random), UINT64_C(6457827717110365317));
    assert_int_equal(random_next(&random), UINT64_C(3203168211198807973));
    assert_int_equal(random_next(&random), UINT64_C(9817491932198370423));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_grow_by_the_multiplier_to_the_cap),
        cmocka_unit_test(a_multiplier_of_one_is_constant),
        cmocka_unit_test(there_is_always_a_wait),
        cmocka_unit_test(full_jitter_spreads_over_the_whole_wait),
        cmocka_unit_test(equal_jitter_stays_in_the_upper_half),
        cmocka_unit_test(the_same_seed_gives_the_same_waits),
        cmocka_unit_test(splitmix64_gives_its_known_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
