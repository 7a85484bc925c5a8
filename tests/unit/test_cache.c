/*
 * tests/unit/test_cache.c
 *   Memory of sagas: found by id, bounded in bytes, the oldest and the finished go first.
 */
#include "orchestrator/engine/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

enum { ENTRY_BYTES = 10000 };

static struct uuid id_of(uint32_t number)
{
    struct uuid id = {{0}};
    memcpy(id.byte, &number, sizeof number);
    return id;
}

static struct cached *add(struct cache *cache, uint32_t number)
{
    const struct uuid id = id_of(number);
    struct cached *cached = cache_add(cache, &id);
    cached->saga = arena_alloc(&cached->arena, sizeof *cached->saga);
    cached->saga->state = SAGA_RUNNING;
    (void)arena_alloc(&cached->arena, ENTRY_BYTES);
    cache_settle(cache, cached);
    return cached;
}

static bool has(struct cache *cache, uint32_t number)
{
    const struct uuid id = id_of(number);
    return cache_find(cache, &id) != NULL;
}

static void an_entry_is_found_until_it_is_dropped(void **state)
{
    (void)state;
    struct cache *cache = cache_new(1 << 20);
    struct cached *first = add(cache, 1);
    (void)add(cache, 2);

    assert_true(has(cache, 1));
    cache_drop(cache, first);
    assert_false(has(cache, 1));
    assert_true(has(cache, 2));
    assert_int_equal(cache_count(cache), 1);
    cache_free(cache);
}

static void the_limit_holds_after_trimming_and_the_oldest_go(void **state)
{
    (void)state;
    struct cache *cache = cache_new(10 * ENTRY_BYTES);
    for (uint32_t i = 0; i < 100; i++) {
        (void)add(cache, i);
    }

    cache_trim(cache);

    assert_in_range(cache_count(cache), 5, 10);
    assert_false(has(cache, 0));
    assert_true(has(cache, 99));
    cache_free(cache);
}

static void what_was_found_lately_stays(void **state)
{
    (void)state;
    struct cache *cache = cache_new(10 * ENTRY_BYTES);
    for (uint32_t i = 0; i < 100; i++) {
        (void)add(cache, i);
        assert_true(has(cache, 0));
    }

    cache_trim(cache);

    assert_true(has(cache, 0));
    assert_false(has(cache, 50));
    cache_free(cache);
}

static void a_finished_saga_is_the_first_to_go(void **state)
{
    (void)state;
    struct cache *cache = cache_new(10 * ENTRY_BYTES);
    (void)add(cache, 0);
    struct cached *finished = add(cache, 1);
    finished->saga->state = SAGA_SUCCEEDED;
    cache_settle(cache, finished);
    while (cache_count(cache) < 8) {
        (void)add(cache, (uint32_t)cache_count(cache));
    }
    (void)add(cache, 100);
    (void)add(cache, 101);

    cache_trim(cache);

    assert_false(has(cache, 1));
    assert_true(has(cache, 101));
    cache_free(cache);
}

static void an_entry_that_grew_many_times_over_is_dropped(void **state)
{
    (void)state;
    struct cache *cache = cache_new(64 << 20);
    struct cached *cached = add(cache, 1);
    (void)arena_alloc(&cached->arena, 100 * ENTRY_BYTES);

    cache_settle(cache, cached);

    assert_false(has(cache, 1));
    assert_int_equal(cache_count(cache), 0);
    cache_free(cache);
}

static void a_saga_that_waits_long_goes_before_one_that_works(void **state)
{
    (void)state;
    struct cache *cache = cache_new(10 * ENTRY_BYTES);
    (void)add(cache, 1);
    for (uint32_t i = 100; i < 200; i++) {
        struct cached *cached = add(cache, i);
        cached->rests = true;
        cache_settle(cache, cached);
    }

    cache_trim(cache);

    assert_true(has(cache, 1));
    assert_true(cache_count(cache) <= 10);
    cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_found_until_it_is_dropped),
        cmocka_unit_test(the_limit_holds_after_trimming_and_the_oldest_go),
        cmocka_unit_test(what_was_found_lately_stays),
        cmocka_unit_test(a_finished_saga_is_the_first_to_go),
        cmocka_unit_test(a_saga_that_waits_long_goes_before_one_that_works),
        cmocka_unit_test(an_entry_that_grew_many_times_over_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
