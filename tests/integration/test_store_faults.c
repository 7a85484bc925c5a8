#include "orchestrator/base/clock.h"
#include "tests/integration/fault_proxy.h"
#include "tests/integration/store_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* ---- given ---- */

static struct store *given_impatient_store(const char *url, const char *name, uint32_t timeout_ms)
{
    const struct store_options options = {
        .url = url, .namespace_name = name, .role = "test", .statement_timeout_ms = timeout_ms};
    struct store *store = NULL;
    OK(store_open(&options, &store, &err));
    return store;
}

static const char *server(void)
{
    return private_postgres_url(fixture_postgres);
}

/* One event of a saga: the next revision and its history row. */
static bool advance(struct store *store, struct saga_write *saga, bool *ret_unknown,
                    struct err *err)
{
    const struct saga_write next = saga->revision == 0 ? *saga : next_of(saga);
    struct saga_write written = next;
    if (saga->revision == 0) written.revision = 1;
    const struct history_write history = history_of(&written, written.revision);
    const struct store_batch batch = {
        .sagas = &written, .saga_count = 1, .histories = &history, .history_count = 1};
    if (!store_commit(store, &batch, ret_unknown, err)) return false;
    *saga = written;
    return true;
}

static struct saga_write given_saga(struct store *store)
{
    struct saga_write saga = fresh_saga(given_id(), 1);
    saga.revision = 0;
    bool unknown = false;
    OK(advance(store, &saga, &unknown, &err));
    return saga;
}

/* ---- then ---- */

static void assert_history_is_whole(struct store *store, struct uuid id, uint32_t revision)
{
    struct history_row *rows = NULL;
    size_t count = 0;
    OK(store_history(store, &id, 0, revision + 1, &fixture_arena, &rows, &count, &err));
    assert_int_equal(count, revision);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows[i].seq, i + 1);
    }
    assert_int_equal(loaded(store, id).revision, revision);
}

static bool eventually(const char *question, const char *answer)
{
    const int64_t deadline_ms = clock_monotonic_ms() + 10000;
    while (strcmp(ask("%s", question), answer) != 0) {
        if (clock_monotonic_ms() > deadline_ms) return false;
        (void)poll(NULL, 0, 5);
    }
    return true;
}

static bool contains(struct bytes haystack, struct bytes needle)
{
    for (size_t i = 0; i + needle.size <= haystack.size; i++) {
        if (memcmp(haystack.data + i, needle.data, needle.size) == 0) return true;
    }
    return false;
}

/* ---- tests ---- */

/* F12, F13: wherever the connection is cut, the batch is written once and the answer says so. */
static void sweep(enum fault fault, size_t step)
{
    struct fault_proxy *const proxy = fault_proxy_start(server());
    struct store *const store = given_store_at(fault_proxy_url(proxy), given_namespace());
    struct store *const direct = given_store();
    struct saga_write saga = given_saga(store);
    size_t strikes = 0;

    for (size_t bytes = 0;; bytes += step) {
        fault_proxy_arm(proxy, fault, bytes);
        bool unknown = true;
        OK(advance(store, &saga, &unknown, &err));
        assert_false(unknown);
        if (!fault_proxy_struck(proxy)) break;
        strikes++;
    }

    assert_in_range(strikes, 10, 1000);
    assert_history_is_whole(store, saga.id, saga.revision);
    store_close(store);
    store_close(direct);
    fault_proxy_stop(proxy);
}

static void a_request_that_is_cut_anywhere_is_written_once(void **state)
{
    (void)state;
    sweep(FAULT_CUT_REQUEST, 23);
}

static void an_answer_that_is_cut_anywhere_is_written_once(void **state)
{
    (void)state;
    sweep(FAULT_CUT_ANSWER, 7);
}

/* The whole request arrives, no answer comes back, and the database cannot be asked for a while. */
static void a_lost_answer_of_a_durable_batch_is_unknown_until_it_is_resolved(void **state)
{
    (void)state;
    struct fault_proxy *const proxy = fault_proxy_start(server());
    struct store *const store = given_store_at(fault_proxy_url(proxy), given_namespace());
    struct saga_write saga = given_saga(store);
    const struct saga_write next = next_of(&saga);
    const struct store_batch batch = {.sagas = &next, .saga_count = 1};
    bool unknown = false;
    bool committed = false;

    fault_proxy_refuse(proxy, true);
    fault_proxy_arm(proxy, FAULT_CUT_ANSWER, 0);
    FAILS(ERR_UNAVAILABLE, store_commit(store, &batch, &unknown, &err));
    assert_true(unknown);
    FAILS(ERR_UNAVAILABLE, store_resolve(store, &committed, &err));
    fault_proxy_refuse(proxy, false);

    OK(store_resolve(store, &committed, &err));
    assert_true(committed);
    OK(store_resolve(store, &committed, &err));
    assert_true(committed);
    assert_int_equal(loaded(store, saga.id).revision, 2);
    store_close(store);
    fault_proxy_stop(proxy);
}

