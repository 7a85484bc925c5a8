/* Heads that two servers could read in two ways. */
#include "api/framing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { TEST_HEADERS_MAX = 8 };

/* framing_check of name, value pairs; NULL ends them. The answer is what is wrong, NULL when
 * nothing. */
static const char *check(const char *version, const char *const *pairs)
{
    struct header headers[TEST_HEADERS_MAX];
    size_t count = 0;
    const char *what = NULL;
    for (; pairs[2 * count] != NULL; count++) {
        headers[count] =
            (struct header){bytes_of(pairs[2 * count]), bytes_of(pairs[2 * count + 1])};
    }
    const struct head head = {version, headers, count};
    return framing_check(&head, &what) ? NULL : what;
}

#define CHECK(version, ...) check(version, (const char *const[]){__VA_ARGS__, NULL})

static void a_plain_head_is_fine(void **state)
{
    (void)state;
    assert_null(CHECK("HTTP/1.1", "Host", "localhost:8080", "Content-Length", "12"));
    assert_null(CHECK("HTTP/1.1", "host", "[::1]:8080", "transfer-encoding", "Chunked"));
    assert_null(CHECK("HTTP/1.0", "Accept", "*/*"));
    assert_null(CHECK("HTTP/1.1", "Host", "a", "X", "caf\xe9\tau lait"));
}

static void a_body_has_one_length(void **state)
{
    (void)state;
    assert_non_null(CHECK("HTTP/1.1", "Host", "a", "Content-Length", "1", "Content-Length", "2"));
    assert_non_null(CHECK("HTTP/1.1", "Host", "a", "Content-Length", "1", "content-length", "1"));
    assert_non_null(
        CHECK("HTTP/1.1", "Host", "a", "Content-Length", "1", "Transfer-Encoding", "chunked"));
    assert_non_null(CHECK("HTTP/1.1", "Host", "a", "Transfer-Encoding", "gzip, chunked"));
    assert_non_null(CHECK("HTTP/1.1", "Host", "a", "Transfer-Encoding", "identity"));
    assert_non_null(CHECK("HTTP/1.0", "Host", "a", "Transfer-Encoding", "chunked"));
    static const char *const LENGTHS[] = {
        "", "-1", "+1", "1 2", "0x10", "1,1", "9999999999999999999"};
    for (size_t i = 0; i < sizeof(LENGTHS) / sizeof(LENGTHS[0]); i++) {
        assert_non_null(CHECK("HTTP/1.1", "Host", "a", "Content-Length", LENGTHS[i]));
    }
}

static void a_request_has_one_host(void **state)
{
    (void)state;
    assert_non_null(CHECK("HTTP/1.1", "Accept", "*/*"));
    assert_non_null(CHECK("HTTP/1.1", "Host", "a", "Host", "b"));
    assert_non_null(CHECK("HTTP/1.1", "Host", "a b"));
    assert_non_null(CHECK("HTTP/1.1", "Host", "user@a"));
    assert_non_null(CHECK("HTTP/1.1", "Host", "a/b"));
}

static void names_are_tokens_and_values_hold_no_controls(void **state)
{
    (void)state;
    assert_non_null(CHECK("HTTP/1.1", "Host", "a", "X ", "1"));
    assert_non_null(CHECK("HTTP/1.1", "Host", "a", " X", "1"));
    assert_non_null(CHECK("HTTP/1.1", "Host", "a", "", "1"));
    assert_non_null(CHECK("HTTP/1.1", "Host", "a", "X\xc3\xa4", "1"));
    assert_non_null(CHECK("HTTP/1.1", "Host", "a", "X", "1\r2"));
    assert_non_null(CHECK("HTTP/1.1", "Host", "a", "X", "\x7f"));
}

static void credentials_and_preconditions_come_once(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"Authorization", "Idempotency-Key", "If-Match",
                                        "If-None-Match", "Content-Type",    "traceparent"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        assert_non_null(CHECK("HTTP/1.1", "Host", "a", NAMES[i], "1", NAMES[i], "1"));
    }
}

/* ---- the walk over a block that was parsed in place ---- */

