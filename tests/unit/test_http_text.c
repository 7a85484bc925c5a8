/* Small texts of requests. */
#include "api/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static int release(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static int64_t at_ms(const char *text)
{
    int64_t found = -1;
    return text_time(bytes_of(text), &found) ? found : -1;
}

static void times_are_read_with_fraction_and_offset(void **state)
{
    (void)state;
    assert_int_equal(at_ms("1970-01-01T00:00:00Z"), 0);
    assert_int_equal(at_ms("2026-01-31T12:00:00.250Z"), 1769860800250);
    assert_int_equal(at_ms("2026-01-31T13:30:00.2509999+01:30"), 1769860800250);
    assert_int_equal(at_ms("2026-01-31t10:00:00-02:00"), 1769860800000);
    assert_int_equal(at_ms("2024-02-29T23:59:60Z"), at_ms("2024-02-29T23:59:59Z"));
    assert_int_equal(at_ms("2000-03-01T00:00:00Z") - at_ms("2000-02-28T00:00:00Z"), 2 * 86400000);
    assert_int_equal(at_ms("2100-03-01T00:00:00Z") - at_ms("2100-02-28T00:00:00Z"), 86400000);
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "",
        "soon",
        "2026-01-31",
        "2026-01-31T12:00Z",
        "2026-01-31T12:00:00",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:61Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00+1:00",
        "2026-01-31T12:00:00+0100",
        "2026-01-31T12:00:00Zx",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        assert_int_equal(at_ms(TEXTS[i]), -1);
    }
}

static void numbers_and_seconds_have_bounds(void **state)
{
    (void)state;
    uint64_t number = 0;
    uint32_t ms = 0;
    assert_true(text_number(BYTES("500"), 500, &number) && number == 500);
    assert_false(text_number(BYTES("501"), 500, &number));
    assert_false(text_number(BYTES(""), 500, &number));
    assert_false(text_number(BYTES("-1"), 500, &number));
    assert_false(text_number(BYTES("99999999999999999999"), UINT64_MAX, &number));
    assert_true(text_seconds(BYTES("20"), &ms) && ms == 20000);
    assert_true(text_seconds(BYTES("0.5"), &ms) && ms == 500);
    assert_true(text_seconds(BYTES("1.005"), &ms) && ms == 1005);
    assert_false(text_seconds(BYTES("1."), &ms));
    assert_false(text_seconds(BYTES("1.0005"), &ms));
    assert_false(text_seconds(BYTES("x"), &ms));
}

static void entity_tags_are_revisions_in_quotes(void **state)
{
    (void)state;
    uint32_t revision = 0;
    assert_true(text_etag(BYTES("\"7\""), ETAG_STRONG_ONLY, &revision) && revision == 7);
    assert_false(text_etag(BYTES("W/\"7\""), ETAG_STRONG_ONLY, &revision));
    assert_true(text_etag(BYTES("W/\"7\""), ETAG_WEAK_TOO, &revision) && revision == 7);
    assert_false(text_etag(BYTES("7"), ETAG_WEAK_TOO, &revision));
    assert_false(text_etag(BYTES("\"x\""), ETAG_WEAK_TOO, &revision));
    assert_true(text_etags_hold(BYTES("\"1\" , W/\"7\""), 7));
    assert_true(text_etags_hold(BYTES("*"), 7));
    assert_false(text_etags_hold(BYTES("\"1\", \"8\""), 7));
    assert_false(text_etags_hold((struct bytes){0}, 7));
}

static void a_preference_to_wait_is_found_among_others(void **state)
{
    (void)state;
    uint32_t ms = 0;
    assert_true(text_prefer_wait(BYTES("respond-async, wait=20"), &ms) && ms == 20000);
    assert_false(text_prefer_wait(BYTES("return=minimal"), &ms));
    assert_false(text_prefer_wait(BYTES("wait=soon"), &ms));
}

static void accept_is_matched_by_type_and_quality(void **state)
{
    (void)state;
    assert_true(text_accepts((struct bytes){0}, "application/json"));
    assert_true(text_accepts(BYTES("*/*"), "application/json"));
    assert_true(text_accepts(BYTES("text/html, application/*;q=0.5"), "application/json"));
    assert_true(text_accepts(BYTES("Application/JSON; charset=utf-8"), "application/json"));
    assert_false(text_accepts(BYTES("text/html"), "application/json"));
    assert_false(text_accepts(BYTES("application/json;q=0"), "application/json"));
    assert_false(text_accepts(BYTES("application/json;q=0.000"), "application/json"));
    assert_false(text_accepts(BYTES("application/jsonx"), "application/json"));
}

static void media_types_are_compared_without_parameters(void **state)
{
    (void)state;
    assert_true(text_is_media_type(BYTES("application/json"), "application/json"));
    assert_true(text_is_media_type(BYTES("APPLICATION/json ; charset=utf-8"), "application/json"));
    assert_false(text_is_media_type(BYTES("application/json-seq"), "application/json"));
    assert_false(text_is_media_type(BYTES("text/plain"), "application/json"));
}

static void keys_and_request_ids_have_their_alphabets(void **state)
{
    (void)state;
    char long_key[257];
    memset(long_key, 'x', sizeof(long_key));
    assert_true(text_is_key(BYTES("order/7~!")));
    assert_true(text_is_key((struct bytes){long_key, 255}));
    assert_false(text_is_key((struct bytes){long_key, 256}));
    assert_false(text_is_key(BYTES("")));
    assert_false(text_is_key(BYTES("a b")));
    assert_false(text_is_key(BYTES("\xc3\xa4")));
    assert_true(text_is_request_id(BYTES("a-B.1_2")));
    assert_false(text_is_request_id(BYTES("a\"b")));
    assert_false(text_is_request_id((struct bytes){long_key, 65}));
}

static void a_traceparent_has_its_form(void **state)
{
    (void)state;
    assert_true(
        text_is_traceparent(BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")));
    assert_false(
        text_is_traceparent(BYTES("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")));
    assert_false(
        text_is_traceparent(BYTES("00-00000000000000000000000000000000-00f067aa0ba902b7-01")));
    assert_false(
        text_is_traceparent(BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01")));
    assert_false(
        text_is_traceparent(BYTES("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01")));
    assert_false(text_is_traceparent(BYTES("00-4bf9")));
}

static void base64url_comes_back(void **state)
{
    (void)state;
    struct bytes back = {0};
    const struct bytes text = text_base64url(&arena, "\0\xff\xfe", 3);
    assert_true(bytes_equal_text(text, "AP_-"));
    assert_true(text_base64url_read(text, &arena, &back));
    assert_true(bytes_equal(back, BYTES("\0\xff\xfe")));
    assert_false(text_base64url_read(BYTES("a b"), &arena, &back));
    assert_false(text_base64url_read(BYTES("AP/+"), &arena, &back));
    assert_true(bytes_equal_text(text_base64(&arena, "\0\xff\xfe!", 4), "AP/+IQ=="));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_with_fraction_and_offset),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(numbers_and_seconds_have_bounds),
        cmocka_unit_test(entity_tags_are_revisions_in_quotes),
        cmocka_unit_test(a_preference_to_wait_is_found_among_others),
        cmocka_unit_test(accept_is_matched_by_type_and_quality),
        cmocka_unit_test(media_types_are_compared_without_parameters),
        cmocka_unit_test(keys_and_request_ids_have_their_alphabets),
        cmocka_unit_test(a_traceparent_has_its_form),
        cmocka_unit_test(base64url_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
