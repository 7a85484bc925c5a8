/*
 * tests/integration/test_store_batches.c
 *   Batches at rest: what is frozen stays so, and nothing is counted twice.
 */
#include "orchestrator/store/operator_batch.h"
#include "tests/integration/store_fixture.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ITEMS_MAX = 5000, TIME_MS = 5000, HOLD_MS = 5000, HOLDER = 7, OTHER = 8 };

static struct saga_write sagas[ITEMS_MAX];

static void given_sagas(struct store *store, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sagas[i] = fresh_saga(given_id(), 1);
    }
    commit_fresh(store, sagas, count);
}

static struct operator_batch wish(void)
{
    return (struct operator_batch){
        .id = given_id(),
        .verb = BYTES("signal"),
        .name = BYTES("approved"),
        .payload = BYTES("{\"by\":\"ann\"}"),
        .filter = BYTES("{\"state\":\"running\"}"),
        .reason = BYTES("a test"),
        .actor = BYTES("key:tester"),
        .rate = 100,
    };
}

static const struct saga_filter RUNNING = {
    .states = (const enum saga_state[]){SAGA_RUNNING},
    .state_count = 1,
};

static struct operator_batch given_batch(struct store *store)
{
    const struct operator_batch batch = wish();
    struct operator_batch made;
    OK(store_batch_make(store, &batch, &(struct batch_source){.sagas = &RUNNING}, ITEMS_MAX,
                        TIME_MS, NULL, &err));
    OK(store_batch_load(store, &batch.id, &fixture_arena, &made, &err));
    return made;
}

static struct operator_batch reloaded(struct store *store, const struct operator_batch *batch)
{
    struct operator_batch now;
    OK(store_batch_load(store, &batch->id, &fixture_arena, &now, &err));
    return now;
}

static size_t held(struct store *store, int64_t holder)
{
    struct operator_batch *batches = NULL;
    size_t count = 0;
    OK(store_batch_hold(store, holder, HOLD_MS, 10, &fixture_arena, &batches, &count, &err));
    return count;
}

static void a_batch_of_more_than_may_be_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    struct store *const store = given_store();
    given_sagas(store, 6);
    const struct operator_batch batch = wish();
    const struct batch_source source = {.sagas = &RUNNING};

    FAILS(ERR_INVALID, store_batch_make(store, &batch, &source, 5, TIME_MS, NULL, &err));

    struct operator_batch none;
    FAILS(ERR_NOT_FOUND, store_batch_load(store, &batch.id, &fixture_arena, &none, &err));
    OK(store_batch_make(store, &batch, &source, 6, TIME_MS, NULL, &err));
    store_close(store);
}

static void the_set_is_frozen_in_pages_in_the_order_of_ids(void **state)
{
    (void)state;
    struct store *const store = given_store();
    given_sagas(store, 2500);

    const struct operator_batch batch = given_batch(store);
    given_sagas(store, 10);

    assert_int_equal(batch.total, 2500);
    assert_int_equal(batch.state, BATCH_RUNNING);
    assert_int_equal(batch.sample.size, 10 * sizeof(struct uuid));
    struct uuid last = {0};
    for (int32_t page = 0; page < 3; page++) {
        struct bytes ids;
        OK(store_batch_page(store, &batch.id, page, &fixture_arena, &ids, &err));
        assert_int_equal(ids.size, (page < 2 ? BATCH_PAGE : 500) * sizeof(struct uuid));
        for (size_t at = 0; at < ids.size; at += sizeof(struct uuid)) {
            assert_true(memcmp(ids.data + at, &last, sizeof(last)) > 0);
            memcpy(&last, ids.data + at, sizeof(last));
        }
    }
    store_close(store);
}

static void items_are_shown_across_pages(void **state)
{
    (void)state;
    struct store *const store = given_store();
    given_sagas(store, 2001);
    const struct operator_batch batch = given_batch(store);
    struct batch_item *items = NULL;
    size_t count = 0;

    OK(store_batch_items(store, &batch.id, 998, false, 500, &fixture_arena, &items, &count, &err));

    assert_int_equal(count, 500);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(items[i].seq, 998 + (int64_t)i);
    }
    OK(store_batch_items(store, &batch.id, 1999, false, 500, &fixture_arena, &items, &count, &err));
    assert_int_equal(count, 2);
    store_close(store);
}

