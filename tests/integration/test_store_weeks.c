/*
 * tests/integration/test_store_weeks.c
 *   What is only added to lies in weeks: they are made ahead, and dropped when they are old.
 *
 * sagad.now_ms() is the clock of all of it: tests replace it to stand where they like.
 */
#include "migrations/migrations.h"
#include "orchestrator/base/clock.h"
#include "orchestrator/store/sql.h"
#include "tests/integration/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const int64_t WEEK = INT64_C(604800000);
static const char *const TABLES[] = {"history", "saga_start", "saga_tag"};
enum { TABLE_COUNT = sizeof TABLES / sizeof *TABLES };

/* ---- given ---- */

static void given_clock(int64_t now_ms)
{
    (void)ask(
        "create or replace function sagad.now_ms() returns bigint language sql stable as "
        "$$ select %lld::bigint + 0 * extract(epoch from now())::bigint $$",
        (long long)now_ms);
}

static struct uuid id_of(int64_t at_ms)
{
    static uint8_t random[10];
    random[9]++;
    return uuid_v7(at_ms, random);
}

/* Running, with a tag and two rows of history, one of them beside its start, its id made at
 * `at_ms`. */
static struct saga_write given_saga(struct store *store, int64_t at_ms)
{
    static const struct tag_write TAG = {'l', BYTES("customer"), BYTES("c-1")};
    struct saga_write saga = fresh_saga(id_of(at_ms), 1);
    saga.created_at_ms = at_ms;
    saga.tags = &TAG;
    saga.tag_count = 1;
    const struct history_write histories[] = {history_of(&saga, 1), history_of(&saga, 2)};
    COMMIT_OK(store, .sagas = &saga, .saga_count = 1, .histories = histories, .history_count = 2);
    return saga;
}

/* ---- then ---- */

static const char *text_of(const struct saga_write *saga)
{
    static char texts[4][UUID_TEXT_SIZE];
    static unsigned next;
    char *const text = texts[next++ % 4];
    uuid_print(&saga->id, text);
    return text;
}

static void assert_all_lie_in(const struct saga_write *saga, const char *suffix)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        char wanted[64];
        (void)snprintf(wanted, sizeof wanted, "sagad.%s_%s", TABLES[i], suffix);
        const char *const key = strcmp(TABLES[i], "saga_start") == 0 ? "id" : "saga_id";
        assert_string_equal(ask("select string_agg(tableoid::regclass::text, ' ') from sagad.%s"
                                " where %s = '%s'",
                                TABLES[i], key, text_of(saga)),
                            wanted);
    }
}

static void assert_lies_in_week(const struct saga_write *saga, int64_t week)
{
    char suffix[32];
    (void)snprintf(suffix, sizeof suffix, "w%lld", (long long)week);
    assert_all_lie_in(saga, suffix);
}

static size_t history_count(struct store *store, const struct saga_write *saga)
{
    struct history_row *rows = NULL;
    size_t count = 0;
    OK(store_history(store, &saga->id, 0, 100, &fixture_arena, &rows, &count, &err));
    return count;
}

static bool week_is_there(const char *table, int64_t week)
{
    return strcmp(ask("select to_regclass('sagad.%s_w%lld') is not null", table, (long long)week),
                  "t") == 0;
}

/* ---- weeks ahead ---- */

static void weeks_are_made_ahead(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const int64_t now_ms = clock_wall_ms();

    OK(store_maintain(store, now_ms, &err));

    for (size_t i = 0; i < TABLE_COUNT; i++) {
        for (int64_t week = -1; week <= 2; week++) {
            assert_true(week_is_there(TABLES[i], now_ms / WEEK + week));
        }
    }
    store_close(store);
}

static void a_saga_lies_in_the_week_of_its_id(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const int64_t week = clock_wall_ms() / WEEK;

    const struct saga_write first = given_saga(store, week * WEEK);
    const struct saga_write last = given_saga(store, (week + 1) * WEEK - 1);
    const struct saga_write next = given_saga(store, (week + 1) * WEEK);

    assert_lies_in_week(&first, week);
    assert_lies_in_week(&last, week);
    assert_lies_in_week(&next, week + 1);
    assert_int_equal(history_count(store, &last), 2);
    store_close(store);
}

static void an_id_that_tells_no_time_lies_beside_the_weeks(void **state)
{
    (void)state;
    struct store *const store = given_store();

    const struct saga_write saga = given_saga(store, INT64_C(0xF00000000000));
    const struct saga_write early = given_saga(store, INT64_C(0x003000000000));

    assert_all_lie_in(&saga, "late");
    assert_all_lie_in(&early, "early");
    assert_true(loaded(store, saga.id).found);
    assert_true(loaded(store, early.id).found);
    assert_int_equal(history_count(store, &saga), 2);
    store_close(store);
}