/* The request is still under way when the question is answered: the answer must stay true. */
static void a_batch_that_was_resolved_as_lost_can_never_commit_later(void **state)
{
    (void)state;
    struct fault_proxy *const proxy = fault_proxy_start(server());
    struct store *const store = given_store_at(fault_proxy_url(proxy), given_namespace());
    (void)given_saga(store);
    const struct saga_write late = fresh_saga(given_id(), 1);
    const struct store_batch batch = {.sagas = &late, .saga_count = 1};
    bool unknown = false;
    bool committed = true;

    fault_proxy_refuse(proxy, true);
    fault_proxy_arm(proxy, FAULT_HOLD, 0);
    FAILS(ERR_UNAVAILABLE, store_commit(store, &batch, &unknown, &err));
    assert_true(unknown);
    fault_proxy_refuse(proxy, false);
    OK(store_resolve(store, &committed, &err));
    assert_false(committed);

    const struct bytes answer = fault_proxy_release(proxy, &fixture_arena);
    assert_true(contains(answer, BYTES("SG002")));
    assert_false(loaded(store, late.id).found);
    commit_fresh(store, &late, 1);
    store_close(store);
    fault_proxy_stop(proxy);
}

static void a_server_that_says_nothing_counts_as_gone(void **state)
{
    (void)state;
    struct fault_proxy *const proxy = fault_proxy_start(server());
    const char *const name = given_namespace();
    struct store *const store = given_impatient_store(fault_proxy_url(proxy), name, 300);
    struct saga_write saga = given_saga(store);
    bool unknown = false;

    fault_proxy_arm(proxy, FAULT_SILENCE, 0);
    const int64_t before_ms = clock_monotonic_ms();
    OK(advance(store, &saga, &unknown, &err));
    assert_in_range(clock_monotonic_ms() - before_ms, 300, 4000);
    assert_history_is_whole(store, saga.id, 2);

    store_close(store);
    fault_proxy_stop(proxy);
}

/* The server has not noticed that the old connection is gone: it still holds the node's lock. */
static void a_node_takes_its_lock_back_from_its_own_lost_connection(void **state)
{
    (void)state;
    struct fault_proxy *const proxy = fault_proxy_start(server());
    struct store *const store = given_store_at(fault_proxy_url(proxy), given_namespace());
    int32_t node = 0;
    OK(store_node_register(store, "node", &node, &err));

    fault_proxy_arm(proxy, FAULT_HOLD, 0);
    OK(store_node_hold(store, &err));

    assert_true(fault_proxy_struck(proxy));
    assert_int_equal(ask_number("select count(*) from pg_locks where locktype = 'advisory' "
                                "and classid = 1935763297 and objid = %d",
                                node),
                     1);
    store_close(store);
    fault_proxy_stop(proxy);
}

