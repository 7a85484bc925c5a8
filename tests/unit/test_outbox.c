/*
 * tests/unit/test_outbox.c
 *   No unsent saga is lost, none is sent in a hurry again and again.
 */
#include "orchestrator/base/clock.h"
#include "orchestrator/engine/outbox.h"

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

static size_t take(struct outbox *outbox, int64_t later_ms)
{
    struct uuid ids[100];
    return outbox_take(outbox, clock_monotonic_ms() + later_ms, ids, 100);
}

static void the_outbox_keeps_each_id_once_and_loses_none(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    static bool taken[MANY];
    struct outbox *outbox = outbox_new();
    for (uint32_t i = 0; i < 2 * MANY; i++) {
        const struct uuid id = id_of(i % MANY);
        outbox_add(outbox, &id);
    }
    assert_int_equal(outbox_count(outbox), MANY);

    struct uuid ids[700];
    size_t count = 0;
    while ((count = outbox_take(outbox, clock_monotonic_ms(), ids, 700)) > 0) {
        for (size_t i = 0; i < count; i++) {
            uint32_t number = 0;
            memcpy(&number, ids[i].byte, sizeof number);
            assert_false(taken[number]);
            taken[number] = true;
            assert_int_equal(outbox_find(outbox, &ids[i]), OUTBOX_WAITING);
            outbox_sent(outbox, &ids[i]);
            assert_int_equal(outbox_find(outbox, &ids[i]), OUTBOX_NOT);
        }
    }

    for (int i = 0; i < MANY; i++) {
        assert_true(taken[i]);
    }
    assert_int_equal(outbox_count(outbox), 0);
    assert_int_equal(outbox_since_ms(outbox), 0);
    outbox_free(outbox);
}

static void what_comes_back_waits_longer_each_time(void **state)
{
    (void)state;
    struct outbox *outbox = outbox_new();
    const struct uuid id = id_of(1);
    outbox_add(outbox, &id);

    int64_t waited_ms[6];
    for (int i = 0; i < 6; i++) {
        waited_ms[i] = 0;
        while (take(outbox, waited_ms[i]) == 0) {
            waited_ms[i] += 100;
        }
        outbox_sent(outbox, &id);
        outbox_add(outbox, &id);
    }

    assert_int_equal(waited_ms[0], 0);
    for (int i = 1; i < 6; i++) {
        assert_true(waited_ms[i] > 3 * waited_ms[i - 1] / 2);
    }
    assert_int_equal(outbox_find(outbox, &id), OUTBOX_BOUNCING);
    outbox_free(outbox);
}

static void nobody_waits_once_the_broker_is_back(void **state)
{
    (void)state;
    struct outbox *outbox = outbox_new();
    const struct uuid id = id_of(1);
    for (int i = 0; i < 5; i++) {
        outbox_add(outbox, &id);
        (void)take(outbox, 60000);
        outbox_sent(outbox, &id);
    }
    outbox_add(outbox, &id);
    assert_int_equal(take(outbox, 100), 0);

    outbox_hurry(outbox);

    assert_int_equal(outbox_find(outbox, &id), OUTBOX_WAITING);
    assert_int_equal(take(outbox, 0), 1);
    outbox_free(outbox);
}

/* The resend that is under way makes its commands from what is stored when it is decided. */
static void what_is_added_while_it_is_taken_is_sent_once(void **state)
{
    (void)state;
    struct outbox *outbox = outbox_new();
    const struct uuid id = id_of(1);
    outbox_add(outbox, &id);
    assert_int_equal(take(outbox, 0), 1);

    outbox_add(outbox, &id);

    assert_int_equal(take(outbox, 1000), 0);
    assert_int_equal(outbox_count(outbox), 1);
    outbox_sent(outbox, &id);
    assert_int_equal(outbox_count(outbox), 0);
    outbox_free(outbox);
}

static void what_was_taken_and_never_sent_comes_out_again(void **state)
{
    (void)state;
    struct outbox *outbox = outbox_new();
    const struct uuid id = id_of(1);
    outbox_add(outbox, &id);
    assert_int_equal(take(outbox, 0), 1);

    assert_int_equal(take(outbox, 10 * 60 * 1000), 1);
    outbox_free(outbox);
}

static void what_was_sent_is_forgotten_in_the_end(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    struct outbox *outbox = outbox_new();
    for (uint32_t i = 0; i < MANY; i++) {
        const struct uuid id = id_of(i);
        outbox_add(outbox, &id);
    }
    while (take(outbox, 0) > 0) {
    }
    for (uint32_t i = 0; i < MANY; i++) {
        const struct uuid id = id_of(i);
        outbox_sent(outbox, &id);
    }

    assert_int_equal(take(outbox, 2 * 60 * 1000), 0);
    for (uint32_t i = 0; i < MANY; i++) {
        const struct uuid id = id_of(i);
        outbox_add(outbox, &id); /* as if never seen: it need not wait */
    }
    size_t count = 0;
    size_t taken = 0;
    while ((taken = take(outbox, 0)) > 0) {
        count += taken;
    }
    assert_int_equal(count, MANY);
    outbox_free(outbox);
}

/* ---- the topics that are looked at ---- */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_outbox_keeps_each_id_once_and_loses_none),
        cmocka_unit_test(what_comes_back_waits_longer_each_time),
        cmocka_unit_test(nobody_waits_once_the_broker_is_back),
        cmocka_unit_test(what_is_added_while_it_is_taken_is_sent_once),
        cmocka_unit_test(what_was_taken_and_never_sent_comes_out_again),
        cmocka_unit_test(what_was_sent_is_forgotten_in_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
