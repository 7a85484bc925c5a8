/*
 * Every limit, on both sides of it; texts made to hurt; what makes two texts the same.
 */
#include "test_definition_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { REPORT_BYTES_MAX = 16 * 1024 * 1024 };

static int64_t now_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- texts of any size ---- */

static struct buffer text_in(struct arena *arena, const char *top)
{
    struct buffer text = buffer_in(arena);
    buffer_add_format(&text, "{\"name\":\"n\"%s,\"steps\":[", top);
    return text;
}

static void add_step(struct buffer *text, size_t i, const char *more)
{
    buffer_add_format(text,
                      "%s{\"id\":\"s%zu\",\"action\":{\"topic\":\"t\"},\"compensation\":null%s}",
                      i == 0 ? "" : ",", i, more);
}

static struct parsed parsed_steps(struct buffer *text)
{
    buffer_add_text(text, "]}");
    return parsed_text(buffer_bytes(text));
}

static void five_hundred_steps_are_taken_and_not_one_more(void **state)
{
    (void)state;
    for (size_t count = DEFINITION_STEPS_MAX; count <= DEFINITION_STEPS_MAX + 1; count++) {
        struct arena arena = {0};
        struct buffer text = text_in(&arena, "");
        for (size_t i = 0; i < count; i++) {
            add_step(&text, i, "");
        }
        struct parsed parsed = parsed_steps(&text);
        if (count == DEFINITION_STEPS_MAX) {
            assert_valid(&parsed);
            assert_int_equal(parsed.definition->step_count, DEFINITION_STEPS_MAX);
        } else {
            assert_errors(&parsed, "/steps", NULL);
        }
        parsed_done(&parsed);
        arena_done(&arena);
    }
}

/* `count` members `"a0":<value>, ...` */
static const char *members(struct arena *arena, size_t count, const char *value)
{
    struct buffer text = buffer_in(arena);
    buffer_add_text(&text, "{");
    for (size_t i = 0; i < count; i++) {
        buffer_add_format(&text, "%s\"a%zu\":%s", i == 0 ? "" : ",", i, value);
    }
    buffer_add_text(&text, "}");
    return text.data;
}

static const char *letters(struct arena *arena, size_t count)
{
    struct buffer text = buffer_in(arena);
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(&text, "\xC3\xA9"); /* one character */
    }
    return text.data;
}

static void assert_top(const char *top, const char *pointer)
{
    struct parsed parsed = parsed_format(
        "{\"name\":\"n\",%s,\"steps\":[{\"id\":\"a\",\"action\":{"
        "\"topic\":\"t\"},\"compensation\":null}]}",
        top);
    if (pointer == NULL) {
        assert_valid(&parsed);
    } else {
        assert_errors(&parsed, pointer, NULL);
    }
    parsed_done(&parsed);
}

static void counts_and_lengths_are_bounded(void **state)
{
    (void)state;
    struct arena arena = {0};
    char top[8192];

    for (size_t over = 0; over <= 1; over++) {
        (void)snprintf(top, sizeof(top), "\"attributes\":%s",
                       members(&arena, DEFINITION_ATTRIBUTES_MAX + over, "\"${input.a}\""));
        assert_top(top, over ? "/attributes" : NULL);
        (void)snprintf(top, sizeof(top), "\"labels\":%s",
                       members(&arena, DEFINITION_LABELS_MAX + over, "\"v\""));
        assert_top(top, over ? "/labels" : NULL);
        (void)snprintf(top, sizeof(top), "\"labels\":{\"a\":\"%s\"}", letters(&arena, 200 + over));
        assert_top(top, over ? "/labels/a" : NULL);
        (void)snprintf(top, sizeof(top), "\"description\":\"%s\"", letters(&arena, 2000 + over));
        assert_top(top, over ? "/description" : NULL);
    }
    arena_done(&arena);
}

