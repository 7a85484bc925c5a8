/* Runs of bytes, the growing buffer, UTF-8 and saga ids. */
#include "sagas/base/bytes.h"
#include "sagas/base/utf8.h"
#include "sagas/base/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct bytes ABSENT = {NULL, 0};

static void absent_is_not_empty(void **state)
{
    (void)state;

    assert_true(bytes_equal(ABSENT, bytes_of(NULL)));
    assert_false(bytes_equal(ABSENT, BYTES("")));
    assert_true(bytes_equal(bytes_of(""), BYTES("")));
    assert_false(bytes_equal_text(ABSENT, ""));
    assert_true(bytes_equal_text(ABSENT, NULL));
    assert_false(bytes_equal_text(BYTES("a"), "ab"));
}

static void order_is_by_bytes_and_a_prefix_comes_first(void **state)
{
    (void)state;

    assert_true(bytes_compare(BYTES("a"), BYTES("b")) < 0);
    assert_true(bytes_compare(BYTES("ab"), BYTES("a")) > 0);
    assert_true(bytes_compare(BYTES("\xff"), BYTES("a")) > 0);
    assert_int_equal(bytes_compare(BYTES("a"), BYTES("a")), 0);
    assert_true(bytes_compare(ABSENT, BYTES("")) < 0);
    assert_int_equal(bytes_compare(ABSENT, ABSENT), 0);
}

static void a_copy_is_independent(void **state)
{
    (void)state;
    struct arena arena = {0};
    char text[] = "abc";

    const struct bytes copy = bytes_copy(&arena, bytes_of(text));
    text[0] = 'x';

    assert_string_equal(copy.data, "abc");
    assert_null(bytes_copy(&arena, ABSENT).data);
    assert_non_null(bytes_copy(&arena, BYTES("")).data);
    arena_done(&arena);
}

static void a_buffer_grows_and_stays_terminated(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buffer buffer = buffer_in(&arena);
    assert_true(bytes_equal_text(buffer_bytes(&buffer), ""));

    for (int i = 0; i < 10000; i++) {
        buffer_add_format(&buffer, "%d,", i % 10);
        buffer_add_char(&buffer, ';');
        assert_int_equal(buffer.data[buffer.size], '\0');
        if (i % 100 == 0) (void)arena_alloc(&arena, 1);
    }

    assert_int_equal(buffer.size, 30000);
    for (size_t i = 0; i < 10000; i++) {
        assert_true(buffer.data[3 * i] == (char)('0' + i % 10) && buffer.data[3 * i + 2] == ';');
    }
    arena_done(&arena);
}

static void a_buffer_does_not_move_while_what_was_expected_comes(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buffer buffer = buffer_in(&arena);
    buffer_add_text(&buffer, "ab");
    buffer_expect(&buffer, 100000);
    const char *const place = buffer.data;
    assert_string_equal(place, "ab");
    (void)arena_alloc(&arena, 1);

    for (int i = 0; i < 100000; i++) {
        buffer_add_char(&buffer, 'x');
    }

    assert_ptr_equal(buffer.data, place);
    arena_done(&arena);
}

static void a_buffer_takes_nothing_and_nul_bytes(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buffer buffer = buffer_in(&arena);

    buffer_add_bytes(&buffer, ABSENT);
    buffer_add_text(&buffer, "");
    buffer_add(&buffer, "a\0b", 3);
    assert_true(bytes_equal(buffer_bytes(&buffer), (struct bytes){"a\0b", 3}));

    buffer_cut(&buffer, 1);
    assert_string_equal(buffer.data, "a");
    arena_done(&arena);
}

