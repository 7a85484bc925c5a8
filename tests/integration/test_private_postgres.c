#include "orchestrator/base/clock.h"
#include "orchestrator/dev/private_postgres.h"

#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct private_postgres *given_postgres(const char *directory)
{
    struct private_postgres *postgres = NULL;
    struct err err = {0};
    if (!private_postgres_start(directory, NULL, &postgres, &err)) fail_msg("%s", err.text);
    return postgres;
}

/* The first value of the answer; asserts that there is one. */
static void ask(const char *url, const char *sql, char ret_value[256])
{
    PGconn *connection = PQconnectdb(url);
    if (PQstatus(connection) != CONNECTION_OK) fail_msg("%s", PQerrorMessage(connection));
    PGresult *result = PQexec(connection, sql);
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_FATAL_ERROR) fail_msg("%s", PQerrorMessage(connection));
    (void)snprintf(ret_value, 256, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(connection);
}

static bool answers(const char *url)
{
    PGconn *connection = PQconnectdb(url);
    const bool up = PQstatus(connection) == CONNECTION_OK;
    PQfinish(connection);
    return up;
}

static bool goes_away(const char *url, const char *directory)
{
    const int64_t deadline_ms = clock_monotonic_ms() + 20000;
    while (answers(url) || access(directory, F_OK) == 0) {
        if (clock_monotonic_ms() > deadline_ms) return false;
        (void)poll(NULL, 0, 20);
    }
    return true;
}

static void a_temporary_cluster_is_durable_private_and_leaves_nothing(void **state)
{
    (void)state;
    struct private_postgres *postgres = given_postgres(NULL);
    char value[256];
    char directory[256];
    char url[128];
    (void)snprintf(url, sizeof url, "%s", private_postgres_url(postgres));

    ask(url, "show fsync", value);
    assert_string_equal(value, "on");
    ask(url, "show listen_addresses", value);
    assert_string_equal(value, "127.0.0.1");
    ask(url, "show data_directory", directory);

    private_postgres_stop(postgres);
    assert_false(answers(url));
    assert_int_not_equal(access(directory, F_OK), 0);
}

static void a_crash_keeps_the_port_and_what_was_committed(void **state)
{
    (void)state;
    struct private_postgres *postgres = given_postgres(NULL);
    struct err err = {0};
    char value[256];
    ask(private_postgres_url(postgres), "create table kept as select 42 as n", value);

    if (!private_postgres_crash(postgres, &err)) fail_msg("%s", err.text);

    ask(private_postgres_url(postgres), "select n from kept", value);
    assert_string_equal(value, "42");
    private_postgres_stop(postgres);
}

static void a_kept_directory_is_used_again_with_new_settings(void **state)
{
    (void)state;
    char directory[] = "/tmp/sagad-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char value[256];
    struct private_postgres *first = given_postgres(directory);
    ask(private_postgres_url(first), "create table kept as select 7 as n", value);
    private_postgres_stop(first);

    struct private_postgres *second = NULL;
    struct err err = {0};
    if (!private_postgres_start(directory, "work_mem = '7MB'\n", &second, &err)) {
        fail_msg("%s", err.text);
    }

    ask(private_postgres_url(second), "select n from kept", value);
    assert_string_equal(value, "7");
    ask(private_postgres_url(second), "show work_mem", value);
    assert_string_equal(value, "7MB");
    private_postgres_stop(second);
    char remove[64];
    (void)snprintf(remove, sizeof remove, "rm -rf %s", directory);
    assert_int_equal(system(remove), 0); /* NOLINT(cert-env33-c): a fixed command */
}

static void a_directory_in_use_is_refused_and_names_the_process(void **state)
{
    (void)state;
    char directory[] = "/tmp/sagad-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    struct private_postgres *first = given_postgres(directory);

    struct private_postgres *second = NULL;
    struct err err = {0};
    assert_false(private_postgres_start(directory, NULL, &second, &err));

    char expected[64];
    (void)snprintf(expected, sizeof expected, "in use by process %d", (int)getpid());
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.text, expected));
    assert_true(answers(private_postgres_url(first)));
    private_postgres_stop(first);
    char remove[64];
    (void)snprintf(remove, sizeof remove, "rm -rf %s", directory);
    assert_int_equal(system(remove), 0); /* NOLINT(cert-env33-c): a fixed command */
}

/* Two of them, so that neither watcher keeps the other one's alive. */
static void servers_end_when_their_owner_is_killed(void **state)
{
    (void)state;
    int words[2];
    assert_int_equal(pipe(words), 0);
    const pid_t owner = fork();
    if (owner == 0) {
        struct private_postgres *a = given_postgres(NULL);
        struct private_postgres *b = given_postgres(NULL);
        FILE *out = fdopen(words[1], "w");
        char a_data[256];
        char b_data[256];
        ask(private_postgres_url(a), "show data_directory", a_data);
        ask(private_postgres_url(b), "show data_directory", b_data);
        (void)fprintf(out, "%s %s %s %s\n", private_postgres_url(a), a_data,
                      private_postgres_url(b), b_data);
        (void)fflush(out);
        for (;;) {
            (void)pause();
        }
    }
    (void)close(words[1]);
    FILE *in = fdopen(words[0], "r");
    char a_url[128];
    char a_data[256];
    char b_url[128];
    char b_data[256];
    assert_int_equal(fscanf(in, "%127s %255s %127s %255s", a_url, a_data, b_url, b_data), 4);
    (void)fclose(in);
    assert_true(answers(a_url) && answers(b_url));

    assert_int_equal(kill(owner, SIGKILL), 0);
    (void)waitpid(owner, NULL, 0);

    assert_true(goes_away(a_url, a_data));
    assert_true(goes_away(b_url, b_data));
}

static void a_wrong_folder_of_binaries_is_named(void **state)
{
    (void)state;
    struct private_postgres *postgres = NULL;
    struct err err = {0};
    char *before = getenv("PG_BIN") != NULL ? strdup(getenv("PG_BIN")) : NULL;
    assert_int_equal(setenv("PG_BIN", "/nowhere", 1), 0);

    assert_false(private_postgres_start(NULL, NULL, &postgres, &err));

    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.text, "PG_BIN=/nowhere"));
    (void)(before != NULL ? setenv("PG_BIN", before, 1) : unsetenv("PG_BIN"));
    free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_temporary_cluster_is_durable_private_and_leaves_nothing),
        cmocka_unit_test(a_crash_keeps_the_port_and_what_was_committed),
        cmocka_unit_test(a_kept_directory_is_used_again_with_new_settings),
        cmocka_unit_test(a_directory_in_use_is_refused_and_names_the_process),
        cmocka_unit_test(servers_end_when_their_owner_is_killed),
        cmocka_unit_test(a_wrong_folder_of_binaries_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
