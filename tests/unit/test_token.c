/*
 * tests/unit/test_token.c
 *   Reply tokens: read back what was written, refuse everything else.
 */
#include "orchestrator/bus/token.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct token_keys keys_of(uint8_t first, uint8_t second)
{
    struct token_keys keys = {.count = second == 0 ? 1 : 2};
    memset(keys.key[0], first, TOKEN_KEY_SIZE);
    memset(keys.key[1], second, TOKEN_KEY_SIZE);
    return keys;
}

static struct token any_token(void)
{
    struct token token = {.op = OP_COMPENSATE, .attempt = 70000, .index = 999};
    memset(token.saga_id.byte, 0xa7, sizeof token.saga_id.byte);
    strcpy(token.step_id, "charge");
    return token;
}

static void assert_same(const struct token *a, const struct token *b)
{
    assert_true(uuid_equal(&a->saga_id, &b->saga_id));
    assert_int_equal(a->op, b->op);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->index, b->index);
    assert_string_equal(a->step_id, b->step_id);
}

static void assert_forged(const struct token_keys *keys, struct bytes text)
{
    struct token token;
    assert_int_equal(token_parse(keys, text, &token), TOKEN_FORGED);
}

static void a_token_reads_back_as_it_was_written(void **state)
{
    (void)state;
    const struct token_keys keys = keys_of(1, 0);
    struct token written = any_token(), read;
    char text[TOKEN_TEXT_MAX + 1];

    size_t size = token_print(&keys, &written, text);
    assert_int_equal(size, strlen(text));
    assert_int_equal(token_parse(&keys, (struct bytes){text, size}, &read), TOKEN_VALID);
    assert_same(&read, &written);

    written.index = INDEX_NONE;
    written.op = OP_ACTION;
    size = token_print(&keys, &written, text);
    assert_int_equal(token_parse(&keys, (struct bytes){text, size}, &read), TOKEN_VALID);
    assert_same(&read, &written);
}

static void the_longest_step_id_fits_into_200_bytes(void **state)
{
    (void)state;
    const struct token_keys keys = keys_of(1, 0);
    struct token written = any_token(), read;
    char text[TOKEN_TEXT_MAX + 1];
    memset(written.step_id, 's', IDENT_SIZE_MAX);

    const size_t size = token_print(&keys, &written, text);

    assert_true(size <= TOKEN_TEXT_MAX);
    assert_int_equal(token_parse(&keys, (struct bytes){text, size}, &read), TOKEN_VALID);
    assert_same(&read, &written);
}

static void no_bit_can_be_changed(void **state)
{
    (void)state;
    const struct token_keys keys = keys_of(1, 0);
    const struct token written = any_token();
    char text[TOKEN_TEXT_MAX + 1];
    const size_t size = token_print(&keys, &written, text);

    for (size_t i = 0; i < size; i++) {
        const char before = text[i];
        for (int c = 0; c < 256; c++) {
            if ((char)c == before) continue;
            text[i] = (char)c;
            assert_forged(&keys, (struct bytes){text, size});
        }
        text[i] = before;
    }
}

static void nothing_can_be_cut_off_or_added(void **state)
{
    (void)state;
    const struct token_keys keys = keys_of(1, 0);
    const struct token written = any_token();
    char text[TOKEN_TEXT_MAX + 2];
    const size_t size = token_print(&keys, &written, text);

    for (size_t cut = 0; cut < size; cut++) {
        assert_forged(&keys, (struct bytes){text, cut});
    }
    const char tails[] = {'A', '=', '\n', ' ', '.', '\0'};
    for (size_t i = 0; i < sizeof tails; i++) {
        text[size] = tails[i];
        assert_forged(&keys, (struct bytes){text, size + 1});
    }
}

static void what_is_no_token_is_refused(void **state)
{
    (void)state;
    const struct token_keys keys = keys_of(1, 0);
    char long_text[TOKEN_TEXT_MAX + 2];
    memset(long_text, 'A', sizeof long_text);

    assert_forged(&keys, (struct bytes){0});
    assert_forged(&keys, BYTES(""));
    assert_forged(&keys, BYTES("AQ"));
    assert_forged(&keys, BYTES("not base64 at all!"));
    assert_forged(&keys, (struct bytes){long_text, TOKEN_TEXT_MAX});
    assert_forged(&keys, (struct bytes){long_text, TOKEN_TEXT_MAX + 1});
}

static void a_token_of_another_key_is_refused(void **state)
{
    (void)state;
    const struct token_keys ours = keys_of(1, 0), theirs = keys_of(2, 0);
    const struct token written = any_token();
    char text[TOKEN_TEXT_MAX + 1];

    const size_t size = token_print(&theirs, &written, text);

    assert_forged(&ours, (struct bytes){text, size});
}

static void keys_rotate_without_a_pause(void **state)
{
    (void)state;
    const struct token_keys before = keys_of(1, 0), during = keys_of(2, 1), after = keys_of(2, 0);
    const struct token written = any_token();
    struct token read;
    char old_text[TOKEN_TEXT_MAX + 1], new_text[TOKEN_TEXT_MAX + 1];

    const size_t old_size = token_print(&before, &written, old_text);
    const size_t new_size = token_print(&during, &written, new_text);
    const struct bytes old_token = {old_text, old_size}, new_token = {new_text, new_size};

    assert_int_equal(token_parse(&during, old_token, &read), TOKEN_VALID);
    assert_int_equal(token_parse(&during, new_token, &read), TOKEN_VALID);
    assert_int_equal(token_parse(&after, new_token, &read), TOKEN_VALID);
    assert_forged(&after, old_token);
}

static void tokens_of_different_commands_differ(void **state)
{
    (void)state;
    const struct token_keys keys = keys_of(1, 0);
    struct token token = any_token();
    char first[TOKEN_TEXT_MAX + 1], second[TOKEN_TEXT_MAX + 1];

    token_print(&keys, &token, first);
    token.attempt++;
    token_print(&keys, &token, second);

    assert_string_not_equal(first, second);
}

int main(void)
{
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_reads_back_as_it_was_written),
        cmocka_unit_test(the_longest_step_id_fits_into_200_bytes),
        cmocka_unit_test(no_bit_can_be_changed),
        cmocka_unit_test(nothing_can_be_cut_off_or_added),
        cmocka_unit_test(what_is_no_token_is_refused),
        cmocka_unit_test(a_token_of_another_key_is_refused),
        cmocka_unit_test(keys_rotate_without_a_pause),
        cmocka_unit_test(tokens_of_different_commands_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
