#include "sagas/base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool all_zero(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] != 0) return false;
    }
    return true;
}

static void memory_is_zeroed_and_aligned_even_when_used_again(void **state)
{
    (void)state;
    static const size_t SIZES[] = {1, 15, 16, 17, 1000, 3, 70000, 8};
    struct arena arena = {0};

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
            char *const data = arena_alloc(&arena, SIZES[i]);
            assert_int_equal((uintptr_t)data % _Alignof(max_align_t), 0);
            assert_true(all_zero(data, SIZES[i]));
            memset(data, 0xff, SIZES[i]);
        }
        arena_reset(&arena);
        assert_int_equal(arena.used_bytes, 0);
    }
    arena_done(&arena);
}

static void allocations_do_not_overlap(void **state)
{
    (void)state;
    struct arena arena = {0};
    char *data[500];

    for (size_t i = 0; i < 500; i++) {
        memset(data[i] = arena_alloc(&arena, i), (int)(i % 251), i);
    }

    for (size_t i = 0; i < 500; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_int_equal((unsigned char)data[i][j], i % 251);
        }
    }
    arena_done(&arena);
}

static void a_small_arena_holds_little(void **state)
{
    (void)state;
    struct arena arena = {0};
    assert_int_equal(arena_held(&arena), 0);

    (void)arena_alloc(&arena, 500);
    assert_int_equal(arena_held(&arena), 1024);

    (void)arena_alloc(&arena, 1000);
    assert_int_equal(arena_held(&arena), 3 * 1024);
    arena_done(&arena);
}

static void something_large_leaves_the_room_of_what_is_small(void **state)
{
    (void)state;
    struct arena arena = {0};
    (void)arena_alloc(&arena, 80);
    (void)arena_alloc(&arena, 100000);
    const size_t held = arena_held(&arena);

    char *const small = arena_alloc(&arena, 80);

    memset(small, 1, 80);
    assert_int_equal(arena_held(&arena), held);
    assert_in_range(held, 100000, 102000);
    arena_done(&arena);
}

static void what_is_handed_out_is_most_of_what_is_held(void **state)
{
    (void)state;
    struct arena arena = {0};

    for (int i = 0; i < 100000; i++) {
        (void)arena_alloc(&arena, 80);
    }

    assert_int_equal(arena.used_bytes, 8000000);
    assert_in_range(arena_held(&arena), 8000000, 8200000);
    arena_done(&arena);
}

static void fill(struct arena *arena, int bytes)
{
    for (int i = 0; i < bytes / 80; i++) {
        (void)arena_alloc(arena, 80);
    }
}

static void reset_keeps_ordinary_chunks_up_to_4_mib(void **state)
{
    (void)state;
    struct arena arena = {0};
    fill(&arena, 20 * 1024 * 1024);
    (void)arena_alloc(&arena, (size_t)10 * 1024 * 1024);

    arena_reset(&arena);

    assert_in_range(arena_held(&arena), 3 * 1024 * 1024, 4 * 1024 * 1024);
    arena_done(&arena);
    assert_int_equal(arena_held(&arena), 0);
}

static void what_a_reset_kept_is_used_again(void **state)
{
    (void)state;
    struct arena arena = {0};
    fill(&arena, 1024 * 1024);
    arena_reset(&arena);
    const size_t kept = arena_held(&arena);

    fill(&arena, 900 * 1024);

    assert_int_equal(arena_held(&arena), kept);
    assert_true(all_zero(arena_alloc(&arena, 80), 80));
    arena_done(&arena);
}

static void only_the_newest_allocation_can_be_extended(void **state)
{
    (void)state;
    struct arena arena = {0};
    char *const older = arena_alloc(&arena, 32);
    char *const newest = arena_alloc(&arena, 32);
    memset(newest, 1, 32);

    assert_false(arena_extend(&arena, older, 32, 64));
    assert_true(arena_extend(&arena, newest, 32, 64));
    assert_int_equal(newest[31], 1);
    assert_false(arena_extend(&arena, newest, 64, 100000));
    assert_true((char *)arena_alloc(&arena, 1) >= newest + 64);
    arena_done(&arena);
}

static void a_copy_ends_with_nul(void **state)
{
    (void)state;
    struct arena arena = {0};

    assert_memory_equal(arena_copy(&arena, "a\0b", 3), "a\0b", 4);
    assert_string_equal(arena_copy(&arena, NULL, 0), "");
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned_even_when_used_again),
        cmocka_unit_test(allocations_do_not_overlap),
        cmocka_unit_test(a_small_arena_holds_little),
        cmocka_unit_test(something_large_leaves_the_room_of_what_is_small),
        cmocka_unit_test(what_is_handed_out_is_most_of_what_is_held),
        cmocka_unit_test(reset_keeps_ordinary_chunks_up_to_4_mib),
        cmocka_unit_test(what_a_reset_kept_is_used_again),
        cmocka_unit_test(only_the_newest_allocation_can_be_extended),
        cmocka_unit_test(a_copy_ends_with_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
