/*
 * tests/unit/test_topics.c
 *   The topics that are known, and the lines of what waits for them.
 */
#include "orchestrator/engine/topics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

enum { WINDOW = 1000 };

static struct uuid id_of(uint32_t number)
{
    struct uuid id = {{0}};
    memcpy(id.byte, &number, sizeof number);
    return id;
}

static void each_topic_is_looked_at_in_its_turn(void **state)
{
    (void)state;
    struct topics *topics = topics_new(WINDOW);
    struct topic *a = topics_note(topics, BYTES("a"));
    struct topic *b = topics_note(topics, BYTES("b"));

    assert_ptr_equal(topics_note(topics, BYTES("a")), a);
    assert_ptr_equal(topics_next(topics, 1000, 500), a);
    assert_ptr_equal(topics_next(topics, 1000, 500), b);
    assert_null(topics_next(topics, 1400, 500));
    assert_ptr_equal(topics_next(topics, 1500, 500), a);
    topics_free(topics);
}

static void a_topic_is_news_when_nobody_reads_it_any_more(void **state)
{
    (void)state;
    struct topics *topics = topics_new(WINDOW);
    struct topic *topic = topics_note(topics, BYTES("a"));

    assert_false(topic_set_readers(topic, 10, 2));
    assert_true(topic_set_readers(topic, 10, 0));
    assert_true(topic->unread);
    assert_false(topic_set_readers(topic, 10, 0));
    assert_false(topic_set_readers(topic, -1, -1)); /* not known: as it was */
    assert_true(topic->unread);
    assert_true(topic_set_readers(topic, 0, 0)); /* all is read, by whomever */
    assert_false(topic->unread);
    topics_free(topics);
}

static void the_number_of_topics_is_bounded(void **state)
{
    (void)state;
    struct topics *topics = topics_new(WINDOW);
    char name[TOPIC_SIZE];
    for (int i = 0; i < TOPICS_MAX + 50; i++) {
        (void)snprintf(name, sizeof name, "topic-%d", i);
        assert_int_equal(topics_note(topics, bytes_of(name)) != NULL, i < TOPICS_MAX);
    }

    assert_int_equal(topics_count(topics), TOPICS_MAX);
    assert_non_null(topics_find(topics, BYTES("topic-999")));
    assert_null(topics_find(topics, BYTES("topic-1000")));
    topics_free(topics);
}

static void a_pause_is_news_once(void **state)
{
    (void)state;
    struct topics *topics = topics_new(WINDOW);
    struct topic *topic = topics_note(topics, BYTES("a"));

    assert_true(topic_set_pause(topic, BYTES("ops"), (struct bytes){0}, 7));
    assert_false(topic_set_pause(topic, BYTES("ops"), (struct bytes){0}, 7));
    assert_true(atomic_load(&topic->paused));
    assert_false(atomic_load(&topic->clear));
    assert_true(topic_set_pause(topic, (struct bytes){0}, (struct bytes){0}, 0));
    assert_false(atomic_load(&topic->paused));
    topics_free(topics);
}

/* ---- lines ---- */

static void a_line_keeps_its_order_and_holds_each_saga_once(void **state)
{
    (void)state;
    struct waiting *waiting = waiting_new();
    struct uuid id;
    for (uint32_t i = 0; i < 5000; i++) {
        const struct uuid each = id_of(i);
        waiting_add(waiting, 1, &each, LINE_START);
        waiting_add(waiting, 1, &each, LINE_START);
    }

    assert_int_equal(waiting_count(waiting), 5000);
    for (uint32_t i = 0; i < 5000; i++) {
        const struct uuid each = id_of(i);
        assert_true(waiting_take(waiting, 1, LINE_START, &id));
        assert_true(uuid_equal(&id, &each));
        assert_true(waiting_has(waiting, 1, &id)); /* until it is sent */
        waiting_done(waiting, 1, &id);
        assert_false(waiting_has(waiting, 1, &id));
    }
    assert_false(waiting_take(waiting, 1, LINE_START, &id));
    assert_int_equal(waiting_count(waiting), 0);
    waiting_free(waiting);
}

static void what_becomes_more_urgent_changes_its_line(void **state)
{
    (void)state;
    struct waiting *waiting = waiting_new();
    const struct uuid one = id_of(1);
    struct uuid id;
    waiting_add(waiting, 1, &one, LINE_START);
    waiting_add(waiting, 1, &one, LINE_UNDO);
    waiting_add(waiting, 1, &one, LINE_IN_FLIGHT);

    assert_int_equal(waiting_up_to(waiting, 1, LINE_UNDO), 1);
    assert_int_equal(waiting_up_to(waiting, 1, LINE_START_RETRY), 1);
    assert_false(waiting_take(waiting, 1, LINE_START, &id));
    assert_true(waiting_take(waiting, 1, LINE_UNDO, &id));
    waiting_free(waiting);
}

static void a_saga_waits_for_each_topic_by_itself(void **state)
{
    (void)state;
    struct waiting *waiting = waiting_new();
    const struct uuid one = id_of(1);
    waiting_add(waiting, 1, &one, LINE_START);
    waiting_add(waiting, 2, &one, LINE_START);
    waiting_done(waiting, 1, &one);

    assert_false(waiting_has(waiting, 1, &one));
    assert_true(waiting_has(waiting, 2, &one));
    assert_int_equal(waiting_up_to(waiting, 1, LINE_START_RETRY), 0);
    assert_int_equal(waiting_up_to(waiting, 2, LINE_START_RETRY), 1);
    waiting_free(waiting);
}

static void what_was_held_again_while_it_was_taken_stands_in_line(void **state)
{
    (void)state;
    struct waiting *waiting = waiting_new();
    const struct uuid one = id_of(1);
    struct uuid id;
    waiting_add(waiting, 1, &one, LINE_START);
    assert_true(waiting_take(waiting, 1, LINE_START, &id));
    waiting_add(waiting, 1, &one, LINE_START);

    assert_int_equal(waiting_count(waiting), 1);
    assert_true(waiting_take(waiting, 1, LINE_START, &id));
    assert_false(waiting_take(waiting, 1, LINE_START, &id));
    waiting_free(waiting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_topic_is_looked_at_in_its_turn),
        cmocka_unit_test(a_topic_is_news_when_nobody_reads_it_any_more),
        cmocka_unit_test(the_number_of_topics_is_bounded),
        cmocka_unit_test(a_pause_is_news_once),
        cmocka_unit_test(a_line_keeps_its_order_and_holds_each_saga_once),
        cmocka_unit_test(what_becomes_more_urgent_changes_its_line),
        cmocka_unit_test(a_saga_waits_for_each_topic_by_itself),
        cmocka_unit_test(what_was_held_again_while_it_was_taken_stands_in_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