/* `head` as it came, with the names and values that somebody lenient would have made of it. */
static bool walk(struct bytes head, const struct bytes *names, const struct bytes *values,
                 size_t count)
{
    static char block[256];
    struct header headers[TEST_HEADERS_MAX];
    const char *what = NULL;
    char *at = block;
    memcpy(block, head.data, head.size);
    for (size_t i = 0; i < head.size; i++) {
        if (block[i] == '\n') {
            block[i] = '\0';
            if (i > 0 && block[i - 1] == '\r') block[i - 1] = '\0';
        }
    }
    for (size_t i = 0; i < count; i++) {
        /* What a test looks for is in its head: found after the header before it. */
        char *name = at;
        while (memcmp(name, names[i].data, names[i].size) != 0) {
            name++;
            assert_true(name < block + head.size);
        }
        name[names[i].size] = '\0';
        char *const value = name + names[i].size + 1 + strspn(name + names[i].size + 1, " \t");
        headers[i] = (struct header){
            {name,  names[i].size },
            {value, values[i].size}
        };
        at = value + values[i].size;
    }
    const struct head_block walked = {block, block + head.size};
    return framing_walk(&walked, headers, count, &what);
}

#define NAMES(...) ((const struct bytes[]){__VA_ARGS__})

static void lines_that_end_with_crlf_are_walked_to_the_end(void **state)
{
    (void)state;
    assert_true(walk(BYTES("HTTP/1.1\r\n\r\n"), NULL, NULL, 0));
    assert_true(walk(BYTES("HTTP/1.1\r\nHost: a\r\nB:\t c d\r\nC:\r\n\r\n"),
                     NAMES(BYTES("Host"), BYTES("B"), BYTES("C")),
                     NAMES(BYTES("a"), BYTES("c d"), BYTES("")), 3));
}

static void a_bare_line_feed_is_seen(void **state)
{
    (void)state;
    const struct bytes *const names = NAMES(BYTES("Host"));
    const struct bytes *const values = NAMES(BYTES("a"));
    assert_false(walk(BYTES("HTTP/1.1\nHost: a\r\n\r\n"), names, values, 1));
    assert_false(walk(BYTES("HTTP/1.1\r\nHost: a\n\r\n"), names, values, 1));
    assert_false(walk(BYTES("HTTP/1.1\r\nHost: a\r\n\n"), names, values, 1));
    assert_false(walk(BYTES("HTTP/1.1\r\nHost: a\n\n"), names, values, 1));
}

static void a_nul_in_a_value_is_seen(void **state)
{
    (void)state;
    const struct bytes *const names = NAMES(BYTES("Host"));
    const struct bytes *const values = NAMES(BYTES("a"));
    assert_false(walk(BYTES("HTTP/1.1\r\nHost: a\0b\r\n\r\n"), names, values, 1));
    assert_false(walk(BYTES("HTTP/1.1\r\nHost: a\0\0b\r\n\r\n"), names, values, 1));
    assert_false(walk(BYTES("HTTP/1.1\r\nHost: a\0\r\n\r\n"), names, values, 1));
    assert_false(walk(BYTES("HTTP/1.1\r\nHost: a\0\0B\0 w\r\n\r\n"), names, values, 1));
}

static void a_folded_line_is_seen(void **state)
{
    (void)state;
    assert_false(walk(BYTES("HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"), NAMES(BYTES("Host")),
                      NAMES(BYTES("a")), 1));
}

static void a_header_that_was_moved_or_left_out_is_seen(void **state)
{
    (void)state;
    assert_false(walk(BYTES("HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n"), NAMES(BYTES("Host")),
                      NAMES(BYTES("a")), 1));
    assert_false(walk(BYTES("HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n"), NAMES(BYTES("B")),
                      NAMES(BYTES("c")), 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_head_is_fine),
        cmocka_unit_test(a_body_has_one_length),
        cmocka_unit_test(a_request_has_one_host),
        cmocka_unit_test(names_are_tokens_and_values_hold_no_controls),
        cmocka_unit_test(credentials_and_preconditions_come_once),
        cmocka_unit_test(lines_that_end_with_crlf_are_walked_to_the_end),
        cmocka_unit_test(a_bare_line_feed_is_seen),
        cmocka_unit_test(a_nul_in_a_value_is_seen),
        cmocka_unit_test(a_folded_line_is_seen),
        cmocka_unit_test(a_header_that_was_moved_or_left_out_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