static void a_clock_that_jumps_finds_its_weeks_later(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const int64_t later_ms = clock_wall_ms() + 5 * WEEK;
    given_clock(later_ms);
    const struct saga_write saga = given_saga(store, later_ms);
    assert_all_lie_in(&saga, "other");

    OK(store_maintain(store, later_ms, &err));

    assert_lies_in_week(&saga, later_ms / WEEK);
    assert_true(loaded(store, saga.id).found);
    assert_int_equal(history_count(store, &saga), 2);
    store_close(store);
}

/* ---- the migration ---- */

static void apply(PGconn *connection, const struct sql *migration)
{
    char number[8];
    (void)snprintf(number, sizeof number, "%.4s", migration->name);
    const char *const values[] = {number, migration->name, migration->text};
    PGresult *result = PQexec(connection, migration->text);
    assert_int_not_equal(PQresultStatus(result), PGRES_FATAL_ERROR);
    PQclear(result);
    result =
        PQexecParams(connection, SQL_SCHEMA_VERSION_INSERT.text, 3, NULL, values, NULL, NULL, 0);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
}

static void rows_of_before_are_moved_into_their_weeks(void **state)
{
    (void)state;
    const char *const url = given_database();
    PGconn *const connection = PQconnectdb(url);
    PQclear(PQexec(connection, SQL_SCHEMA_VERSION_CREATE.text));
    apply(connection, &MIGRATION_0001_SAGAS);
    apply(connection, &MIGRATION_0002_REQUESTS_AND_MESSAGES);
    apply(connection, &MIGRATION_0003_NODES);
    (void)ask_at(
        url,
        "insert into sagad.saga (namespace_id, id, definition_id, created_at, odd_id, node,"
        " revision, attention, state, paused, packed)"
        " values (1, '01800000-0000-7000-8000-000000000001', 1, 0, false, 0, 1, 0, 1, false, ''),"
        "        (1, 'ffffffff-0000-4000-8000-000000000001', 1, 0, true, 0, 1, 0, 1, false, '');"
        "insert into sagad.saga_start (namespace_id, definition_id, id, input)"
        " select 1, 1, id, '{}' from sagad.saga;"
        "insert into sagad.saga_tag select 1, 'l', 'n', 'v', id from sagad.saga;"
        "insert into sagad.history (namespace_id, saga_id, seq, count, revision, at, entries)"
        " select 1, id, 1, 1, 1, 0, '[]' from sagad.saga;");
    PQfinish(connection);
    uint32_t from = 0;
    uint32_t to = 0;

    (void)ask_at(url,
                 "create or replace function sagad.now_ms() returns bigint language sql stable "
                 "as 'select 1650000000000'");
    OK(store_migrate(url, &from, &to, &err));

    assert_int_equal(from, 3);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        char question[160];
        (void)snprintf(
            question, sizeof question,
            "select string_agg(tableoid::regclass::text, ' ' order by tableoid::regclass::text)"
            " from sagad.%s",
            TABLES[i]);
        char wanted[96];
        (void)snprintf(wanted, sizeof wanted, "sagad.%s_late sagad.%s_w2726", TABLES[i], TABLES[i]);
        assert_string_equal(ask_at(url, question), wanted);
    }
    struct store *const store = given_store_at(url, "n");
    const struct saga_write before = {.id = {{0x01, 0x80, [6] = 0x70, [8] = 0x80, [15] = 1}}};
    assert_int_equal(history_count(store, &before), 1);
    store_close(store);
}

/* ---- retention ---- */

static const int64_t RETENTION = 2 * INT64_C(604800000);

/* A week that has its partitions, other than every other test's. */
static int64_t given_week(struct store *store)
{
    static int64_t after = 20;
    const int64_t begins_ms = (clock_wall_ms() / WEEK + after) * WEEK;
    after += 10;
    given_clock(begins_ms);
    OK(store_maintain(store, begins_ms, &err));
    return begins_ms;
}

static struct saga_write given_finished(struct store *store, int64_t at_ms, int64_t finished_at_ms)
{
    struct saga_write saga = given_saga(store, at_ms);
    saga = next_of(&saga);
    saga.state = SAGA_SUCCEEDED;
    saga.due_at_ms = 0;
    saga.finished_at_ms = finished_at_ms;
    commit_fresh(store, &saga, 1);
    return saga;
}

/* Until it is done or others are in the way. */
static enum retire_step retire(struct store *store, struct retirement *pass)
{
    do {
        OK(store_retire(store, RETENTION, pass, &err));
    } while (pass->next == RETIRE_MORE);
    return pass->next;
}

