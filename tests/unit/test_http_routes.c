/* The table of routes, and the document that promises it. */
#include "api/documents.h"
#include "api/routes.h"
#include "sagas/base/json_view.h"

#include <ctype.h>
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

struct found {
    enum route_match match;
    const struct route *route;
    struct bytes argument[ARGUMENTS_MAX];
    char allow[ALLOW_SIZE];
};

static struct found find(enum side side, const char *method, const char *target)
{
    struct found found = {0};
    struct uri uri = {0};
    const char *what = NULL;
    assert_true(uri_parse(bytes_of(target), &arena, &uri, &what));
    found.match =
        routes_find(side, bytes_of(method), &uri, &found.route, found.argument, found.allow);
    return found;
}

static void assert_pattern(const char *method, const char *target, const char *pattern)
{
    const struct found found = find(SIDE_API, method, target);
    assert_int_equal(found.match, ROUTE_FOUND);
    assert_string_equal(found.route->pattern, pattern);
}

static void every_route_is_found_by_its_own_pattern(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const struct found found = find(SIDE_API, ROUTES[i].method, ROUTES[i].pattern);
        /* Braces are no special characters of a path: a pattern fits itself. */
        struct buffer target = buffer_in(&arena);
        for (const char *c = ROUTES[i].pattern; *c != '\0'; c++) {
            if (*c != '{' && *c != '}') buffer_add_char(&target, *c);
        }
        assert_int_equal(found.match, ROUTE_FOUND);
        assert_ptr_equal(find(SIDE_API, ROUTES[i].method, target.data).route, &ROUTES[i]);
    }
}

static void braces_stand_for_one_segment_that_is_not_empty(void **state)
{
    (void)state;
    const struct found found = find(SIDE_API, "POST", "/v1/sagas/7/steps/pay%2F1/retry");
    assert_int_equal(found.match, ROUTE_FOUND);
    assert_true(bytes_equal_text(found.argument[0], "7"));
    assert_true(bytes_equal_text(found.argument[1], "pay/1"));
    assert_int_equal(find(SIDE_API, "GET", "/v1/sagas/").match, ROUTE_NO_PATH);
    assert_int_equal(find(SIDE_API, "GET", "/v1/sagas/7/").match, ROUTE_NO_PATH);
    assert_int_equal(find(SIDE_API, "GET", "/v1//7").match, ROUTE_NO_PATH);
    assert_int_equal(find(SIDE_API, "GET", "/").match, ROUTE_NO_PATH);
    assert_int_equal(find(SIDE_API, "GET", "/a/b/c/d/e/f/g/h/i").match, ROUTE_NO_PATH);
}

static void a_literal_goes_before_braces(void **state)
{
    (void)state;
    assert_pattern("POST", "/v1/sagas/bulk", "/v1/sagas/bulk");
    assert_pattern("GET", "/v1/sagas/bulk", "/v1/sagas/{id}");
    assert_pattern("POST", "/v1/definitions/validate", "/v1/definitions/validate");
}

static void a_wrong_method_is_told_the_right_ones(void **state)
{
    (void)state;
    const struct found found = find(SIDE_API, "DELETE", "/v1/sagas");
    assert_int_equal(found.match, ROUTE_NO_METHOD);
    assert_string_equal(found.allow, "POST, GET, HEAD");
    assert_int_equal(find(SIDE_API, "get", "/v1/sagas").match, ROUTE_NO_METHOD);
}

static void the_admin_listener_serves_no_sagas(void **state)
{
    (void)state;
    assert_int_equal(find(SIDE_ADMIN, "GET", "/livez").match, ROUTE_FOUND);
    assert_int_equal(find(SIDE_ADMIN, "GET", "/metrics").match, ROUTE_FOUND);
    assert_int_equal(find(SIDE_ADMIN, "GET", "/v1/sagas").match, ROUTE_NO_PATH);
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (strncmp(ROUTES[i].pattern, "/v1", 3) == 0) assert_int_equal(ROUTES[i].side, SIDE_API);
    }
}

static void only_replies_and_documents_need_no_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const bool is_of_api = strncmp(ROUTES[i].pattern, "/v1", 3) == 0;
        if (is_of_api && strcmp(ROUTES[i].pattern, "/v1/replies") != 0) {
            assert_true(ROUTES[i].role >= ROLE_READER);
        }
        const bool changes_nothing = strstr(ROUTES[i].pattern, "validate") != NULL ||
                                     strstr(ROUTES[i].pattern, "simulate") != NULL ||
                                     strstr(ROUTES[i].pattern, "impact") != NULL;
        if (is_of_api && strcmp(ROUTES[i].method, "POST") == 0 && !changes_nothing &&
            ROUTES[i].role != ROLE_NOBODY) {
            assert_true(ROUTES[i].role >= ROLE_SUBMITTER);
        }
    }
}

