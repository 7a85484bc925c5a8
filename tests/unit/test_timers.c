/*
 * tests/unit/test_timers.c
 *   A worker's timers against a plain list.
 */
#include "orchestrator/engine/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static struct uuid id_of(uint32_t number)
{
    struct uuid id = {{0}};
    memcpy(id.byte, &number, sizeof number);
    return id;
}

static void fires_in_the_order_of_the_due_times(void **state)
{
    (void)state;
    struct timers *timers = timers_new();
    static const int64_t DUE[] = {500, 100, 300, 200, 400};
    for (uint32_t i = 0; i < 5; i++) {
        const struct uuid id = id_of(i);
        timers_set(timers, &id, DUE[i], 0);
    }

    int64_t last = 0;
    struct uuid id;
    int64_t due = 0;
    for (int i = 0; i < 5; i++) {
        assert_true(timers_pop(timers, 1000, &id, &due));
        assert_true(due > last);
        last = due;
    }

    assert_false(timers_pop(timers, 1000, &id, &due));
    timers_free(timers);
}

static void nothing_fires_before_it_is_due(void **state)
{
    (void)state;
    struct timers *timers = timers_new();
    const struct uuid id = id_of(7);
    timers_set(timers, &id, 100, 0);

    struct uuid popped;
    int64_t due = 0;
    assert_false(timers_pop(timers, 99, &popped, &due));
    assert_true(timers_pop(timers, 100, &popped, &due));
    assert_true(uuid_equal(&popped, &id));
    timers_free(timers);
}

static void setting_again_moves_the_one_entry(void **state)
{
    (void)state;
    struct timers *timers = timers_new();
    const struct uuid id = id_of(7);
    timers_set(timers, &id, 100, 0);
    timers_set(timers, &id, 900, 0);

    assert_int_equal(timers_count(timers), 1);
    assert_int_equal(timers_next(timers), 900);
    timers_set(timers, &id, 0, 0);
    assert_int_equal(timers_count(timers), 0);
    timers_free(timers);
}

static void what_is_due_beyond_the_horizon_is_not_held(void **state)
{
    (void)state;
    struct timers *timers = timers_new();
    const struct uuid id = id_of(7);

    timers_set(timers, &id, TIMERS_HORIZON_MS + 1, 0);
    assert_int_equal(timers_count(timers), 0);
    timers_set(timers, &id, TIMERS_HORIZON_MS, 0);
    assert_int_equal(timers_count(timers), 1);
    timers_free(timers);
}

enum { IDS = 3000, ROUNDS = 60000 };

/* The same calls on a plain array of due times, 0 = none. */
static int64_t model[IDS];

static int64_t model_next(void)
{
    int64_t next = 0;
    for (int i = 0; i < IDS; i++) {
        if (model[i] != 0 && (next == 0 || model[i] < next)) next = model[i];
    }
    return next;
}

static void random_calls_agree_with_a_plain_list(void **state)
{
    (void)state;
    struct timers *timers = timers_new();
    uint64_t random = 42;
    size_t count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        const uint32_t number = (uint32_t)(random >> 33) % IDS;
        const struct uuid id = id_of(number);
        const int64_t due = (random >> 20) % 4 == 0 ? 0 : 1 + (int64_t)((random >> 24) % 100000);
        count += (due != 0) - (size_t)(model[number] != 0);
        model[number] = due;
        timers_set(timers, &id, due, 0);
        if (round % 1000 == 0) assert_int_equal(timers_next(timers), model_next());
        assert_int_equal(timers_count(timers), count);
    }
    struct uuid id;
    int64_t due = 0;
    while (timers_pop(timers, INT64_MAX, &id, &due)) {
        uint32_t number = 0;
        memcpy(&number, id.byte, sizeof number);
        assert_int_equal(model[number], due);
        model[number] = 0;
    }
    assert_int_equal(model_next(), 0);
    timers_free(timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_in_the_order_of_the_due_times),
        cmocka_unit_test(nothing_fires_before_it_is_due),
        cmocka_unit_test(setting_again_moves_the_one_entry),
        cmocka_unit_test(what_is_due_beyond_the_horizon_is_not_held),
        cmocka_unit_test(random_calls_agree_with_a_plain_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
