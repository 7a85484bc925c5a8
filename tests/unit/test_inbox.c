/*
 * tests/unit/test_inbox.c
 *   Only the run of records without a gap may be committed; what was processed is passed over.
 */
#include "orchestrator/engine/inbox.h"
#include "orchestrator/engine/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static const struct bytes TOPIC = {"saga.replies", 12};

static struct inbox *given_an_inbox(const struct processed_row *rows, size_t count)
{
    struct inbox *inbox = inbox_new();
    inbox_assign(inbox, TOPIC, 0, rows, count);
    return inbox;
}

static void come(struct inbox *inbox, int64_t from, int64_t to)
{
    for (int64_t offset = from; offset <= to; offset++) {
        assert_true(inbox_begin(inbox, TOPIC, 0, offset, 1000 + offset));
    }
}

static void an_offset_is_stored_only_when_all_before_it_are_done(void **state)
{
    (void)state;
    struct inbox *inbox = given_an_inbox(NULL, 0);
    int64_t stored = -1;
    come(inbox, 10, 13);

    assert_false(inbox_done(inbox, TOPIC, 0, 11, &stored));
    assert_false(inbox_done(inbox, TOPIC, 0, 13, &stored));
    assert_true(inbox_done(inbox, TOPIC, 0, 10, &stored));
    assert_int_equal(stored, 11);
    assert_true(inbox_done(inbox, TOPIC, 0, 12, &stored));
    assert_int_equal(stored, 13);
    inbox_free(inbox);
}

static void a_record_processed_in_an_earlier_life_is_passed_over(void **state)
{
    (void)state;
    const struct processed_row row = {5, 9, 1005, 1009};
    struct inbox *inbox = given_an_inbox(&row, 1);

    assert_false(inbox_begin(inbox, TOPIC, 0, 7, 1007));
    assert_true(inbox_begin(inbox, TOPIC, 0, 10, 1010));
    inbox_free(inbox);
}

/* A topic that was deleted and made anew counts from 0 again, but its records are younger. */
static void the_same_offset_of_a_new_topic_is_not_passed_over(void **state)
{
    (void)state;
    const struct processed_row row = {5, 9, 1005, 1009};
    struct inbox *inbox = given_an_inbox(&row, 1);

    assert_true(inbox_begin(inbox, TOPIC, 0, 7, 5000));
    inbox_free(inbox);
}

static void a_range_grows_from_the_same_first_offset(void **state)
{
    (void)state;
    struct inbox *inbox = given_an_inbox(NULL, 0);
    struct processed_write range;
    int64_t stored = 0;
    come(inbox, 10, 12);
    inbox_done(inbox, TOPIC, 0, 10, &stored);

    assert_int_equal(inbox_ranges(inbox, 1000, &range, 1), 1);
    assert_int_equal(range.first_offset, 10);
    assert_int_equal(range.last_offset, 10);
    assert_int_equal(inbox_ranges(inbox, 5000, &range, 1), 0);
    inbox_done(inbox, TOPIC, 0, 11, &stored);
    assert_int_equal(inbox_ranges(inbox, 1100, &range, 1), 0);
    assert_int_equal(inbox_ranges(inbox, 2000, &range, 1), 1);
    assert_int_equal(range.first_offset, 10);
    assert_int_equal(range.last_offset, 11);
    assert_int_equal(range.last_at_ms, 1011);
    inbox_free(inbox);
}

static void a_partition_that_was_taken_away_stores_nothing(void **state)
{
    (void)state;
    struct inbox *inbox = given_an_inbox(NULL, 0);
    int64_t stored = -1;
    come(inbox, 1, 2);
    inbox_revoke(inbox, TOPIC, 0);

    assert_false(inbox_done(inbox, TOPIC, 0, 1, &stored));
    inbox_free(inbox);
}

/* ---- the outbox ---- */

static struct uuid id_of(uint32_t number)
{
    struct uuid id = {{0}};
    memcpy(id.byte, &number, sizeof number);
    return id;
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
    while ((count = outbox_take(outbox, ids, 700)) > 0) {
        for (size_t i = 0; i < count; i++) {
            uint32_t number = 0;
            memcpy(&number, ids[i].byte, sizeof number);
            assert_false(taken[number]);
            assert_false(outbox_has(outbox, &ids[i]));
            taken[number] = true;
        }
    }

    for (int i = 0; i < MANY; i++)
        assert_true(taken[i]);
    assert_int_equal(outbox_since_ms(outbox), 0);
    outbox_free(outbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offset_is_stored_only_when_all_before_it_are_done),
        cmocka_unit_test(a_record_processed_in_an_earlier_life_is_passed_over),
        cmocka_unit_test(the_same_offset_of_a_new_topic_is_not_passed_over),
        cmocka_unit_test(a_range_grows_from_the_same_first_offset),
        cmocka_unit_test(a_partition_that_was_taken_away_stores_nothing),
        cmocka_unit_test(the_outbox_keeps_each_id_once_and_loses_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
