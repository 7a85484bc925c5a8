/* Problems: the table, faults of bodies, and the shape that clients see. */
#include "api/body.h"
#include "api/problem.h"

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

static void every_problem_has_a_row_of_its_own(void **state)
{
    (void)state;
    for (enum problem problem = PROBLEM_NONE + 1; problem < PROBLEM_COUNT; problem++) {
        const struct problem_row *const row = problem_row(problem);
        assert_in_range(row->status, 400, 599);
        assert_true(strlen(row->title) > 0 && strlen(row->cause) > 0 && strlen(row->fix) > 0);
        assert_int_equal(strspn(row->slug, "abcdefghijklmnopqrstuvwxyz-"), strlen(row->slug));
        assert_int_equal(problem_by_slug(bytes_of(row->slug)), problem);
        assert_true(row->retryable == (row->status == 429 || row->status >= 500));
    }
    assert_int_equal(problem_by_slug(BYTES("none-such")), PROBLEM_NONE);
}

static void every_page_is_sound(void **state)
{
    (void)state;
    for (enum problem problem = PROBLEM_NONE + 1; problem < PROBLEM_COUNT; problem++) {
        struct buffer json = buffer_in(&arena);
        struct buffer html = buffer_in(&arena);
        const struct json_view *view = NULL;
        struct json_error error;
        problem_write_json(&json, problem);
        problem_write_html(&html, problem);
        assert_true(json_view_parse(buffer_bytes(&json), &arena, &view, &error));
        assert_non_null(strstr(html.data, "<h2>Fix</h2>"));
    }
}

static const struct json_view *written(const struct refusal *refusal)
{
    struct buffer json = buffer_in(&arena);
    const struct json_view *view = NULL;
    struct json_error error;
    problem_write(&json, refusal, "r-1");
    assert_true(json_view_parse(buffer_bytes(&json), &arena, &view, &error));
    return view;
}

static void a_problem_is_written_as_rfc_9457_says(void **state)
{
    (void)state;
    struct refusal refusal = {.arena = &arena};
    assert_false(refuse(&refusal, PROBLEM_STALE, "the ETag is \"%d\"", 7));

    const struct json_view *const view = written(&refusal);

    assert_true(bytes_equal_text(json_view_member(view, "type")->string, "/problems/stale"));
    assert_true(bytes_equal_text(json_view_member(view, "status")->text, "412"));
    assert_true(bytes_equal_text(json_view_member(view, "detail")->string, "the ETag is \"7\""));
    assert_true(bytes_equal_text(json_view_member(view, "request_id")->string, "r-1"));
    assert_true(bytes_equal_text(json_view_member(view, "retryable")->text, "false"));
    assert_int_equal(json_view_member(view, "errors")->count, 0);
}

static void the_first_problem_stays_and_faults_add_up_to_a_bound(void **state)
{
    (void)state;
    struct refusal refusal = {.arena = &arena};
    for (int i = 0; i < FAULTS_MAX + 5; i++) {
        assert_false(refuse_at(&refusal, BYTES("/x"), "number %d", i));
    }
    assert_false(refuse(&refusal, PROBLEM_INTERNAL, "later"));

    assert_int_equal(refusal.problem, PROBLEM_INVALID);
    assert_int_equal(json_view_member(written(&refusal), "errors")->count, FAULTS_MAX);
}

/* ---- bodies ---- */

static const struct member MEMBERS[] = {
    {"name", IS_STRING,             MEMBER_REQUIRED},
    {"size", IS_NUMBER,             MEMBER_OPTIONAL},
    {"what", IS_STRING | IS_OBJECT, MEMBER_OPTIONAL},
};

static struct refusal read_members(const char *text)
{
    struct refusal refusal = {.arena = &arena};
    const struct json_view *view = NULL;
    const struct json_view *value[3];
    if (body_parse(bytes_of(text), &refusal, &view)) {
        (void)body_members(view, MEMBERS, 3, BYTES("/items/3"), &refusal, value);
    }
    return refusal;
}

static void assert_fault(const char *text, const char *pointer)
{
    const struct refusal refusal = read_members(text);
    assert_int_equal(refusal.problem, PROBLEM_INVALID);
    assert_int_equal(refusal.fault_count, 1);
    assert_true(bytes_equal_text(refusal.faults[0].pointer, pointer));
}

static void a_right_body_has_no_fault(void **state)
{
    (void)state;
    assert_int_equal(read_members("{\"name\":\"x\",\"what\":{}}").problem, PROBLEM_NONE);
}

static void a_fault_names_its_place(void **state)
{
    (void)state;
    assert_fault("{\"name\":\"x\",\"siez\":1}", "/items/3/siez");
    assert_fault("{\"name\":\"x\",\"a/b~c\":1}", "/items/3/a~1b~0c");
    assert_fault("{\"name\":7}", "/items/3/name");
    assert_fault("{\"size\":7}", "/items/3/name");
    assert_fault("{\"name\":\"x\",\"what\":[]}", "/items/3/what");
    assert_fault("[]", "/items/3");
}

static void all_faults_are_told_at_once(void **state)
{
    (void)state;
    assert_int_equal(read_members("{\"size\":\"x\",\"what\":1,\"more\":2}").fault_count, 4);
}

static void what_is_no_json_is_told_with_its_byte(void **state)
{
    (void)state;
    assert_int_equal(read_members("").problem, PROBLEM_INVALID_JSON);
    const struct refusal refusal = read_members("{\"name\":}");
    assert_int_equal(refusal.problem, PROBLEM_INVALID_JSON);
    assert_non_null(strstr(refusal.detail.data, "byte 8"));
    assert_int_equal(read_members("{\"name\":1,\"name\":2}").problem, PROBLEM_INVALID_JSON);
}

static void a_reason_may_be_all_there_is(void **state)
{
    (void)state;
    struct refusal refusal = {.arena = &arena};
    assert_true(body_is_reason_only(BYTES(""), &refusal));
    assert_true(body_is_reason_only(BYTES("{}"), &refusal));
    assert_true(body_is_reason_only(BYTES("{\"reason\":\"x\"}"), &refusal));
    assert_false(body_is_reason_only(BYTES("{\"raeson\":\"x\"}"), &refusal));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_problem_has_a_row_of_its_own),
        cmocka_unit_test(every_page_is_sound),
        cmocka_unit_test(a_problem_is_written_as_rfc_9457_says),
        cmocka_unit_test(the_first_problem_stays_and_faults_add_up_to_a_bound),
        cmocka_unit_test(a_right_body_has_no_fault),
        cmocka_unit_test(a_fault_names_its_place),
        cmocka_unit_test(all_faults_are_told_at_once),
        cmocka_unit_test(what_is_no_json_is_told_with_its_byte),
        cmocka_unit_test(a_reason_may_be_all_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