static void names_types_and_topics_are_bounded(void **state)
{
    (void)state;
    static const char TEXT[] =
        "{\"name\":\"%.*s\",\"steps\":[{\"id\":\"%.*s\",\"compensation\":null,"
        "\"action\":{\"topic\":\"%.*s\",\"type\":\"%.*s\"}}]}";
    char letter[300];
    memset(letter, 'a', sizeof(letter));
    struct parsed parsed = parsed_format(TEXT, 100, letter, 100, letter, 249, letter, 200, letter);
    assert_valid(&parsed);
    parsed_done(&parsed);

    parsed = parsed_format(TEXT, 101, letter, 101, letter, 250, letter, 201, letter);
    assert_errors(&parsed, "/name", "/steps/0/id", "/steps/0/action/topic", "/steps/0/action/type",
                  NULL);
    parsed_done(&parsed);
}

static void a_text_of_a_mebibyte_is_taken_and_not_one_byte_more(void **state)
{
    (void)state;
    for (size_t over = 0; over <= 1; over++) {
        struct arena arena = {0};
        struct buffer text = text_in(&arena, "");
        add_step(&text, 0, "");
        buffer_add_text(&text, "]}");
        while (text.size < DEFINITION_SIZE_MAX + over) {
            buffer_add_char(&text, ' ');
        }
        struct parsed parsed = parsed_text(buffer_bytes(&text));
        if (over) {
            assert_errors(&parsed, "", NULL);
        } else {
            assert_valid(&parsed);
        }
        parsed_done(&parsed);
        arena_done(&arena);
    }
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buffer text = text_in(&arena, ",\"x-deep\":");
    text.size -= strlen(",\"steps\":[");
    for (int i = 0; i < 5000; i++) {
        buffer_add_char(&text, '[');
    }
    struct parsed parsed = parsed_text(buffer_bytes(&text));

    assert_errors(&parsed, "", NULL);
    parsed_done(&parsed);
    arena_done(&arena);
}

/* ---- texts made to hurt ---- */

static void five_hundred_steps_that_wait_for_all_before_are_quick(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buffer text = text_in(&arena, "");
    for (size_t i = 0; i < DEFINITION_STEPS_MAX; i++) {
        struct buffer edges = buffer_in(&arena);
        buffer_add_text(&edges, ",\"depends_on\":[");
        for (size_t e = 0; e < i; e++) {
            buffer_add_format(&edges, "%s\"s%zu\"", e == 0 ? "" : ",", e);
        }
        buffer_add_text(&edges, "]");
        add_step(&text, i, edges.data);
    }
    assert_in_range(text.size, DEFINITION_SIZE_MAX / 2, DEFINITION_SIZE_MAX - 2);
    const int64_t start_ms = now_ms();
    struct parsed parsed = parsed_steps(&text);

    assert_in_range(now_ms() - start_ms, 0, 2000);
    assert_valid(&parsed);
    assert_int_equal(parsed.definition->steps[499].need_count, 499);
    assert_int_equal(parsed.definition->steps[0].feed_count, 499);
    parsed_done(&parsed);
    arena_done(&arena);
}

static void one_cycle_through_five_hundred_steps_is_one_error(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buffer text = text_in(&arena, "");
    add_step(&text, 0, ",\"depends_on\":[\"s499\"]");
    for (size_t i = 1; i < DEFINITION_STEPS_MAX; i++) {
        add_step(&text, i, "");
    }
    struct parsed parsed = parsed_steps(&text);

    assert_errors(&parsed, "/steps/0/depends_on", NULL);
    parsed_done(&parsed);
    arena_done(&arena);
}

/* `piece` again and again between `head` and `tail`, up to the largest text. */
static struct parsed parsed_filled(struct arena *arena, const char *head, const char *piece,
                                   const char *tail)
{
    struct buffer text = buffer_in(arena);
    buffer_add_text(&text, head);
    const size_t room = DEFINITION_SIZE_MAX - strlen(tail) - strlen(piece) - 16;
    for (size_t i = 0; text.size < room; i++) {
        if (i > 0) buffer_add_char(&text, ',');
        const char *mark = strchr(piece, '#'); /* becomes the number */
        if (mark == NULL) {
            buffer_add_text(&text, piece);
        } else {
            buffer_add(&text, piece, (size_t)(mark - piece));
            buffer_add_format(&text, "%zu%s", i, mark + 1);
        }
    }
    buffer_add_text(&text, tail);
    return parsed_text(buffer_bytes(&text));
}

