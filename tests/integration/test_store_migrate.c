#include "tests/integration/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_second_migration_has_nothing_to_do(void **state)
{
    (void)state;
    const char *const url = given_database();
    uint32_t from = 99;
    uint32_t to = 99;

    OK(store_migrate(url, &from, &to, &err));
    assert_int_equal(from, 0);
    assert_int_equal(to, store_schema_newest());
    OK(store_migrate(url, &from, &to, &err));
    assert_int_equal(from, store_schema_newest());
    assert_int_equal(to, store_schema_newest());
}

static void five_processes_migrate_at_once(void **state)
{
    (void)state;
    enum { PROCESSES = 5 };
    const char *const url = given_database();
    pid_t children[PROCESSES];
    for (size_t i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] != 0) continue;
        uint32_t from = 0;
        uint32_t to = 0;
        struct err err = {0};
        const bool done = store_migrate(url, &from, &to, &err);
        if (!done) (void)fprintf(stderr, "%s\n", err.text);
        _exit(done ? (int)from : 100);
    }

    int first = 0;
    for (size_t i = 0; i < PROCESSES; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 100);
        first += WEXITSTATUS(status) == 0;
    }
    assert_int_equal(first, 1);
    assert_string_equal(ask_at(url, "select count(*) = max(version) from sagad.schema_version"),
                        "t");
}

static void assert_fails(const char *url, enum err_kind kind, const char *words)
{
    uint32_t from = 0;
    uint32_t to = 0;
    struct err err = {0};
    assert_false(store_migrate(url, &from, &to, &err));
    if (strstr(err.text, words) == NULL) fail_msg("%s", err.text);
    assert_int_equal(err.kind, kind);
}

static void assert_not_opened(const char *url, const char *words)
{
    const struct store_options options = {.url = url, .namespace_name = "n", .role = "test"};
    struct store *store = NULL;
    struct err err = {0};
    assert_false(store_open(&options, &store, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    if (strstr(err.text, words) == NULL) fail_msg("%s", err.text);
}

static void a_database_without_tables_names_the_cure(void **state)
{
    (void)state;
    assert_not_opened(given_database(), "run sagad migrate");
}

static void a_newer_database_is_refused(void **state)
{
    (void)state;
    const char *const url = given_database();
    uint32_t from = 0;
    uint32_t to = 0;
    OK(store_migrate(url, &from, &to, &err));
    (void)ask_at(url,
                 "insert into sagad.schema_version (version, name, checksum) "
                 "values (999, '0999_future', '')");

    assert_fails(url, ERR_INVALID, "schema version 999");
    assert_not_opened(url, "use a newer sagad");
}

static void an_older_database_is_not_opened(void **state)
{
    (void)state;
    const char *const url = given_database();
    uint32_t from = 0;
    uint32_t to = 0;
    OK(store_migrate(url, &from, &to, &err));
    (void)ask_at(url,
                 "delete from sagad.schema_version "
                 "where version = (select max(version) from sagad.schema_version)");

    assert_not_opened(url, "run sagad migrate");
}

static void a_migration_with_other_content_is_refused(void **state)
{
    (void)state;
    const char *const url = given_database();
    uint32_t from = 0;
    uint32_t to = 0;
    OK(store_migrate(url, &from, &to, &err));
    (void)ask_at(url, "update sagad.schema_version set checksum = 'damaged' where version = 2");

    assert_fails(url, ERR_INVALID, "0002_");
}

static void a_missing_migration_is_refused(void **state)
{
    (void)state;
    const char *const url = given_database();
    uint32_t from = 0;
    uint32_t to = 0;
    OK(store_migrate(url, &from, &to, &err));
    (void)ask_at(url, "delete from sagad.schema_version where version = 1");

    assert_fails(url, ERR_INVALID, "0001_");
}

/* What failed half way leaves nothing behind and can be tried again. */
static void a_migration_that_fails_is_undone(void **state)
{
    (void)state;
    const char *const url = given_database();
    (void)ask_at(url, "create schema sagad; create table sagad.history (in_the_way int)");
    uint32_t from = 0;
    uint32_t to = 0;

    assert_fails(url, ERR_INTERNAL, "0001_");
    assert_string_equal(ask_at(url, "select to_regclass('sagad.saga') is null"), "t");

    (void)ask_at(url, "drop table sagad.history");
    OK(store_migrate(url, &from, &to, &err));
    assert_int_equal(from, 0);
}

/* An ordinary role that owns its database is all that is needed. */
static void no_superuser_is_needed(void **state)
{
    (void)state;
    const char *const owned = given_database();
    (void)ask("create role plain login");
    (void)ask("alter database %s owner to plain", strrchr(owned, '/') + 1);
    const char *const at = strchr(owned, '@');
    struct buffer url = buffer_in(&fixture_arena);
    buffer_add_text(&url, "postgresql://plain");
    buffer_add_text(&url, at);
    uint32_t from = 0;
    uint32_t to = 0;

    OK(store_migrate(url.data, &from, &to, &err));

    struct store *const store = given_store_at(url.data, "n");
    const struct saga_write saga = fresh_saga(given_id(), 1);
    commit_fresh(store, &saga, 1);
    assert_true(loaded(store, saga.id).found);
    OK(store_maintain(store, saga.created_at_ms, &err));
    int32_t node = 0;
    OK(store_node_register(store, "n", &node, &err));
    store_close(store);
}

static void the_states_in_the_database_are_those_of_the_core(void **state)
{
    (void)state;
    for (int i = 0; i < SAGA_STATE_COUNT; i++) {
        assert_string_equal(ask("select name from sagad.saga_state where state = %d", i),
                            saga_state_name((enum saga_state)i));
    }
    assert_int_equal(ask_number("select count(*) from sagad.saga_state"), SAGA_STATE_COUNT);
}

static void payloads_are_compressed_with_lz4_where_the_server_has_it(void **state)
{
    (void)state;
    if (strcmp(ask("select 'lz4' = any(enumvals) from pg_settings "
                   "where name = 'default_toast_compression'"),
               "t") != 0) {
        skip();
    }
    assert_int_equal(
        ask_number("select count(*) from pg_attribute where attcompression = 'l' "
                   "and attrelid in ('sagad.saga'::regclass, 'sagad.saga_start'::regclass, "
                   "'sagad.history'::regclass, 'sagad.definition'::regclass)"),
        9);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_migration_has_nothing_to_do),
        cmocka_unit_test(five_processes_migrate_at_once),
        cmocka_unit_test(a_database_without_tables_names_the_cure),
        cmocka_unit_test(a_newer_database_is_refused),
        cmocka_unit_test(an_older_database_is_not_opened),
        cmocka_unit_test(a_migration_with_other_content_is_refused),
        cmocka_unit_test(a_missing_migration_is_refused),
        cmocka_unit_test(a_migration_that_fails_is_undone),
        cmocka_unit_test(no_superuser_is_needed),
        cmocka_unit_test(the_states_in_the_database_are_those_of_the_core),
        cmocka_unit_test(payloads_are_compressed_with_lz4_where_the_server_has_it),
    };
    return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}

int main(void)
{
    return fixture_run_or_skip(run);
}
