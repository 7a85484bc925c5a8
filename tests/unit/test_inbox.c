/*
 * tests/unit/test_inbox.c
 *   Only the run of records without a gap may be committed; what was processed is passed over.
 */
#include "orchestrator/engine/inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

struct stored {
    int64_t offset; /* -1: none */
    int times;
};

static void on_store(void *context, struct bytes topic, int32_t partition, int64_t offset)
{
    struct stored *stored = context;
    assert_true(bytes_equal(topic, TOPIC));
    assert_int_equal(partition, 0);
    stored->offset = offset;
    stored->times++;
}

/* What is stored after these offsets are done; -1: nothing. */
static int64_t stored_after(struct inbox *inbox, const int64_t *offsets, size_t count)
{
    struct stored stored = {.offset = -1};
    for (size_t i = 0; i < count; i++) {
        inbox_done(inbox, TOPIC, 0, offsets[i]);
    }
    inbox_store_grown(inbox, on_store, &stored);
    assert_true(stored.times <= 1);
    return stored.offset;
}

static void an_offset_is_stored_only_when_all_before_it_are_done(void **state)
{
    (void)state;
    struct inbox *inbox = given_an_inbox(NULL, 0);
    come(inbox, 10, 13);

    assert_int_equal(stored_after(inbox, (int64_t[]){11, 13}, 2), -1);
    assert_int_equal(stored_after(inbox, (int64_t[]){10}, 1), 11);
    assert_int_equal(stored_after(inbox, (int64_t[]){12}, 1), 13);
    inbox_free(inbox);
}

static void what_was_stored_is_not_stored_again(void **state)
{
    (void)state;
    struct inbox *inbox = given_an_inbox(NULL, 0);
    come(inbox, 10, 11);

    assert_int_equal(stored_after(inbox, (int64_t[]){10}, 1), 10);
    assert_int_equal(stored_after(inbox, (int64_t[]){10}, 1), -1);
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
    come(inbox, 10, 12);
    inbox_done(inbox, TOPIC, 0, 10);

    assert_int_equal(inbox_ranges(inbox, 1000, &range, 1), 1);
    assert_int_equal(range.first_offset, 10);
    assert_int_equal(range.last_offset, 10);
    assert_int_equal(inbox_ranges(inbox, 5000, &range, 1), 0);
    inbox_done(inbox, TOPIC, 0, 11);
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
    come(inbox, 1, 2);
    inbox_done(inbox, TOPIC, 0, 1);
    inbox_revoke(inbox, TOPIC, 0);

    assert_int_equal(stored_after(inbox, (int64_t[]){2}, 1), -1);
    inbox_free(inbox);
}

/* Between the two, another node may have read what lies in between, and not have dealt with it. */
static void a_range_never_spans_two_assignments(void **state)
{
    (void)state;
    struct inbox *inbox = given_an_inbox(NULL, 0);
    struct processed_write range;
    come(inbox, 1, 2);
    (void)stored_after(inbox, (int64_t[]){1, 2}, 2);
    inbox_revoke(inbox, TOPIC, 0);
    inbox_assign(inbox, TOPIC, 0, NULL, 0);
    come(inbox, 50, 50);
    (void)stored_after(inbox, (int64_t[]){50}, 1);

    assert_int_equal(inbox_ranges(inbox, 1000, &range, 1), 1);
    assert_int_equal(range.first_offset, 50);
    assert_int_equal(range.last_offset, 50);
    inbox_free(inbox);
}

/* Records of before are still under way when the first ones of the new topic come. */
static void a_topic_made_anew_starts_from_its_first_offset(void **state)
{
    (void)state;
    struct inbox *inbox = given_an_inbox(NULL, 0);
    struct processed_write range;
    come(inbox, 100, 101);
    (void)stored_after(inbox, (int64_t[]){100}, 1);
    come(inbox, 0, 1);

    assert_int_equal(stored_after(inbox, (int64_t[]){0, 1}, 2), 1);
    assert_int_equal(stored_after(inbox, (int64_t[]){101}, 1), -1);
    assert_int_equal(inbox_ranges(inbox, 1000, &range, 1), 1);
    assert_int_equal(range.first_offset, 0);
    assert_int_equal(range.last_offset, 1);
    inbox_free(inbox);
}

/* After a rebalance the same record may be on its way twice. */
static void a_record_that_came_twice_is_stored_once(void **state)
{
    (void)state;
    struct inbox *inbox = given_an_inbox(NULL, 0);
    come(inbox, 5, 6);
    inbox_revoke(inbox, TOPIC, 0);
    inbox_assign(inbox, TOPIC, 0, NULL, 0);
    come(inbox, 5, 6);

    assert_int_equal(stored_after(inbox, (int64_t[]){6}, 1), -1);
    assert_int_equal(stored_after(inbox, (int64_t[]){5}, 1), 6);
    assert_int_equal(stored_after(inbox, (int64_t[]){5, 6}, 2), -1);
    inbox_free(inbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offset_is_stored_only_when_all_before_it_are_done),
        cmocka_unit_test(what_was_stored_is_not_stored_again),
        cmocka_unit_test(a_record_processed_in_an_earlier_life_is_passed_over),
        cmocka_unit_test(the_same_offset_of_a_new_topic_is_not_passed_over),
        cmocka_unit_test(a_range_grows_from_the_same_first_offset),
        cmocka_unit_test(a_partition_that_was_taken_away_stores_nothing),
        cmocka_unit_test(a_range_never_spans_two_assignments),
        cmocka_unit_test(a_topic_made_anew_starts_from_its_first_offset),
        cmocka_unit_test(a_record_that_came_twice_is_stored_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