static void a_read_survives_a_connection_that_was_ended(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct saga_write saga = given_saga(store);

    (void)ask(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name = 'sagad/test'");

    assert_int_equal(loaded(store, saga.id).revision, 1);
    store_close(store);
}

struct crasher {
    pthread_t thread;
    _Atomic bool over;
};

static void *crash_twice(void *argument)
{
    struct crasher *const crasher = argument;
    for (int i = 0; i < 2; i++) {
        (void)poll(NULL, 0, 150);
        struct err err;
        if (!private_postgres_crash(fixture_postgres, &err)) abort();
    }
    crasher->over = true;
    return NULL;
}

/* F10: what was answered as committed is there, what was not is not. */
static void a_crash_of_the_server_loses_and_doubles_nothing(void **state)
{
    (void)state;
    struct store *const store = given_store();
    struct saga_write saga = given_saga(store);
    struct crasher crasher = {0};
    uint32_t failures = 0;
    assert_int_equal(pthread_create(&crasher.thread, NULL, crash_twice, &crasher), 0);

    for (uint32_t after = 0; after < 20; after += crasher.over) {
        bool unknown = false;
        bool committed = false;
        struct err err;
        if (advance(store, &saga, &unknown, &err)) continue;
        assert_int_equal(err.kind, ERR_UNAVAILABLE);
        failures++;
        while (unknown && !store_resolve(store, &committed, &err)) {
            (void)poll(NULL, 0, 10);
        }
        if (unknown && committed) saga = next_of(&saga);
    }

    assert_int_equal(pthread_join(crasher.thread, NULL), 0);
    print_message("%u revisions, %u failures\n", saga.revision, failures);
    assert_history_is_whole(store, saga.id, saga.revision);
    store_close(store);
}

struct cancelling {
    pthread_t thread;
    _Atomic bool stop;
    _Atomic int count;
};

static void *cancel_waits(void *argument)
{
    struct cancelling *const cancelling = argument;
    while (!cancelling->stop) {
        cancelling->count += (int)ask_number(
            "select count(pg_cancel_backend(pid)) from pg_stat_activity "
            "where wait_event = 'SyncRep'");
    }
    return NULL;
}

/* F20: a commit that no standby confirmed is not acknowledged. */
static void a_cancelled_wait_for_a_standby_is_unknown(void **state)
{
    (void)state;
    struct store *const store = given_store();
    struct saga_write saga = given_saga(store);
    const struct saga_write next = next_of(&saga);
    const struct store_batch batch = {.sagas = &next, .saga_count = 1};
    (void)ask("alter system set synchronous_standby_names = 'nobody'");
    (void)ask("select pg_reload_conf()");
    assert_true(eventually("show synchronous_standby_names", "nobody"));
    struct cancelling cancelling = {0};
    assert_int_equal(pthread_create(&cancelling.thread, NULL, cancel_waits, &cancelling), 0);

    bool unknown = false;
    bool committed = false;
    FAILS(ERR_UNAVAILABLE, store_commit(store, &batch, &unknown, &err));
    assert_true(unknown);

    cancelling.stop = true;
    assert_int_equal(pthread_join(cancelling.thread, NULL), 0);
    assert_true(cancelling.count > 0);
    (void)ask("alter system reset synchronous_standby_names");
    (void)ask("select pg_reload_conf()");
    assert_true(eventually("show synchronous_standby_names", ""));
    OK(store_resolve(store, &committed, &err));
    assert_true(committed);
    store_close(store);
}

static void a_read_only_server_is_refused(void **state)
{
    (void)state;
    const char *const url = given_database();
    uint32_t from = 0;
    uint32_t to = 0;
    OK(store_migrate(url, &from, &to, &err));
    (void)ask("alter database %s set default_transaction_read_only = on", strrchr(url, '/') + 1);

    struct store *store = NULL;
    const struct store_options options = {.url = url, .namespace_name = "n", .role = "test"};
    FAILS(ERR_UNAVAILABLE, store_open(&options, &store, &err));
    assert_null(store);
}

/* ---- locks ---- */

struct holder {
    PGconn *connection;
};

static void hold(struct holder *holder, const char *sql)
{
    if (holder->connection == NULL) holder->connection = PQconnectdb(server());
    PGresult *const result = PQexec(holder->connection, sql);
    if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
        fail_msg("%s: %s", sql, PQerrorMessage(holder->connection));
    }
    PQclear(result);
}

/* `before` and `after`: a statement around the saga's id. */
static void hold_saga(struct holder *holder, const struct saga_write *saga, const char *before,
                      const char *after)
{
    char id[UUID_TEXT_SIZE];
    char sql[256];
    uuid_print(&saga->id, id);
    (void)snprintf(sql, sizeof(sql), "%s '%s' %s", before, id, after);
    hold(holder, sql);
}

static void a_lock_held_too_long_is_unavailable_and_writes_nothing(void **state)
{
    (void)state;
    struct store *const store = given_impatient_store(server(), given_namespace(), 400);
    struct saga_write saga = given_saga(store);
    const struct saga_write next = next_of(&saga);
    struct holder holder = {0};
    hold(&holder, "begin");
    hold_saga(&holder, &saga, "select from sagad.saga where id =", "for update");

    COMMIT_FAILS(store, ERR_UNAVAILABLE, .sagas = &next, .saga_count = 1);
    hold(&holder, "rollback");
    COMMIT_OK(store, .sagas = &next, .saga_count = 1);

    PQfinish(holder.connection);
    store_close(store);
}

struct committing {
    pthread_t thread;
    struct store *store;
    struct store_batch batch;
    bool done, unknown;
    struct err err;
};

static void *commit_in_thread(void *argument)
{
    struct committing *const committing = argument;
    committing->done =
        store_commit(committing->store, &committing->batch, &committing->unknown, &committing->err);
    return NULL;
}

static void begin_commit(struct committing *committing)
{
    assert_int_equal(pthread_create(&committing->thread, NULL, commit_in_thread, committing), 0);
    assert_true(
        eventually("select count(*) from pg_stat_activity "
                   "where application_name = 'sagad/test' and wait_event_type = 'Lock'",
                   "1"));
}

