/* What a schedule does with its times: catching up, overlap, pauses. An hourly one, in UTC. */
#include "sagas/calendar/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct zone UTC;
static struct cron hourly;

enum { SECOND_MS = 1000, HOUR_MS = 3600 * SECOND_MS };
static const int64_t NOON = 1767614400000;
#define AT(hours) (NOON + (int64_t)(hours)*HOUR_MS)

struct scene {
    struct schedule_rules rules;
    struct schedule_state state;
    bool is_open;
    struct schedule_turn turn;
};

static struct scene given(enum catch_up catch_up, enum overlap overlap)
{
    char fault[CRON_FAULT_SIZE];
    assert_true(cron_parse(BYTES("@hourly"), &hourly, fault));
    return (struct scene){
        .rules = {&hourly,   &UTC, catch_up, 24 * (int64_t)HOUR_MS, overlap, false},
        .state = {.next_at_ms = NOON},
    };
}

/* One turn at a moment, carried out. */
static void turn(struct scene *scene, int64_t now_ms)
{
    schedule_decide(&scene->rules, &scene->state, scene->is_open, now_ms, &scene->turn);
    scene->state = scene->turn.after;
}

static void assert_starts(struct scene *scene, int64_t now_ms, int64_t expected_ms)
{
    turn(scene, now_ms);
    assert_int_equal(scene->turn.start_at_ms, expected_ms);
}

static void assert_given_up(const struct scene *scene, uint32_t missed, uint32_t skipped)
{
    assert_int_equal(scene->turn.missed, missed);
    assert_int_equal(scene->turn.skipped, skipped);
}

static void nothing_happens_before_its_time(void **state)
{
    (void)state;
    struct scene scene = given(CATCH_UP_ALL, OVERLAP_ALLOW);

    assert_starts(&scene, NOON - 1, 0);

    assert_int_equal(scene.turn.wake_at_ms, NOON);
    assert_given_up(&scene, 0, 0);
}

static void a_time_that_came_is_started_and_the_next_one_awaited(void **state)
{
    (void)state;
    for (int catch_up = 0; catch_up < CATCH_UP_COUNT; catch_up++) {
        for (int overlap = 0; overlap < OVERLAP_COUNT; overlap++) {
            struct scene scene = given((enum catch_up)catch_up, (enum overlap)overlap);

            assert_starts(&scene, NOON + 300, NOON);

            assert_int_equal(scene.state.next_at_ms, AT(1));
            assert_int_equal(scene.turn.wake_at_ms, AT(1));
            assert_given_up(&scene, 0, 0);
        }
    }
}

static void without_catching_up_only_what_is_on_time_is_started(void **state)
{
    (void)state;
    struct scene scene = given(CATCH_UP_NONE, OVERLAP_ALLOW);

    assert_starts(&scene, AT(3) + 5 * SECOND_MS, AT(3));

    assert_given_up(&scene, 3, 0);
    assert_int_equal(scene.turn.missed_until_ms, AT(2));
    assert_starts(&scene, AT(4) + 11 * SECOND_MS, 0);
    assert_given_up(&scene, 1, 0);
    assert_int_equal(scene.turn.wake_at_ms, AT(5));
}

static void one_is_started_for_all_that_were_missed(void **state)
{
    (void)state;
    struct scene scene = given(CATCH_UP_ONE, OVERLAP_ALLOW);

    assert_starts(&scene, AT(5) + HOUR_MS / 2, AT(5));

    assert_given_up(&scene, 5, 0);
    assert_int_equal(scene.state.next_at_ms, AT(6));
}

static void all_that_were_missed_are_started_in_order(void **state)
{
    (void)state;
    struct scene scene = given(CATCH_UP_ALL, OVERLAP_ALLOW);
    const int64_t now_ms = AT(3) + HOUR_MS / 2;

    for (int i = 0; i <= 3; i++) {
        assert_starts(&scene, now_ms, AT(i));
        assert_int_equal(scene.turn.wake_at_ms, i < 3 ? now_ms : AT(4));
        assert_given_up(&scene, 0, 0);
    }
    assert_starts(&scene, now_ms, 0);
}

static void what_is_older_than_the_window_is_never_caught_up(void **state)
{
    (void)state;
    struct scene one = given(CATCH_UP_ONE, OVERLAP_ALLOW);
    struct scene all = given(CATCH_UP_ALL, OVERLAP_ALLOW);
    all.rules.window_ms = one.rules.window_ms = 2 * (int64_t)HOUR_MS;

    assert_starts(&all, AT(10), AT(8));
    assert_given_up(&all, 8, 0);

    one.rules.window_ms = HOUR_MS / 4;
    assert_starts(&one, AT(10) + HOUR_MS / 2, 0);
    assert_given_up(&one, 11, 0);
}

static void years_of_missed_minutes_are_passed_over_at_once(void **state)
{
    (void)state;
    struct scene scene = given(CATCH_UP_NONE, OVERLAP_ALLOW);
    char fault[CRON_FAULT_SIZE];
    assert_true(cron_parse(BYTES("* * * * *"), &hourly, fault));

    assert_starts(&scene, AT(10 * 365 * 24) + 30 * SECOND_MS, 0);

    assert_given_up(&scene, SCHEDULE_COUNT_MAX, 0);
    assert_int_equal(scene.state.next_at_ms, AT(10 * 365 * 24) + 60 * SECOND_MS);
}

