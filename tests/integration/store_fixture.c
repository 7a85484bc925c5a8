#include "tests/integration/store_fixture.h"

#include "orchestrator/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SKIPPED = 77 };

struct private_postgres *fixture_postgres;
struct arena fixture_arena;

int fixture_start(void **state)
{
    (void)state;
    struct err err = {0};
    uint32_t from = 0;
    uint32_t to = 0;
    return store_migrate(private_postgres_url(fixture_postgres), &from, &to, &err) ? 0 : -1;
}

int fixture_stop(void **state)
{
    (void)state;
    arena_done(&fixture_arena);
    return 0;
}

int fixture_run_or_skip(int (*run)(void))
{
    struct err err = {0};
    if (!private_postgres_start(NULL, "autovacuum = off\nmax_connections = 60\n", &fixture_postgres,
                                &err)) {
        (void)fprintf(stderr, "no PostgreSQL: %s\n", err.text);
        return SKIPPED;
    }
    const int failed = run();
    private_postgres_stop(fixture_postgres);
    return failed;
}

static PGconn *dial(const char *url)
{
    PGconn *const connection = PQconnectdb(url);
    if (PQstatus(connection) != CONNECTION_OK) fail_msg("%s", PQerrorMessage(connection));
    return connection;
}

const char *ask_at(const char *url, const char *sql)
{
    static char values[8][256];
    static unsigned next;
    char *const value = values[next++ % 8];
    PGconn *const connection = dial(url);
    PGresult *const result = PQexec(connection, sql);
    if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    }
    (void)snprintf(value, sizeof(values[0]), "%s",
                   PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(connection);
    return value;
}

__attribute__((format(printf, 1, 0))) static const char *ask_list(const char *sql, va_list values)
{
    char text[2048];
    const int length = vsnprintf(text, sizeof(text), sql, values);
    assert_in_range(length, 1, sizeof(text) - 1);
    return ask_at(private_postgres_url(fixture_postgres), text);
}

const char *ask(const char *sql, ...)
{
    va_list values;
    va_start(values, sql);
    const char *const value = ask_list(sql, values);
    va_end(values);
    return value;
}

int64_t ask_number(const char *sql, ...)
{
    va_list values;
    va_start(values, sql);
    const char *const value = ask_list(sql, values);
    va_end(values);
    return strtoll(value, NULL, 10);
}

const char *given_database(void)
{
    static int count;
    char name[32];
    (void)snprintf(name, sizeof(name), "empty_%d", ++count);
    (void)ask("create database %s", name);
    const char *const url = private_postgres_url(fixture_postgres);
    const size_t length = (size_t)(strrchr(url, '/') - url) + 1;
    struct buffer text = buffer_in(&fixture_arena);
    buffer_add(&text, url, length);
    buffer_add_text(&text, name);
    return text.data;
}

const char *given_namespace(void)
{
    static int count;
    char name[32];
    const int length = snprintf(name, sizeof(name), "test-%d", ++count);
    return arena_copy(&fixture_arena, name, (size_t)length);
}

struct store *given_store_at(const char *url, const char *namespace_name)
{
    const struct store_options options = {
        .url = url, .namespace_name = namespace_name, .role = "test", .statement_timeout_ms = 5000};
    struct store *store = NULL;
    OK(store_open(&options, &store, &err));
    return store;
}

struct store *given_store(void)
{
    return given_store_at(private_postgres_url(fixture_postgres), given_namespace());
}

struct uuid given_id(void)
{
    static uint64_t count;
    uint8_t random[10] = {0};
    count++;
    for (size_t i = 0; i < 8; i++) {
        random[2 + i] = (uint8_t)(count >> (8 * (7 - i)));
    }
    return uuid_v7(1700000000000, random);
}

struct saga_write fresh_saga(struct uuid id, int64_t definition_id)
{
    const int64_t now_ms = clock_wall_ms();
    return (struct saga_write){
        .id = id,
        .fresh = true,
        .revision = 1,
        .state = SAGA_RUNNING,
        .packed = BYTES("packed 1"),
        .due_at_ms = now_ms + 30000,
        .definition_id = definition_id,
        .created_at_ms = now_ms,
        .input = BYTES("{\"n\": 0.10}"),
        .labels = BYTES("{}"),
        .attributes = BYTES("{}"),
    };
}

struct saga_write next_of(const struct saga_write *before)
{
    struct saga_write next = *before;
    next.fresh = false;
    next.revision_before = before->revision;
    next.revision = before->revision + 1;
    next.packed = BYTES("packed 2");
    next.tags = NULL;
    next.tag_count = 0;
    return next;
}

struct history_write history_of(const struct saga_write *saga, uint32_t seq)
{
    return (struct history_write){
        .id = saga->id,
        .seq = seq,
        .count = 1,
        .revision = saga->revision,
        .at_ms = saga->created_at_ms,
        .entries = BYTES("[{}]"),
    };
}

void commit_ok(struct store *store, const struct store_batch *batch)
{
    bool unknown = true;
    OK(store_commit(store, batch, &unknown, &err));
    assert_false(unknown);
}

void commit_fails(struct store *store, enum err_kind kind, const struct store_batch *batch)
{
    bool unknown = true;
    FAILS(kind, store_commit(store, batch, &unknown, &err));
    assert_false(unknown);
}

void commit_fresh(struct store *store, const struct saga_write *sagas, size_t count)
{
    COMMIT_OK(store, .sagas = sagas, .saga_count = count);
}

struct saga_row loaded(struct store *store, struct uuid id)
{
    struct saga_row row;
    OK(store_load(store, &id, 1, &fixture_arena, &row, &err));
    return row;
}

void assert_bytes(struct bytes actual, const char *expected)
{
    if (expected == NULL) {
        assert_null(actual.data);
        return;
    }
    assert_non_null(actual.data);
    assert_int_equal(actual.size, strlen(expected));
    assert_memory_equal(actual.data, expected, actual.size);
}