static struct retirement retired(struct store *store, int64_t now_ms)
{
    struct retirement pass = {0};
    given_clock(now_ms);
    assert_int_equal(retire(store, &pass), RETIRE_DONE);
    return pass;
}

static int64_t rows_of(const struct saga_write *saga)
{
    const char *const id = text_of(saga);
    return ask_number(
        "select (select count(*) from sagad.saga where id = '%s')"
        " + (select count(*) from sagad.saga_start where id = '%s')"
        " + (select count(*) from sagad.saga_tag where saga_id = '%s')"
        " + (select count(*) from sagad.history where saga_id = '%s')",
        id, id, id, id);
}

static size_t tagged_count(struct store *store)
{
    static const struct tag_write TAG = {'l', BYTES("customer"), BYTES("c-1")};
    const struct saga_filter filter = {.tags = &TAG, .tag_count = 1, .limit = 100};
    struct saga_row *rows = NULL;
    size_t count = 0;
    OK(store_list(store, &filter, &fixture_arena, &rows, &count, &err));
    return count;
}

static void an_old_week_goes_with_its_finished_sagas(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const int64_t week_ms = given_week(store);
    const struct saga_write first = given_finished(store, week_ms, week_ms + 5);
    const struct saga_write last = given_finished(store, week_ms + WEEK - 1, week_ms + WEEK - 1);

    const struct retirement pass = retired(store, week_ms + WEEK + RETENTION);

    assert_int_equal(pass.sagas, 2);
    assert_int_equal(rows_of(&first) + rows_of(&last), 0);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        assert_false(week_is_there(TABLES[i], week_ms / WEEK));
        assert_true(week_is_there(TABLES[i], week_ms / WEEK + 1));
    }
    assert_false(loaded(store, first.id).found);
    store_close(store);
}

static void nothing_goes_before_its_time(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const int64_t week_ms = given_week(store);
    const struct saga_write saga = given_finished(store, week_ms, week_ms + 5);

    const struct retirement pass = retired(store, week_ms + WEEK + RETENTION - 1);

    assert_int_equal(pass.sagas, 0);
    assert_lies_in_week(&saga, week_ms / WEEK);
    store_close(store);
}

static void sagas_that_outlive_their_week_are_read_and_written_as_before(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const int64_t week_ms = given_week(store);
    const struct saga_write gone = given_finished(store, week_ms, week_ms + 5);
    const struct saga_write late = given_finished(store, week_ms + 1, week_ms + WEEK);
    struct saga_write open = given_saga(store, week_ms + 2);

    (void)retired(store, week_ms + WEEK + RETENTION);

    assert_int_equal(rows_of(&gone), 0);
    assert_false(week_is_there("history", week_ms / WEEK));
    assert_all_lie_in(&late, "other");
    assert_all_lie_in(&open, "other");
    assert_bytes(loaded(store, open.id).input, "{\"n\": 0.10}");
    assert_int_equal(tagged_count(store), 2);
    open = next_of(&open);
    const struct history_write history = history_of(&open, 3);
    COMMIT_OK(store, .sagas = &open, .saga_count = 1, .histories = &history, .history_count = 1);
    assert_int_equal(history_count(store, &open), 3);
    assert_int_equal(history_count(store, &late), 2);
    store_close(store);
}

static void what_outlived_its_week_goes_later(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const int64_t week_ms = given_week(store);
    const struct saga_write late = given_finished(store, week_ms, week_ms + WEEK);
    const struct saga_write odd = given_finished(store, INT64_C(0xF10000000000), week_ms + WEEK);
    const struct saga_write open = given_saga(store, INT64_C(0xF20000000000));
    (void)retired(store, week_ms + WEEK + RETENTION);
    assert_all_lie_in(&late, "other");

    const struct retirement pass = retired(store, week_ms + WEEK + RETENTION + 1);

    assert_int_equal(pass.sagas, 2);
    assert_int_equal(rows_of(&late), 0);
    assert_int_equal(rows_of(&odd), 0);
    assert_int_equal(rows_of(&open), 4);
    store_close(store);
}

static void a_week_that_many_sagas_need_stays(void **state)
{
    (void)state;
    enum { MANY = 2001 };
    static struct saga_write sagas[MANY];
    struct store *const store = given_store();
    const int64_t week_ms = given_week(store);
    const struct saga_write gone = given_finished(store, week_ms, week_ms + 5);
    for (int i = 0; i < MANY; i++) {
        sagas[i] = fresh_saga(id_of(week_ms + 1000 + i), 1);
    }
    commit_fresh(store, sagas, MANY);

    const struct retirement pass = retired(store, week_ms + WEEK + RETENTION);

    assert_int_equal(pass.kept_weeks, 1);
    assert_true(week_is_there("history", week_ms / WEEK));
    assert_false(loaded(store, gone.id).found);
    assert_true(loaded(store, sagas[0].id).found);
    (void)ask(
        "delete from sagad.saga where namespace_id = (select namespace_id from sagad.saga where id "
        "= '%s')",
        text_of(&sagas[0]));
    store_close(store);
}

