/*
 * tests/unit/test_flow.c
 *   The controllers of a topic: circuit, budget of retries, window. Their time is ours.
 */
#include "orchestrator/engine/flow/circuit.h"
#include "orchestrator/engine/flow/retry_budget.h"
#include "orchestrator/engine/flow/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { START_MS = 1000000, TICK_MS = 100 };

/* ---- circuit ---- */

static struct circuit opened(void)
{
    struct circuit circuit = {0};
    circuit_note(&circuit, START_MS, 0, CIRCUIT_LEAST);
    assert_int_equal(circuit.state, CIRCUIT_OPEN);
    return circuit;
}

static struct circuit half_opened(void)
{
    struct circuit circuit = opened();
    circuit_note(&circuit, START_MS + CIRCUIT_WAIT_MS, 0, 0);
    assert_int_equal(circuit.state, CIRCUIT_HALF_OPEN);
    return circuit;
}

static void a_few_failures_open_no_circuit(void **state)
{
    (void)state;
    struct circuit circuit = {0};

    circuit_note(&circuit, START_MS, 0, CIRCUIT_LEAST - 1);

    assert_int_equal(circuit.state, CIRCUIT_CLOSED);
    assert_int_equal(circuit_bad_percent(&circuit), 100);
}

static void a_circuit_opens_when_nearly_all_comes_to_nothing(void **state)
{
    (void)state;
    struct circuit circuit = {0};

    circuit_note(&circuit, START_MS, 10, 89);
    assert_int_equal(circuit.state, CIRCUIT_CLOSED);
    circuit_note(&circuit, START_MS, 0, 1);
    assert_int_equal(circuit.state, CIRCUIT_OPEN);
}

static void what_was_long_ago_does_not_count(void **state)
{
    (void)state;
    struct circuit circuit = {0};
    circuit_note(&circuit, START_MS, 0, CIRCUIT_LEAST - 1);

    circuit_note(&circuit, START_MS + CIRCUIT_SLOTS * CIRCUIT_SLOT_MS, 0, 1);

    assert_int_equal(circuit.state, CIRCUIT_CLOSED);
}

static void an_open_circuit_finds_out_after_a_while(void **state)
{
    (void)state;
    struct circuit circuit = opened();

    assert_false(circuit_may_probe(&circuit));
    circuit_note(&circuit, START_MS + CIRCUIT_WAIT_MS - 1, 0, 0);
    assert_int_equal(circuit.state, CIRCUIT_OPEN);
    circuit_note(&circuit, START_MS + CIRCUIT_WAIT_MS, 0, 0);
    assert_int_equal(circuit.state, CIRCUIT_HALF_OPEN);
}

static void a_late_answer_ends_the_wait(void **state)
{
    (void)state;
    struct circuit circuit = opened();

    circuit_note(&circuit, START_MS + CIRCUIT_WAIT_LEAST_MS - 1, 1, 0);
    assert_int_equal(circuit.state, CIRCUIT_OPEN);
    circuit_note(&circuit, START_MS + CIRCUIT_WAIT_LEAST_MS, 1, 0);
    assert_int_equal(circuit.state, CIRCUIT_HALF_OPEN);
}

static void a_half_open_circuit_lets_a_few_through(void **state)
{
    (void)state;
    struct circuit circuit = half_opened();
    int let = 0;
    while (circuit_may_probe(&circuit)) {
        let++;
    }

    assert_int_equal(let, CIRCUIT_PROBES);
    circuit_note(&circuit, START_MS + CIRCUIT_WAIT_MS + 1, 1, 0);
    assert_true(circuit_may_probe(&circuit));
}

static void good_answers_close_it_and_a_bad_one_opens_it_for_longer(void **state)
{
    (void)state;
    struct circuit circuit = half_opened();
    int64_t now_ms = START_MS + CIRCUIT_WAIT_MS;

    circuit_note(&circuit, ++now_ms, 1, 1);
    assert_int_equal(circuit.state, CIRCUIT_OPEN);
    circuit_note(&circuit, now_ms + CIRCUIT_WAIT_MS, 0, 0);
    assert_int_equal(circuit.state, CIRCUIT_OPEN);
    now_ms += 2 * CIRCUIT_WAIT_MS;
    circuit_note(&circuit, now_ms, 0, 0);
    assert_int_equal(circuit.state, CIRCUIT_HALF_OPEN);
    circuit_note(&circuit, ++now_ms, CIRCUIT_PROBES, 0);
    assert_int_equal(circuit.state, CIRCUIT_CLOSED);
    assert_int_equal(circuit_bad_percent(&circuit), -1);
}