static void an_open_saga_skips_what_comes_meanwhile(void **state)
{
    (void)state;
    struct scene scene = given(CATCH_UP_ALL, OVERLAP_SKIP);
    scene.is_open = true;

    assert_starts(&scene, AT(2), 0);
    assert_given_up(&scene, 0, 3);
    assert_int_equal(scene.turn.skipped_until_ms, AT(2));
    assert_int_equal(scene.turn.wake_at_ms, AT(3));

    scene.is_open = false;
    assert_starts(&scene, AT(3), AT(3));
}

static void an_open_saga_does_not_matter_where_overlap_is_allowed(void **state)
{
    (void)state;
    struct scene scene = given(CATCH_UP_NONE, OVERLAP_ALLOW);
    scene.is_open = true;

    assert_starts(&scene, NOON, NOON);
}

static void a_queue_starts_one_after_the_other(void **state)
{
    (void)state;
    struct scene scene = given(CATCH_UP_ALL, OVERLAP_QUEUE);
    scene.is_open = true;

    assert_starts(&scene, AT(1), 0);
    assert_int_equal(scene.state.waiting_count, 2);
    assert_int_equal(scene.turn.wake_at_ms, AT(1) + SCHEDULE_LOOK_MS);
    assert_starts(&scene, AT(1) + 5, 0);

    scene.is_open = false;
    assert_starts(&scene, AT(1) + HOUR_MS / 2, NOON);
    assert_starts(&scene, AT(1) + HOUR_MS / 2, AT(1));
    assert_int_equal(scene.turn.wake_at_ms, AT(2));
    assert_given_up(&scene, 0, 0);
}

static void a_queue_is_bounded_and_what_came_first_stays(void **state)
{
    (void)state;
    struct scene scene = given(CATCH_UP_NONE, OVERLAP_QUEUE);
    scene.is_open = true;
    uint32_t skipped = 0;

    for (int i = 0; i < SCHEDULE_WAITING_MAX + 3; i++) {
        assert_starts(&scene, AT(i), 0);
        skipped += scene.turn.skipped;
    }

    assert_int_equal(skipped, 3);
    assert_int_equal(scene.state.waiting_count, SCHEDULE_WAITING_MAX);
    assert_int_equal(scene.state.waiting[0], NOON);
}

static void a_paused_schedule_starts_only_what_is_triggered(void **state)
{
    (void)state;
    struct scene scene = given(CATCH_UP_ALL, OVERLAP_QUEUE);
    scene.rules.paused = true;
    scene.state.waiting[0] = AT(-1);
    scene.state.waiting[1] = schedule_trigger_time(AT(1));
    scene.state.waiting_count = 2;

    assert_starts(&scene, AT(2), AT(1) + 1);
    assert_starts(&scene, AT(2), 0);

    assert_int_equal(scene.state.waiting_count, 1);
    assert_int_equal(scene.state.next_at_ms, NOON);
    assert_int_equal(scene.turn.wake_at_ms, 0);
}

static void what_is_triggered_goes_before_what_is_due(void **state)
{
    (void)state;
    struct scene scene = given(CATCH_UP_NONE, OVERLAP_ALLOW);
    scene.state.waiting[0] = schedule_trigger_time(NOON - 500);
    scene.state.waiting_count = 1;

    assert_starts(&scene, NOON + 20, NOON - 500);
    assert_starts(&scene, NOON + 20, NOON);
}

static void a_clock_that_goes_back_starts_nothing_again(void **state)
{
    (void)state;
    struct scene scene = given(CATCH_UP_ALL, OVERLAP_ALLOW);
    assert_starts(&scene, AT(1), NOON);
    assert_starts(&scene, AT(1), AT(1));

    assert_starts(&scene, NOON, 0);

    assert_int_equal(scene.turn.wake_at_ms, AT(2));
}

static void passing_over_counts_what_was_missed(void **state)
{
    (void)state;
    struct scene scene = given(CATCH_UP_NONE, OVERLAP_ALLOW);
    uint32_t missed = 0;

    schedule_pass_over(&scene.rules, &scene.state, AT(4), &missed);

    assert_int_equal(missed, 5);
    assert_int_equal(scene.state.next_at_ms, AT(5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_happens_before_its_time),
        cmocka_unit_test(a_time_that_came_is_started_and_the_next_one_awaited),
        cmocka_unit_test(without_catching_up_only_what_is_on_time_is_started),
        cmocka_unit_test(one_is_started_for_all_that_were_missed),
        cmocka_unit_test(all_that_were_missed_are_started_in_order),
        cmocka_unit_test(what_is_older_than_the_window_is_never_caught_up),
        cmocka_unit_test(years_of_missed_minutes_are_passed_over_at_once),
        cmocka_unit_test(an_open_saga_skips_what_comes_meanwhile),
        cmocka_unit_test(an_open_saga_does_not_matter_where_overlap_is_allowed),
        cmocka_unit_test(a_queue_starts_one_after_the_other),
        cmocka_unit_test(a_queue_is_bounded_and_what_came_first_stays),
        cmocka_unit_test(a_paused_schedule_starts_only_what_is_triggered),
        cmocka_unit_test(what_is_triggered_goes_before_what_is_due),
        cmocka_unit_test(a_clock_that_goes_back_starts_nothing_again),
        cmocka_unit_test(passing_over_counts_what_was_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