static void a_mebibyte_of_anything_is_answered_quickly_and_shortly(void **state)
{
    (void)state;
    static const char STEP_HEAD[] =
        "{\"name\":\"n\",\"steps\":[{\"id\":\"a\",\"compensation\":null,\"action\":{\"topic\":"
        "\"t\",";
    static const struct {
        const char *what, *head, *piece, *tail;
        bool valid;
    } TEXTS[] = {
        {"expressions",       "\"input\":[",                      "\"${input.a[0] + 1}\"", "]}}]}",  true },
        {"wrong expressions", "\"input\":[",                      "\"${foo}\"",            "]}}]}",  false},
        {"open expressions",  "\"input\":[",                      "\"${\"",                "]}}]}",  false},
        {"headers",           "\"headers\":{",                    "\"h#\":\"${input.a}\"", "}}}]}",  true },
        {"wrong headers",     "\"headers\":{",                    "\"ce_#\":1",            "}}}]}",  false},
        {"unknown members",   "",                                 "\"m#\":0",              "}}]}",   false},
        {"codes",             "\"retry\":{\"never_on\":[",        "\"c\"",                 "]}}}]}", true },
        {"unknown steps",     "\"type\":\"t\"},\"depends_on\":[", "\"b#\"",                "]}]}",   false},
        {"the same edge",
         "\"type\":\"t\"}},{\"id\":\"b\",\"action\":{\"topic\":\"t\"},\"compensation\":null,"
         "\"depends_on\":[",                                      "\"a\"",                 "]}]}",   false},
        {"pointers",          "\"type\":\"t\"}}],\"redact\":[",   "\"x\"",                 "]}",     false},
        {"steps",             "\"type\":\"t\"}},",                "{}",                    "]}",     false},
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(*TEXTS); i++) {
        struct arena arena = {0};
        struct buffer head = buffer_in(&arena);
        buffer_add_format(&head, "%s%s", STEP_HEAD, TEXTS[i].head);
        const int64_t start_ms = now_ms();
        struct parsed parsed = parsed_filled(&arena, head.data, TEXTS[i].piece, TEXTS[i].tail);
        const int64_t took_ms = now_ms() - start_ms;
        const size_t held = arena_held(&parsed.arena);
        if (took_ms > 2000 || held > REPORT_BYTES_MAX ||
            (parsed.definition != NULL) != TEXTS[i].valid || parsed.report.error_count > 1001) {
            if (parsed.report.error_count < 3) print_report(&parsed);
            fail_msg("%s: %lld ms, %zu bytes of report, %zu errors", TEXTS[i].what,
                     (long long)took_ms, held, parsed.report.error_count);
        }
        parsed_done(&parsed);
        arena_done(&arena);
    }
}

static void what_is_beyond_the_report_is_counted(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buffer text = text_in(&arena, ",\"redact\":[");
    text.size -= strlen(",\"steps\":[");
    for (size_t i = 0; i < 1200; i++) {
        buffer_add_text(&text, i == 0 ? "1" : ",1");
    }
    buffer_add_text(&text, "]}");
    struct parsed parsed = parsed_text(buffer_bytes(&text));

    assert_int_equal(parsed.report.error_count, 1001);
    const struct definition_problem *last = &parsed.report.errors[1000];
    assert_true(bytes_equal_text(last->pointer, ""));
    assert_non_null(strstr(last->detail.data, "201 more"));
    parsed_done(&parsed);
    arena_done(&arena);
}

/* ---- the same content ---- */

static bool same_content(const char *a, const char *b)
{
    static const char TEXT[] =
        "{\"name\":\"n\",\"x-more\":%s,\"steps\":[{\"id\":\"a\",\"action\":{"
        "\"topic\":\"t\"},\"compensation\":null}]}";
    struct parsed left = parsed_format(TEXT, a);
    struct parsed right = parsed_format(TEXT, b);
    assert_valid(&left);
    assert_valid(&right);
    const bool same =
        memcmp(left.definition->hash, right.definition->hash, DEFINITION_HASH_SIZE) == 0;
    parsed_done(&left);
    parsed_done(&right);
    return same;
}