static void the_wait_has_an_end(void **state)
{
    (void)state;
    struct circuit circuit = half_opened();
    int64_t now_ms = START_MS + CIRCUIT_WAIT_MS;
    for (int i = 0; i < 20; i++) {
        circuit_note(&circuit, ++now_ms, 0, 1);
        assert_int_equal(circuit.state, CIRCUIT_OPEN);
        now_ms += CIRCUIT_WAIT_MAX_MS;
        circuit_note(&circuit, now_ms, 0, 0);
        assert_int_equal(circuit.state, CIRCUIT_HALF_OPEN);
    }
}

/* Those that were to find out may have ended without an answer. */
static void others_are_sent_where_nothing_is_heard(void **state)
{
    (void)state;
    struct circuit circuit = half_opened();
    while (circuit_may_probe(&circuit)) {
    }

    circuit_note(&circuit, START_MS + 2 * CIRCUIT_WAIT_MS, 0, 0);

    assert_int_equal(circuit.state, CIRCUIT_HALF_OPEN);
    assert_true(circuit_may_probe(&circuit));
}

static void a_clock_that_jumps_does_no_harm(void **state)
{
    (void)state;
    struct circuit circuit = {0};
    circuit_note(&circuit, START_MS, 0, 5);

    circuit_note(&circuit, 0, 5, 0);

    assert_int_equal(circuit.state, CIRCUIT_CLOSED);
}

/* ---- budget ---- */

static int taken(struct retry_budget *budget)
{
    int count = 0;
    while (retry_budget_take(budget)) {
        count++;
    }
    return count;
}

static void retries_are_a_tenth_of_first_attempts(void **state)
{
    (void)state;
    struct retry_budget budget = {0};
    retry_budget_note(&budget, START_MS, 0);
    (void)taken(&budget);

    retry_budget_note(&budget, START_MS, 500);

    assert_int_equal(taken(&budget), 50);
}

static void little_is_saved_up(void **state)
{
    (void)state;
    struct retry_budget budget = {0};
    for (int i = 0; i < 3600; i++) {
        retry_budget_note(&budget, START_MS + i * 1000, 10000);
    }
    assert_int_equal(taken(&budget), BUDGET_SAVED_MAX);
}

static void a_lone_saga_is_still_retried(void **state)
{
    (void)state;
    struct retry_budget budget = {0};
    retry_budget_note(&budget, START_MS, 0);
    (void)taken(&budget);
    int got = 0;
    for (int64_t now_ms = START_MS; now_ms <= START_MS + 10000; now_ms += TICK_MS) {
        retry_budget_note(&budget, now_ms, 0);
        got += taken(&budget);
    }
    assert_int_equal(got, 10 * BUDGET_TRICKLE_PER_S);
}

static void over_a_long_outage_retries_stay_below_a_tenth(void **state)
{
    (void)state;
    struct retry_budget budget = {0};
    int64_t firsts = 0;
    int64_t retries = 0;
    for (int64_t now_ms = START_MS; now_ms < START_MS + 60000; now_ms += TICK_MS) {
        retry_budget_note(&budget, now_ms, 100);
        firsts += 100;
        retries += taken(&budget);
    }
    const int64_t floor = BUDGET_SAVED_MAX + 60 * BUDGET_TRICKLE_PER_S;
    assert_true(retries <= firsts / 10 + floor);
    assert_true(retries >= firsts / 10);
}

/* ---- window ---- */

static struct window a_window(uint32_t ceiling)
{
    struct window window;
    window_begin(&window, ceiling);
    return window;
}

/* Ticks in which the window is full and all is answered after `latency_ms`. */
static void answered(struct window *window, int64_t *now_ms, int ticks, int64_t latency_ms)
{
    for (int i = 0; i < ticks; i++) {
        *now_ms += TICK_MS;
        window_note(window, &(struct window_sample){.now_ms = *now_ms,
                                                    .good = 100,
                                                    .latency_ms = latency_ms,
                                                    .timeout_ms = 30000,
                                                    .outstanding = window->limit,
                                                    .lag = -1});
    }
}

static void what_is_answered_in_time_opens_the_window_within_a_second(void **state)
{
    (void)state;
    struct window window = a_window(100000);
    int64_t now_ms = START_MS;

    answered(&window, &now_ms, 10, 900);

    assert_int_equal(window.limit, 100000);
}

static void what_nobody_answers_yet_is_not_throttled(void **state)
{
    (void)state;
    struct window window = a_window(100000);
    for (int i = 0; i < 10; i++) {
        window_note(&window,
                    &(struct window_sample){.now_ms = START_MS, .outstanding = window.limit});
    }
    assert_int_equal(window.limit, 100000);
}

