/* How many starts may be under way. */
#include "api/admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { TICK_MS = 100, TICKS = 100 };

/* As the clock thread does: so many are answered between two ticks, none refused. */
static void live(struct admission *admission, int64_t *now_ms, size_t each_tick)
{
    for (int i = 0; i < TICKS; i++) {
        admission_enter(admission, each_tick);
        admission_leave(admission, each_tick);
        *now_ms += TICK_MS;
        admission_tick(admission, *now_ms);
    }
}

static void before_the_speed_is_known_a_small_number_is_let_in(void **state)
{
    (void)state;
    struct admission admission;
    admission_init(&admission, 0);

    admission_enter(&admission, ADMISSION_MIN - 1);
    assert_true(admission_has_room(&admission));
    admission_enter(&admission, 1);
    assert_false(admission_has_room(&admission));
    admission_leave(&admission, 1);
    assert_true(admission_has_room(&admission));
}

static void as_many_are_let_in_as_were_answered_in_half_a_second(void **state)
{
    (void)state;
    struct admission admission;
    int64_t now_ms = 0;
    admission_init(&admission, now_ms);

    live(&admission, &now_ms, 2000); /* 20,000 a second */

    assert_in_range(atomic_load(&admission.limit), 9900, 10000);
}

static void little_to_do_does_not_count_as_slow(void **state)
{
    (void)state;
    struct admission admission;
    int64_t now_ms = 0;
    admission_init(&admission, now_ms);
    live(&admission, &now_ms, 2000);

    live(&admission, &now_ms, 1);

    assert_in_range(atomic_load(&admission.limit), 9900, 10000);
}

static void what_slows_down_lets_fewer_in(void **state)
{
    (void)state;
    struct admission admission;
    int64_t now_ms = 0;
    admission_init(&admission, now_ms);
    live(&admission, &now_ms, 2000);

    admission_enter(&admission, 10000);
    for (int i = 0; i < TICKS; i++) {
        assert_false(admission_has_room(&admission));
        admission_enter(&admission, 600);
        admission_leave(&admission, 600);
        now_ms += TICK_MS;
        admission_tick(&admission, now_ms);
    }

    assert_in_range(atomic_load(&admission.limit), 3000, 3100);
}

static void where_nothing_is_answered_any_more_the_small_number_remains(void **state)
{
    (void)state;
    struct admission admission;
    int64_t now_ms = 0;
    admission_init(&admission, now_ms);
    live(&admission, &now_ms, 2000);

    admission_enter(&admission, 10000);
    for (int i = 0; i < TICKS; i++) {
        assert_false(admission_has_room(&admission));
        now_ms += TICK_MS;
        admission_tick(&admission, now_ms);
    }

    assert_int_equal(atomic_load(&admission.limit), ADMISSION_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_speed_is_known_a_small_number_is_let_in),
        cmocka_unit_test(as_many_are_let_in_as_were_answered_in_half_a_second),
        cmocka_unit_test(little_to_do_does_not_count_as_slow),
        cmocka_unit_test(what_slows_down_lets_fewer_in),
        cmocka_unit_test(where_nothing_is_answered_any_more_the_small_number_remains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