static void known_parameters_are_whole_words(void **state)
{
    (void)state;
    const struct route *const route = find(SIDE_API, "GET", "/v1/sagas").route;
    assert_true(route_knows(route, BYTES("state")));
    assert_true(route_knows(route, BYTES("cursor")));
    assert_false(route_knows(route, BYTES("stat")));
    assert_false(route_knows(route, BYTES("")));
    assert_false(route_knows(route, BYTES("state definition")));
}

/* ---- the document ---- */

static const struct json_view *document(void)
{
    static const struct json_view *view;
    struct json_error error;
    if (view == NULL && !json_view_parse(document_openapi(), &arena, &view, &error)) {
        fail_msg("openapi.json, byte %zu: %s", error.offset, error.what);
    }
    return view;
}

static const struct json_view *operation_of(const struct route *route)
{
    char method[8] = {0};
    for (size_t i = 0; route->method[i] != '\0'; i++) {
        method[i] = (char)tolower(route->method[i]);
    }
    const struct json_view *const path =
        json_view_member(json_view_member(document(), "paths"), route->pattern);
    return path == NULL ? NULL : json_view_member(path, method);
}

static void the_document_has_every_route_with_its_role(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const struct json_view *const operation = operation_of(&ROUTES[i]);
        if (operation == NULL) fail_msg("%s %s", ROUTES[i].method, ROUTES[i].pattern);
        assert_true(bytes_equal_text(json_view_member(operation, "x-role")->string,
                                     role_name(ROUTES[i].role)));
    }
}

static void the_document_has_no_route_that_is_not_there(void **state)
{
    (void)state;
    size_t count = 0;
    const struct json_view *path = json_view_member(document(), "paths")->child;
    for (; path != NULL; path = path->next) {
        count += path->count;
    }
    assert_int_equal(count, ROUTE_COUNT);
}

/* The component that a {"$ref": "#/components/.."} names. */
static const struct json_view *resolve(const struct json_view *reference)
{
    const struct bytes text = bytes_copy(&arena, json_view_member(reference, "$ref")->string);
    const struct json_view *view = document();
    const char *at = text.data + 1;
    while (*at == '/' && view != NULL) {
        const size_t size = strcspn(at + 1, "/");
        view = json_view_member_bytes(view, (struct bytes){at + 1, size});
        at += 1 + size;
    }
    return view;
}

static void the_document_has_every_query_parameter(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const struct json_view *const list =
            json_view_member(operation_of(&ROUTES[i]), "parameters");
        size_t in_query = 0;
        const struct json_view *item = list == NULL ? NULL : list->child;
        for (; item != NULL; item = item->next) {
            const struct json_view *const parameter = resolve(item);
            assert_non_null(parameter);
            if (!bytes_equal_text(json_view_member(parameter, "in")->string, "query")) continue;
            in_query++;
            assert_true(route_knows(&ROUTES[i], json_view_member(parameter, "name")->string));
        }
        size_t known = ROUTES[i].query[0] == '\0' ? 0 : 1;
        for (const char *c = ROUTES[i].query; *c != '\0'; c++) {
            known += *c == ' ';
        }
        assert_int_equal(in_query, known);
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the document */
static void check_references(const struct json_view *view)
{
    for (const struct json_view *child = view->child; child != NULL; child = child->next) {
        if (bytes_equal_text(child->key, "$ref") && child->string.data[0] == '#') {
            if (resolve(view) == NULL) {
                fail_msg("%.*s leads nowhere", (int)child->string.size, child->string.data);
            }
        }
        check_references(child);
    }
}

static void every_reference_of_the_document_leads_somewhere(void **state)
{
    (void)state;
    check_references(document());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_found_by_its_own_pattern),
        cmocka_unit_test(braces_stand_for_one_segment_that_is_not_empty),
        cmocka_unit_test(a_literal_goes_before_braces),
        cmocka_unit_test(a_wrong_method_is_told_the_right_ones),
        cmocka_unit_test(the_admin_listener_serves_no_sagas),
        cmocka_unit_test(only_replies_and_documents_need_no_key),
        cmocka_unit_test(known_parameters_are_whole_words),
        cmocka_unit_test(the_document_has_every_route_with_its_role),
        cmocka_unit_test(the_document_has_no_route_that_is_not_there),
        cmocka_unit_test(the_document_has_every_query_parameter),
        cmocka_unit_test(every_reference_of_the_document_leads_somewhere),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