static void a_window_that_is_not_full_stays_as_it_is(void **state)
{
    (void)state;
    struct window window = a_window(100000);

    window_note(&window,
                &(struct window_sample){
                    .now_ms = START_MS, .good = 1000, .latency_ms = 10, .outstanding = 50});

    assert_int_equal(window.limit, WINDOW_FIRST);
}

static void answers_that_come_late_close_it_down_to_the_floor(void **state)
{
    (void)state;
    struct window window = a_window(100000);
    int64_t now_ms = START_MS;
    answered(&window, &now_ms, 5, 100);

    answered(&window, &now_ms, 1, 5000);
    const uint32_t once = window.limit;
    answered(&window, &now_ms, 1, 5000); /* at most once a second */
    assert_int_equal(window.limit, once);
    answered(&window, &now_ms, 250, 5000);
    assert_int_equal(window.limit, WINDOW_FLOOR);
    answered(&window, &now_ms, 1, 100);
    assert_true(window.limit > WINDOW_FLOOR);
}

static void a_participant_that_is_always_slow_is_not_throttled(void **state)
{
    (void)state;
    struct window window = a_window(100000);
    int64_t now_ms = START_MS;

    answered(&window, &now_ms, 10, 8000); /* of 30 s */

    assert_int_equal(window.limit, 100000);
}

static void bad_answers_close_it(void **state)
{
    (void)state;
    struct window window = a_window(100000);

    window_note(&window, &(struct window_sample){
                             .now_ms = START_MS, .good = 70, .bad = 30, .latency_ms = 10});

    assert_true(window.limit < WINDOW_FIRST);
}

static void what_would_take_long_to_be_read_closes_it(void **state)
{
    (void)state;
    struct window window = a_window(100000);

    window_note(
        &window,
        &(struct window_sample){
            .now_ms = START_MS, .good = 10, .latency_ms = 10, .lag = 5000, .read_per_s = 100});

    assert_true(window.limit < WINDOW_FIRST);
}

static void the_ceiling_goes_before_the_floor(void **state)
{
    (void)state;
    struct window window = a_window(5);
    int64_t now_ms = START_MS;
    answered(&window, &now_ms, 50, 10);
    assert_int_equal(window.limit, 5);
    answered(&window, &now_ms, 50, 20000);
    assert_int_equal(window.limit, 5);
}

static void after_an_outage_it_feels_its_way(void **state)
{
    (void)state;
    struct window window = a_window(100000);
    int64_t now_ms = START_MS;

    window_restart(&window);

    assert_int_equal(window.limit, WINDOW_FLOOR);
    answered(&window, &now_ms, 8, 10); /* doubling */
    assert_int_equal(window.limit, WINDOW_FIRST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_failures_open_no_circuit),
        cmocka_unit_test(a_circuit_opens_when_nearly_all_comes_to_nothing),
        cmocka_unit_test(what_was_long_ago_does_not_count),
        cmocka_unit_test(an_open_circuit_finds_out_after_a_while),
        cmocka_unit_test(a_late_answer_ends_the_wait),
        cmocka_unit_test(a_half_open_circuit_lets_a_few_through),
        cmocka_unit_test(good_answers_close_it_and_a_bad_one_opens_it_for_longer),
        cmocka_unit_test(the_wait_has_an_end),
        cmocka_unit_test(others_are_sent_where_nothing_is_heard),
        cmocka_unit_test(a_clock_that_jumps_does_no_harm),
        cmocka_unit_test(retries_are_a_tenth_of_first_attempts),
        cmocka_unit_test(little_is_saved_up),
        cmocka_unit_test(a_lone_saga_is_still_retried),
        cmocka_unit_test(over_a_long_outage_retries_stay_below_a_tenth),
        cmocka_unit_test(what_is_answered_in_time_opens_the_window_within_a_second),
        cmocka_unit_test(what_nobody_answers_yet_is_not_throttled),
        cmocka_unit_test(a_window_that_is_not_full_stays_as_it_is),
        cmocka_unit_test(answers_that_come_late_close_it_down_to_the_floor),
        cmocka_unit_test(a_participant_that_is_always_slow_is_not_throttled),
        cmocka_unit_test(bad_answers_close_it),
        cmocka_unit_test(what_would_take_long_to_be_read_closes_it),
        cmocka_unit_test(the_ceiling_goes_before_the_floor),
        cmocka_unit_test(after_an_outage_it_feels_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