static void what_the_verb_takes_is_there_for_whoever_works_on_it(void **state)
{
    (void)state;
    struct store *const store = given_store();
    struct operator_batch *batches = NULL;
    size_t count = 0;
    given_sagas(store, 1);
    const struct operator_batch batch = given_batch(store);

    OK(store_batch_hold(store, HOLDER, HOLD_MS, 10, &fixture_arena, &batches, &count, &err));

    assert_int_equal(count, 1);
    assert_true(bytes_equal(batches[0].name, wish().name));
    assert_true(bytes_equal(batches[0].payload, wish().payload));
    assert_true(bytes_equal(batch.payload, wish().payload) && batch.output.data == NULL);
    store_close(store);
}

static void one_holder_at_a_time_works_on_a_batch(void **state)
{
    (void)state;
    struct store *const store = given_store();
    given_sagas(store, 3);
    (void)given_batch(store);

    assert_int_equal(held(store, HOLDER), 1);
    assert_int_equal(held(store, OTHER), 0);
    assert_int_equal(held(store, HOLDER), 1);
    (void)ask("update sagad.operator_batch set held_until = 1");
    assert_int_equal(held(store, OTHER), 1);
    assert_int_equal(held(store, HOLDER), 0);
    store_close(store);
}

static void items_are_counted_once_and_the_last_one_ends_the_batch(void **state)
{
    (void)state;
    struct store *const store = given_store();
    given_sagas(store, 3);
    const struct operator_batch batch = given_batch(store);
    const struct item_failure failure = {2, ITEM_NOT_ALLOWED, BYTES("not now")};
    enum batch_state now = BATCH_STOPPED;
    (void)held(store, HOLDER);

    OK(store_batch_settle(store, &batch.id, HOLDER, 0, 2, NULL, 0, HOLD_MS, &now, &err));
    assert_int_equal(now, BATCH_RUNNING);
    FAILS(ERR_CONFLICT,
          store_batch_settle(store, &batch.id, HOLDER, 0, 2, NULL, 0, HOLD_MS, &now, &err));
    FAILS(ERR_CONFLICT,
          store_batch_settle(store, &batch.id, OTHER, 2, 1, NULL, 0, HOLD_MS, &now, &err));
    OK(store_batch_settle(store, &batch.id, HOLDER, 2, 0, &failure, 1, HOLD_MS, &now, &err));

    const struct operator_batch ended = reloaded(store, &batch);
    assert_int_equal(now, BATCH_DONE);
    assert_int_equal(ended.done, 2);
    assert_int_equal(ended.failed, 1);
    assert_true(ended.finished_at_ms > 0);
    struct batch_item *items = NULL;
    size_t count = 0;
    OK(store_batch_items(store, &batch.id, 0, true, 10, &fixture_arena, &items, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(items[0].end, ITEM_NOT_ALLOWED);
    assert_bytes(items[0].why, "not now");
    store_close(store);
}

static void what_is_counted_after_a_stop_does_not_undo_it(void **state)
{
    (void)state;
    static const enum batch_state FROM[] = {BATCH_RUNNING};
    struct store *const store = given_store();
    given_sagas(store, 3);
    const struct operator_batch batch = given_batch(store);
    const struct batch_act act = {.verb = BYTES("stop"), .actor = BYTES("key:tester")};
    enum batch_state now = BATCH_RUNNING;
    (void)held(store, HOLDER);

    OK(store_batch_set(store, &batch.id, BATCH_STOPPED, FROM, 1, &act, &err));
    FAILS(ERR_CONFLICT, store_batch_set(store, &batch.id, BATCH_PAUSED, FROM, 1, &act, &err));
    OK(store_batch_settle(store, &batch.id, HOLDER, 0, 1, NULL, 0, HOLD_MS, &now, &err));

    assert_int_equal(now, BATCH_STOPPED);
    assert_int_equal(reloaded(store, &batch).done, 1);
    assert_int_equal(held(store, HOLDER), 0);
    store_close(store);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_of_more_than_may_be_is_refused_and_leaves_nothing),
        cmocka_unit_test(the_set_is_frozen_in_pages_in_the_order_of_ids),
        cmocka_unit_test(items_are_shown_across_pages),
        cmocka_unit_test(what_the_verb_takes_is_there_for_whoever_works_on_it),
        cmocka_unit_test(one_holder_at_a_time_works_on_a_batch),
        cmocka_unit_test(items_are_counted_once_and_the_last_one_ends_the_batch),
        cmocka_unit_test(what_is_counted_after_a_stop_does_not_undo_it),
    };
    return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}

int main(void)
{
    return fixture_run_or_skip(run);
}
