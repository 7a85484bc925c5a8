/* The request target, taken apart. */
#include "api/uri.h"

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

static struct uri parse(const char *target)
{
    struct uri uri = {0};
    const char *what = NULL;
    if (!uri_parse(bytes_of(target), &arena, &uri, &what)) fail_msg("%s: %s", target, what);
    return uri;
}

static void assert_refused(struct bytes target)
{
    struct uri uri = {0};
    const char *what = NULL;
    if (uri_parse(target, &arena, &uri, &what)) {
        fail_msg("accepted: %.*s", (int)target.size, target.data);
    }
    assert_non_null(what);
}

static void assert_text(struct bytes found, const char *wanted)
{
    assert_true(bytes_equal_text(found, wanted));
}

static void path_and_query_come_apart_and_are_decoded(void **state)
{
    (void)state;
    const struct uri uri = parse("/v1/sagas/a%2Fb?label=team%3Dx+y&label=%C3%A4&empty&wait=");

    assert_text(uri.path, "/v1/sagas/a%2Fb");
    assert_int_equal(uri.segment_count, 3);
    assert_text(uri.segment[2], "a/b");
    assert_int_equal(uri.parameter_count, 4);
    assert_text(uri.parameters[0].value, "team=x y");
    assert_text(uri.parameters[1].value, "\xc3\xa4");
    assert_text(uri_parameter(&uri, "empty"), "");
    assert_text(uri_parameter(&uri, "wait"), "");
    assert_null(uri_parameter(&uri, "none").data);
}

static void a_plus_in_a_path_is_a_plus(void **state)
{
    (void)state;
    assert_text(parse("/a+b").segment[0], "a+b");
}

static void an_absolute_target_means_its_path(void **state)
{
    (void)state;
    assert_text(parse("http://host:80/v1/sagas?x=1").path, "/v1/sagas");
    assert_refused(BYTES("http://host"));
    assert_refused(BYTES("http:///x"));
}

static void dots_and_empty_segments_are_kept_so_that_no_route_has_them(void **state)
{
    (void)state;
    const struct uri uri = parse("/v1/../x//");

    assert_int_equal(uri.segment_count, 5);
    assert_text(uri.segment[1], "..");
    assert_text(uri.segment[3], "");
}

static void a_path_deeper_than_any_route_is_still_counted(void **state)
{
    (void)state;
    assert_int_equal(parse("/a/b/c/d/e/f/g/h/i/j").segment_count, SEGMENTS_MAX + 1);
}

static void what_could_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const char *const TARGETS[] = {
        "",       "*",        "v1/sagas", "/a%0",     "/a%zz",          "/a%",
        "/a%00b", "/a?x=%00", "/a?%g0=1", "/a b",     "/a\tb",          "/a#b",
        "/a\x7f", "/\xff",    "/a%ff",    "/a%c0%80", "/a?x=%ed%a0%80",
    };
    for (size_t i = 0; i < sizeof(TARGETS) / sizeof(TARGETS[0]); i++) {
        assert_refused(bytes_of(TARGETS[i]));
    }
    assert_refused(BYTES("/a\0b"));
}

static void more_parameters_than_anybody_needs_are_refused(void **state)
{
    (void)state;
    struct buffer target = buffer_in(&arena);
    buffer_add_text(&target, "/a?");
    for (int i = 0; i < PARAMETERS_MAX; i++) {
        buffer_add_text(&target, "x=1&");
    }
    assert_int_equal(parse(target.data).parameter_count, PARAMETERS_MAX);
    buffer_add_text(&target, "x=1");
    assert_refused(buffer_bytes(&target));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_and_query_come_apart_and_are_decoded),
        cmocka_unit_test(a_plus_in_a_path_is_a_plus),
        cmocka_unit_test(an_absolute_target_means_its_path),
        cmocka_unit_test(dots_and_empty_segments_are_kept_so_that_no_route_has_them),
        cmocka_unit_test(a_path_deeper_than_any_route_is_still_counted),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(more_parameters_than_anybody_needs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
