/*
 * tests/integration/store_fixture.h
 *   A private PostgreSQL with sagad's tables, and stores on it, for the tests of store.h.
 */
#ifndef TESTS_INTEGRATION_STORE_FIXTURE_H
#define TESTS_INTEGRATION_STORE_FIXTURE_H

#include "orchestrator/dev/private_postgres.h"
#include "orchestrator/store/store.h"

#include <libpq-fe.h>

/* cmocka group set-up: one migrated cluster a program, one arena for everything. */
int fixture_start(void **state);
int fixture_stop(void **state);
/* Exit code of a program that could not start a server. */
int fixture_run_or_skip(int (*run)(void));

extern struct private_postgres *fixture_postgres;
extern struct arena fixture_arena;

/* ---- given ---- */

/* A new database without tables; the URL lives as long as the program. */
const char *given_database(void);
/* A store in a namespace that no other test uses; or in the namespace of `other`. */
struct store *given_store(void);
struct store *given_store_at(const char *url, const char *namespace_name);
const char *given_namespace(void);

/* Ids are v7 and grow. */
struct uuid given_id(void);
/* Fresh, running, revision 1, due in 30 s. */
struct saga_write fresh_saga(struct uuid id, int64_t definition_id);
/* The next revision of a saga as it was written. */
struct saga_write next_of(const struct saga_write *before);
struct history_write history_of(const struct saga_write *saga, uint32_t seq);

/* ---- when and then ---- */

#define COMMIT_OK(store, ...) commit_ok((store), &(struct store_batch){__VA_ARGS__})
#define COMMIT_FAILS(store, kind, ...)                                                             \
    commit_fails((store), (kind), &(struct store_batch){__VA_ARGS__})

void commit_ok(struct store *store, const struct store_batch *batch);
void commit_fails(struct store *store, enum err_kind kind, const struct store_batch *batch);
void commit_fresh(struct store *store, const struct saga_write *sagas, size_t count);
struct saga_row loaded(struct store *store, struct uuid id);

/* Any false with its text fails the test. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        struct err err = {0};                                                                      \
        if (!(call)) fail_msg("%s: %s", #call, err.text);                                          \
    } while (0)
#define FAILS(expected, call)                                                                      \
    do {                                                                                           \
        struct err err = {0};                                                                      \
        assert_false(call);                                                                        \
        if (err.kind != (expected)) fail_msg("%s: kind %d: %s", #call, (int)err.kind, err.text);   \
    } while (0)

/* First value of a statement as a superuser: "" for null or none; the last one is reused after 8
 * calls. */
const char *ask(const char *sql, ...) __attribute__((format(printf, 1, 2)));
const char *ask_at(const char *url, const char *sql);
int64_t ask_number(const char *sql, ...) __attribute__((format(printf, 1, 2)));
void assert_bytes(struct bytes actual, const char *expected);

#endif