static void content_is_the_same_whatever_the_order_and_the_white_space(void **state)
{
    (void)state;
    assert_true(same_content("{\"a\":1,\"b\":[true,null,{}]}",
                             " { \"b\" : [ true , null,\n{ } ],\"a\":1 }"));
    assert_true(same_content("{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"y\":2,\"x\":1}}"));
    assert_true(same_content("\"\\u00e9\\/\\n\"", "\"\xC3\xA9/\\u000a\""));
    assert_true(same_content("{\"\\u0061\":1}", "{\"a\":1}"));
    /* A `version` further inside is content. */
    assert_false(same_content("{\"version\":1}", "{\"version\":2}"));
}

static void content_differs_with_every_value_order_of_a_list_and_digit(void **state)
{
    (void)state;
    assert_false(same_content("1", "2"));
    assert_false(same_content("1.0", "1"));
    assert_false(same_content("0.10", "0.1"));
    assert_false(same_content("[1,2]", "[2,1]"));
    assert_false(same_content("\"1\"", "1"));
    assert_false(same_content("[[],[]]", "[[[]]]"));
    assert_false(same_content("{}", "[]"));
    assert_false(same_content("{\"a\":\"b\"}", "{\"b\":\"a\"}"));
}

static void the_stated_version_and_the_order_of_the_members_are_not_content(void **state)
{
    (void)state;
    struct parsed one = parsed_format(
        "{\"name\":\"n\",\"steps\":[{\"id\":\"a\",\"action\":{\"topic\":"
        "\"t\"},\"compensation\":null}]}");
    struct parsed two = parsed_format(
        "{\"steps\":[{\"compensation\":null,\"action\":{\"topic\":\"t\"},"
        "\"id\":\"a\"}],\"version\":2,\"name\":\"n\"}");
    assert_valid(&one);
    assert_valid(&two);

    assert_memory_equal(one.definition->hash, two.definition->hash, DEFINITION_HASH_SIZE);
    assert_int_equal(two.definition->stated_version, 2);
    parsed_done(&one);
    parsed_done(&two);
}

static void the_text_itself_is_kept_byte_by_byte(void **state)
{
    (void)state;
    char text[] =
        "{ \"name\":\"n\", \"x-a\": 1.50, "
        "\"steps\":[{\"id\":\"a\",\"action\":{\"topic\":\"t\"}}]}\n";
    const struct bytes given = {text, strlen(text)};
    char before[sizeof(text)];
    memcpy(before, text, sizeof(text));
    struct parsed parsed = parsed_text(given);
    memset(text, 'x', strlen(text)); /* the caller's bytes are his own again */

    assert_valid(&parsed);
    assert_true(bytes_equal_text(parsed.definition->source, before));
    assert_true(bytes_equal_text(parsed.definition->name, "n"));
    parsed_done(&parsed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_hundred_steps_are_taken_and_not_one_more),
        cmocka_unit_test(counts_and_lengths_are_bounded),
        cmocka_unit_test(names_types_and_topics_are_bounded),
        cmocka_unit_test(a_text_of_a_mebibyte_is_taken_and_not_one_byte_more),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(five_hundred_steps_that_wait_for_all_before_are_quick),
        cmocka_unit_test(one_cycle_through_five_hundred_steps_is_one_error),
        cmocka_unit_test(a_mebibyte_of_anything_is_answered_quickly_and_shortly),
        cmocka_unit_test(what_is_beyond_the_report_is_counted),
        cmocka_unit_test(content_is_the_same_whatever_the_order_and_the_white_space),
        cmocka_unit_test(content_differs_with_every_value_order_of_a_list_and_digit),
        cmocka_unit_test(the_stated_version_and_the_order_of_the_members_are_not_content),
        cmocka_unit_test(the_text_itself_is_kept_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