static void sagas_of_another_namespace_are_its_own(void **state)
{
    (void)state;
    struct store *const store = given_store();
    struct store *const other = given_store();
    const int64_t week_ms = given_week(store);
    const struct saga_write saga = given_finished(other, week_ms, week_ms + 5);

    (void)retired(store, week_ms + WEEK + RETENTION);

    assert_all_lie_in(&saga, "other");
    assert_true(loaded(other, saga.id).found);
    assert_int_equal(history_count(other, &saga), 2);
    store_close(store);
    store_close(other);
}

/* Nobody queues behind it: it gives up and comes again. */
static void who_writes_goes_on_while_a_week_waits_for_a_reader(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const int64_t week_ms = given_week(store);
    const struct saga_write gone = given_finished(store, week_ms, week_ms + 5);
    given_clock(week_ms + WEEK + RETENTION);
    PGconn *const reader = PQconnectdb(private_postgres_url(fixture_postgres));
    PQclear(PQexec(reader, "begin; select count(*) from sagad.history"));
    struct retirement pass = {0};

    assert_int_equal(retire(store, &pass), RETIRE_LATER);

    const struct saga_write saga = given_saga(store, week_ms + WEEK);
    assert_true(loaded(store, saga.id).found);
    assert_int_equal(retire(store, &pass), RETIRE_LATER);
    PQclear(PQexec(reader, "commit"));
    PQfinish(reader);
    assert_int_equal(retire(store, &pass), RETIRE_DONE);
    assert_int_equal(rows_of(&gone), 0);
    assert_false(week_is_there("history", week_ms / WEEK));
    store_close(store);
}

static void settled_dead_letters_of_that_age_go(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const int64_t now_ms = given_week(store);
    const struct dead_letter_write letters[] = {
        {.topic = BYTES("t"), .offset = 1, .at_ms = now_ms - RETENTION - 1, .reason = "forged"},
        {.topic = BYTES("t"), .offset = 2, .at_ms = now_ms - RETENTION - 1, .reason = "forged"},
        {.topic = BYTES("t"), .offset = 3, .at_ms = now_ms - RETENTION,     .reason = "forged"},
    };
    COMMIT_OK(store, .dead_letters = letters, .dead_letter_count = 3);
    struct dead_letter_row *rows = NULL;
    size_t count = 0;
    OK(store_dead_letters(store, 0, 10, &fixture_arena, &rows, &count, &err));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].offset == 2) continue;
        OK(store_dead_letter_settle(store, rows[i].id, "discarded", &err));
    }

    assert_int_equal(retired(store, now_ms).letters, 1);

    for (size_t i = 0; i < count; i++) {
        struct dead_letter_row row;
        if (rows[i].offset == 1) {
            FAILS(ERR_NOT_FOUND, store_dead_letter(store, rows[i].id, &fixture_arena, &row, &err));
        } else {
            OK(store_dead_letter(store, rows[i].id, &fixture_arena, &row, &err));
        }
    }
    store_close(store);
}

static void the_hot_table_can_be_vacuumed(void **state)
{
    (void)state;
    struct store *const store = given_store();

    OK(store_vacuum(store, &err));

    store_close(store);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weeks_are_made_ahead),
        cmocka_unit_test(a_saga_lies_in_the_week_of_its_id),
        cmocka_unit_test(an_id_that_tells_no_time_lies_beside_the_weeks),
        cmocka_unit_test(rows_of_before_are_moved_into_their_weeks),
        cmocka_unit_test(a_clock_that_jumps_finds_its_weeks_later),
        cmocka_unit_test(an_old_week_goes_with_its_finished_sagas),
        cmocka_unit_test(nothing_goes_before_its_time),
        cmocka_unit_test(sagas_that_outlive_their_week_are_read_and_written_as_before),
        cmocka_unit_test(what_outlived_its_week_goes_later),
        cmocka_unit_test(a_week_that_many_sagas_need_stays),
        cmocka_unit_test(sagas_of_another_namespace_are_its_own),
        cmocka_unit_test(who_writes_goes_on_while_a_week_waits_for_a_reader),
        cmocka_unit_test(settled_dead_letters_of_that_age_go),
        cmocka_unit_test(the_hot_table_can_be_vacuumed),
    };
    return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}

int main(void)
{
    return fixture_run_or_skip(run);
}
