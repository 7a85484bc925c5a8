/*
 * tests/unit/test_home.c
 *   Ids whose replies come home, and a node that takes in more than its share gives some away.
 */
#include "orchestrator/bus/bus.h"
#include "orchestrator/engine/home.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { PARTITIONS = 8, DRAWS = 2000, NOW_MS = 1000 };

/* Of a topic of eight partitions, the first `ours` are ours. */
static struct home *given_home(int32_t ours)
{
    struct home *home = home_new();
    home_set_count(home, PARTITIONS);
    for (int32_t i = 0; i < ours; i++) {
        home_set(home, i, true);
    }
    return home;
}

static int32_t partition_of(const struct uuid *id)
{
    char text[UUID_TEXT_SIZE];
    uuid_print(id, text);
    return bus_partition_among(bytes_of(text), PARTITIONS);
}

/* How many of DRAWS ids have their partition among the first `ours`. */
static int drawn_among_first(struct home *home, int32_t ours)
{
    int count = 0;
    for (int i = 0; i < DRAWS; i++) {
        const struct uuid id = home_draw(home, NOW_MS);
        count += partition_of(&id) < ours;
    }
    return count;
}

static void all_replies_come_home(void **state)
{
    (void)state;
    struct home *home = given_home(3);

    assert_int_equal(drawn_among_first(home, 3), DRAWS);
    assert_int_equal(home_drawn(home), DRAWS);
    home_free(home);
}

static void ids_are_of_their_time_and_differ(void **state)
{
    (void)state;
    struct home *home = given_home(1);

    const struct uuid one = home_draw(home, NOW_MS), other = home_draw(home, NOW_MS);

    assert_memory_not_equal(one.byte, other.byte, sizeof one.byte);
    assert_int_equal(one.byte[4] << 8 | one.byte[5], NOW_MS);
    assert_int_equal(one.byte[6] >> 4, 7);
    assert_int_equal(one.byte[8] >> 6, 2);
    home_free(home);
}

static void a_partition_that_left_is_no_home(void **state)
{
    (void)state;
    struct home *home = given_home(2);
    home_set(home, 1, false);
    home_set(home, 1, false);

    assert_int_equal(drawn_among_first(home, 1), DRAWS);
    home_free(home);
}

/* Each of eight partitions gets some, where nothing is known or all are ours. */
static void without_a_choice_ids_are_spread(void **state)
{
    (void)state;
    struct home *homes[] = {home_new(), given_home(0), given_home(PARTITIONS)};
    for (size_t i = 0; i < sizeof homes / sizeof homes[0]; i++) {
        const int half = drawn_among_first(homes[i], PARTITIONS / 2);
        assert_in_range(half, DRAWS / 3, DRAWS * 2 / 3);
        home_free(homes[i]);
    }
}

static void who_takes_in_all_starts_gives_others_their_share(void **state)
{
    (void)state;
    struct home *home = given_home(2);
    home_set_starts(home, 1000, 0);

    assert_in_range(drawn_among_first(home, 2), DRAWS / 8, DRAWS * 3 / 8);
    home_free(home);
}

static void nothing_is_given_away_when_starts_are_balanced(void **state)
{
    (void)state;
    struct home *home = given_home(4);
    home_set_starts(home, 1000, 0);
    home_set_starts(home, 1100, 900);

    assert_int_equal(drawn_among_first(home, 4), DRAWS);
    home_free(home);
}

static void an_idle_node_forgets_that_it_had_too_many(void **state)
{
    (void)state;
    struct home *home = given_home(4);
    home_set_starts(home, 1000, 0);
    home_set_starts(home, 0, 0);

    assert_int_equal(drawn_among_first(home, 4), DRAWS);
    home_free(home);
}

static void partitions_of_unlikely_numbers_are_nobodys(void **state)
{
    (void)state;
    struct home *home = given_home(1);
    home_set(home, -1, true);
    home_set(home, INT32_MAX, true);

    assert_int_equal(drawn_among_first(home, 1), DRAWS);
    home_free(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_replies_come_home),
        cmocka_unit_test(ids_are_of_their_time_and_differ),
        cmocka_unit_test(a_partition_that_left_is_no_home),
        cmocka_unit_test(without_a_choice_ids_are_spread),
        cmocka_unit_test(who_takes_in_all_starts_gives_others_their_share),
        cmocka_unit_test(nothing_is_given_away_when_starts_are_balanced),
        cmocka_unit_test(an_idle_node_forgets_that_it_had_too_many),
        cmocka_unit_test(partitions_of_unlikely_numbers_are_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