static void only_what_rfc_3629_allows_is_utf8(void **state)
{
    (void)state;
    static const char *const VALID[] = {"",
                                        "a",
                                        "\xc3\xab",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xf4\x8f\xbf\xbf"};
    static const char *const INVALID[] = {
        "\x80",         "\xc0\xaf",         "\xc1\xbf",         "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xc3",         "\xe2\x82",         "\xf0\x9f\x98",     "\xc3\x28",
        "\xff"};

    for (size_t i = 0; i < sizeof(VALID) / sizeof(VALID[0]); i++) {
        assert_true(utf8_valid(bytes_of(VALID[i])));
    }
    for (size_t i = 0; i < sizeof(INVALID) / sizeof(INVALID[0]); i++) {
        assert_false(utf8_valid(bytes_of(INVALID[i])));
    }
}

static void every_code_point_is_written_and_read_again(void **state)
{
    (void)state;

    for (uint32_t code_point = 0; code_point <= 0x10ffff; code_point++) {
        if (code_point >= 0xd800 && code_point <= 0xdfff) continue;
        char text[UTF8_SIZE_MAX];
        const size_t size = utf8_encode(code_point, text);
        assert_int_equal(utf8_size(text, text + size), size);
        assert_int_equal(utf8_count((struct bytes){text, size}), 1);
    }
}

static void a_prefix_splits_no_character(void **state)
{
    (void)state;
    const struct bytes text = BYTES(
        "a\xe2\x82\xac"
        "b");

    assert_int_equal(utf8_prefix(text, 1).size, 1);
    assert_int_equal(utf8_prefix(text, 2).size, 1);
    assert_int_equal(utf8_prefix(text, 3).size, 1);
    assert_int_equal(utf8_prefix(text, 4).size, 4);
    assert_int_equal(utf8_prefix(text, 9).size, 5);
}

static void a_uuid_v7_holds_its_time_and_its_random_bits(void **state)
{
    (void)state;
    static const uint8_t RANDOM[10] = {0xff, 0x01, 0xff, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09};
    char text[UUID_TEXT_SIZE];

    const struct uuid id = uuid_v7(0x018bcfe5687b, RANDOM);
    uuid_print(&id, text);

    assert_string_equal(text, "018bcfe5-687b-7f01-bf03-040506070809");
}

static void later_ids_are_greater(void **state)
{
    (void)state;
    static const uint8_t HIGH[10] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    static const uint8_t LOW[10] = {0};

    const struct uuid early = uuid_v7(1700000000000, HIGH);
    const struct uuid late = uuid_v7(1700000000001, LOW);

    assert_true(memcmp(&early, &late, sizeof(early)) < 0);
}

static void a_uuid_is_read_in_either_case_and_written_in_lower_case(void **state)
{
    (void)state;
    struct uuid id;
    char text[UUID_TEXT_SIZE];

    assert_true(uuid_parse(BYTES("018BCFE5-687b-7F01-8203-0405060708Fa"), &id));
    uuid_print(&id, text);

    assert_string_equal(text, "018bcfe5-687b-7f01-8203-0405060708fa");
    struct uuid again;
    assert_true(uuid_parse(bytes_of(text), &again) && uuid_equal(&id, &again));
}

static void what_is_no_uuid_is_refused(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {NULL,
                                        "",
                                        "018bcfe5687b7f0182030405060708fa",
                                        "018bcfe5-687b-7f01-8203-0405060708f",
                                        "018bcfe5-687b-7f01-8203-0405060708faa",
                                        "018bcfe5-687b-7f01-8203-0405060708fg",
                                        "018bcfe5+687b-7f01-8203-0405060708fa",
                                        "018bcfe56-87b-7f01-8203-0405060708fa",
                                        "{18bcfe5-687b-7f01-8203-0405060708f}",
                                        "018bcfe5-687b-7f01-8203- 405060708fa"};

    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct uuid id;
        assert_false(uuid_parse(bytes_of(TEXTS[i]), &id));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_is_not_empty),
        cmocka_unit_test(order_is_by_bytes_and_a_prefix_comes_first),
        cmocka_unit_test(a_copy_is_independent),
        cmocka_unit_test(a_buffer_grows_and_stays_terminated),
        cmocka_unit_test(a_buffer_does_not_move_while_what_was_expected_comes),
        cmocka_unit_test(a_buffer_takes_nothing_and_nul_bytes),
        cmocka_unit_test(only_what_rfc_3629_allows_is_utf8),
        cmocka_unit_test(every_code_point_is_written_and_read_again),
        cmocka_unit_test(a_prefix_splits_no_character),
        cmocka_unit_test(a_uuid_v7_holds_its_time_and_its_random_bits),
        cmocka_unit_test(later_ids_are_greater),
        cmocka_unit_test(a_uuid_is_read_in_either_case_and_written_in_lower_case),
        cmocka_unit_test(what_is_no_uuid_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