static void end_commit(struct committing *committing)
{
    assert_int_equal(pthread_join(committing->thread, NULL), 0);
}

/* S3: the compare-and-set must see what the row it waited for became. */
static void a_revision_that_moves_while_we_wait_is_a_conflict(void **state)
{
    (void)state;
    struct store *const store = given_store();
    struct saga_write saga = given_saga(store);
    const struct saga_write next = next_of(&saga);
    struct holder holder = {0};
    hold(&holder, "begin");
    hold_saga(&holder, &saga, "update sagad.saga set revision = revision + 1 where id =", "");

    struct committing committing = {
        .store = store, .batch = {.sagas = &next, .saga_count = 1}
    };
    begin_commit(&committing);
    hold(&holder, "commit");
    end_commit(&committing);

    assert_false(committing.done);
    assert_int_equal(committing.err.kind, ERR_CONFLICT);
    assert_bytes(loaded(store, saga.id).packed, "packed 1");
    PQfinish(holder.connection);
    store_close(store);
}

static void the_victim_of_a_deadlock_tries_again(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct saga_write first = given_saga(store);
    const struct saga_write second = given_saga(store);
    const struct saga_write next[] = {next_of(&second), next_of(&first)};
    struct holder holder = {0};
    hold(&holder, "begin");
    hold_saga(&holder, &second, "select from sagad.saga where id =", "for update");
    /* The other side waits patiently, so that the store is the one that looks for deadlocks first.
     */
    hold(&holder, "set local deadlock_timeout = '30s'");

    struct committing committing = {
        .store = store, .batch = {.sagas = next, .saga_count = 2}
    };
    begin_commit(&committing);
    hold_saga(&holder, &first, "select from sagad.saga where id =", "for update");
    hold(&holder, "commit");
    end_commit(&committing);

    if (!committing.done) fail_msg("%s", committing.err.text);
    assert_int_equal(loaded(store, first.id).revision, 2);
    assert_int_equal(loaded(store, second.id).revision, 2);
    assert_true(ask_number("select deadlocks from pg_stat_database "
                           "where datname = current_database()") > 0);
    PQfinish(holder.connection);
    store_close(store);
}

/* E4 */
static void no_error_shows_a_password(void **state)
{
    (void)state;
    static const char *const URLS[] = {
        "postgresql://u:s3cr3t@127.0.0.1:1/db",
        "postgresql://u:s3cr3t@127.0.0.1:port/db",
        "host=127.0.0.1 port=1 user=u password=s3cr3t",
        "host=127.0.0.1 password='s3cr3t",
        "s3cr3t",
        "postgresql://u:p@s3cr3t@127.0.0.1:1/db",
        "postgresql://u:p/s3cr3t@127.0.0.1:1/db",
        "postgresql://u:p?s3cr3t@127.0.0.1:1/db",
        "postgresql://u:p?a=s3cr3t@127.0.0.1:1/db",
        "postgresql://u:s3cr3t@[::1:1/db",
    };
    for (size_t i = 0; i < sizeof(URLS) / sizeof(URLS[0]); i++) {
        const struct store_options options = {
            .url = URLS[i], .namespace_name = "n", .role = "test"};
        struct store *store = NULL;
        struct err err = {0};
        assert_false(store_open(&options, &store, &err));
        assert_null(strstr(err.text, "s3cr3t"));
        assert_true(err.kind == ERR_UNAVAILABLE || err.kind == ERR_INVALID);
    }
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_is_cut_anywhere_is_written_once),
        cmocka_unit_test(an_answer_that_is_cut_anywhere_is_written_once),
        cmocka_unit_test(a_lost_answer_of_a_durable_batch_is_unknown_until_it_is_resolved),
        cmocka_unit_test(a_batch_that_was_resolved_as_lost_can_never_commit_later),
        cmocka_unit_test(a_server_that_says_nothing_counts_as_gone),
        cmocka_unit_test(a_node_takes_its_lock_back_from_its_own_lost_connection),
        cmocka_unit_test(a_read_survives_a_connection_that_was_ended),
        cmocka_unit_test(a_crash_of_the_server_loses_and_doubles_nothing),
        cmocka_unit_test(a_cancelled_wait_for_a_standby_is_unknown),
        cmocka_unit_test(a_read_only_server_is_refused),
        cmocka_unit_test(a_lock_held_too_long_is_unavailable_and_writes_nothing),
        cmocka_unit_test(a_revision_that_moves_while_we_wait_is_a_conflict),
        cmocka_unit_test(the_victim_of_a_deadlock_tries_again),
        cmocka_unit_test(no_error_shows_a_password),
    };
    return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}

int main(void)
{
    return fixture_run_or_skip(run);
}
