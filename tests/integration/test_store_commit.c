#include "orchestrator/store/sql.h"
#include "tests/integration/store_fixture.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Bytes that do not compress, the same in every run. */
static uint32_t noise(void)
{
    static uint32_t seed = 1;
    seed = seed * 1664525 + 1013904223;
    return seed >> 16;
}

static void every_query_prepares(void **state)
{
    (void)state;
    PGconn *const connection = PQconnectdb(private_postgres_url(fixture_postgres));
    for (size_t i = 0; SQL_ALL[i] != NULL; i++) {
        PGresult *const result = PQprepare(connection, SQL_ALL[i]->name, SQL_ALL[i]->text, 0, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            fail_msg("%s: %s", SQL_ALL[i]->name, PQerrorMessage(connection));
        }
        PQclear(result);
    }
    PQfinish(connection);
}

static void a_saga_comes_back_with_every_field(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct saga_write saga = {
        .id = given_id(),
        .fresh = true,
        .revision = 7,
        .state = SAGA_COMPENSATING,
        .attention = ATTENTION_RETRYING | ATTENTION_PAUSED,
        .paused = true,
        .packed = {"\0\1\xFF packed", 10},
        .due_at_ms = 1700000000123,
        .definition_id = INT64_C(1) << 40,
        .created_at_ms = 1699999999999,
        .start_at_ms = 1700000000001,
        .input = BYTES("{\"price\": 0.10, \"name\": \"\xC3\xA9\"}"),
        .labels = BYTES("{\"a\":\"b\"}"),
        .attributes = BYTES("{\"c\": 1.0}"),
        .trace = BYTES("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"),
        .trace_state = BYTES("vendor=1"),
    };

    commit_fresh(store, &saga, 1);

    const struct saga_row row = loaded(store, saga.id);
    assert_true(row.found);
    assert_true(uuid_equal(&row.id, &saga.id));
    assert_int_equal(row.definition_id, saga.definition_id);
    assert_int_equal(row.state, SAGA_COMPENSATING);
    assert_int_equal(row.attention, saga.attention);
    assert_int_equal(row.revision, 7);
    assert_true(bytes_equal(row.packed, saga.packed));
    assert_int_equal(row.due_at_ms, saga.due_at_ms);
    assert_int_equal(row.created_at_ms, saga.created_at_ms);
    assert_int_equal(row.start_at_ms, saga.start_at_ms);
    assert_int_equal(row.finished_at_ms, 0);
    assert_true(bytes_equal(row.input, saga.input));
    assert_true(bytes_equal(row.labels, saga.labels));
    assert_true(bytes_equal(row.attributes, saga.attributes));
    assert_true(bytes_equal(row.trace, saga.trace));
    assert_true(bytes_equal(row.trace_state, saga.trace_state));
    assert_int_equal(row.payload_count, 0);
    assert_string_equal(
        ask("select paused from sagad.saga where packed = '\\x0001ff207061636b6564'"), "t");
    store_close(store);
}

static void absent_fields_come_back_absent(void **state)
{
    (void)state;
    struct store *const store = given_store();
    struct saga_write saga = fresh_saga(given_id(), 1);
    saga.due_at_ms = 0;
    saga.labels = saga.attributes = (struct bytes){0};
    saga.input = BYTES("");

    commit_fresh(store, &saga, 1);

    const struct saga_row row = loaded(store, saga.id);
    assert_int_equal(row.due_at_ms, 0);
    assert_int_equal(row.start_at_ms, 0);
    assert_bytes(row.input, "");
    assert_bytes(row.labels, NULL);
    assert_bytes(row.attributes, NULL);
    assert_bytes(row.trace, NULL);
    store_close(store);
}

static void an_update_moves_the_revision_and_keeps_the_start(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct saga_write first = fresh_saga(given_id(), 1);
    commit_fresh(store, &first, 1);

    struct saga_write second = next_of(&first);
    second.state = SAGA_SUCCEEDED;
    second.finished_at_ms = 1700000009999;
    second.due_at_ms = 0;
    commit_fresh(store, &second, 1);

    const struct saga_row row = loaded(store, first.id);
    assert_int_equal(row.revision, 2);
    assert_int_equal(row.state, SAGA_SUCCEEDED);
    assert_int_equal(row.finished_at_ms, 1700000009999);
    assert_bytes(row.packed, "packed 2");
    assert_bytes(row.input, "{\"n\": 0.10}");
    store_close(store);
}

static void many_are_loaded_in_the_order_asked_for(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    struct store *const store = given_store();
    static struct saga_write sagas[COUNT];
    static struct history_write histories[2 * COUNT];
    static struct uuid ids[COUNT + 1];
    static struct saga_row rows[COUNT + 1];
    for (size_t i = 0; i < COUNT; i++) {
        sagas[i] = fresh_saga(given_id(), (int64_t)i);
        histories[2 * i] = history_of(&sagas[i], 1);
        histories[2 * i + 1] = history_of(&sagas[i], 2);
        histories[2 * i + 1].payload = BYTES("{\"p\": 1}");
        histories[2 * i + 1].output = BYTES("[1.50]");
        ids[COUNT - i] = sagas[i].id;
    }
    ids[0] = given_id(); /* nobody's */
    COMMIT_OK(store, .sagas = sagas, .saga_count = COUNT, .histories = histories,
              .history_count = (size_t)2 * COUNT);

    OK(store_load(store, ids, COUNT + 1, &fixture_arena, rows, &err));

    assert_false(rows[0].found);
    for (size_t i = 1; i <= COUNT; i++) {
        assert_true(rows[i].found);
        assert_true(uuid_equal(&rows[i].id, &ids[i]));
        assert_int_equal(rows[i].definition_id, COUNT - i);
        assert_int_equal(rows[i].payload_count, 1);
        assert_int_equal(rows[i].payloads[0].seq, 2);
        assert_bytes(rows[i].payloads[0].payload, "{\"p\": 1}");
        assert_bytes(rows[i].payloads[0].output, "[1.50]");
    }
    store_close(store);
}

static void a_lost_revision_writes_nothing(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct saga_write loser = fresh_saga(given_id(), 1);
    const struct saga_write other = fresh_saga(given_id(), 1);
    commit_fresh(store, (struct saga_write[]){loser, other}, 2);
    const struct saga_write winner = next_of(&loser);
    commit_fresh(store, &winner, 1);

    const struct saga_write late[] = {next_of(&other), next_of(&loser), fresh_saga(given_id(), 1)};
    COMMIT_FAILS(store, ERR_CONFLICT, .sagas = late, .saga_count = 3);

    assert_int_equal(loaded(store, other.id).revision, 1);
    assert_int_equal(loaded(store, loser.id).revision, 2);
    assert_false(loaded(store, late[2].id).found);
    store_close(store);
}

static void an_unknown_saga_cannot_be_updated(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct saga_write first = fresh_saga(given_id(), 1);
    const struct saga_write second = next_of(&first);

    COMMIT_FAILS(store, ERR_CONFLICT, .sagas = &second, .saga_count = 1);
    store_close(store);
}

static void an_id_is_taken_once_in_a_namespace(void **state)
{
    (void)state;
    struct store *const store = given_store();
    struct store *const elsewhere = given_store();
    const struct saga_write saga = fresh_saga(given_id(), 1);
    commit_fresh(store, &saga, 1);

    COMMIT_FAILS(store, ERR_CONFLICT, .sagas = &saga, .saga_count = 1);
    assert_false(loaded(elsewhere, saga.id).found);
    const struct saga_write foreign = next_of(&saga);
    COMMIT_FAILS(elsewhere, ERR_CONFLICT, .sagas = &foreign, .saga_count = 1);
    commit_fresh(elsewhere, &saga, 1);

    assert_int_equal(loaded(store, saga.id).revision, 1);
    store_close(store);
    store_close(elsewhere);
}

static void a_history_seq_is_written_once(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct saga_write saga = fresh_saga(given_id(), 1);
    const struct history_write history = history_of(&saga, 2);
    COMMIT_OK(store, .sagas = &saga, .saga_count = 1, .histories = &history, .history_count = 1);

    const struct saga_write next = next_of(&saga);
    COMMIT_FAILS(store, ERR_CONFLICT, .sagas = &next, .saga_count = 1, .histories = &history,
                 .history_count = 1);
    assert_int_equal(loaded(store, saga.id).revision, 1);
    store_close(store);
}

static void a_poisoned_row_is_refused_and_the_store_goes_on(void **state)
{
    (void)state;
    struct store *const store = given_store();
    struct saga_write sagas[] = {fresh_saga(given_id(), 1), fresh_saga(given_id(), 1)};
    static const char CONNECTION[] =
        "select pid from pg_stat_activity where application_name = 'sagad/test'";
    const int64_t connection = ask_number("%s", CONNECTION);
    const struct bytes poisons[] = {
        {"a\0b", 3},
        {"\xFF",      1},
        {0}
    };

    for (size_t i = 0; i < sizeof(poisons) / sizeof(poisons[0]); i++) {
        sagas[1].input = poisons[i];
        COMMIT_FAILS(store, ERR_INTERNAL, .sagas = sagas, .saga_count = 2);
        assert_false(loaded(store, sagas[0].id).found);
    }
    commit_fresh(store, sagas, 1);

    assert_true(loaded(store, sagas[0].id).found);
    assert_int_equal(ask_number("%s", CONNECTION), connection);
    store_close(store);
}

static void a_tag_that_no_index_can_hold_is_still_kept(void **state)
{
    (void)state;
    struct store *const store = given_store();
    static char value[20000];
    for (size_t i = 0; i < sizeof(value); i++) {
        value[i] = (char)('a' + noise() % 26);
    }
    const struct tag_write tag = {
        'a', BYTES("note"), {value, sizeof(value)}
    };
    struct saga_write saga = fresh_saga(given_id(), 1);
    saga.tags = &tag;
    saga.tag_count = 1;

    commit_fresh(store, &saga, 1);

    assert_true(loaded(store, saga.id).found);
    store_close(store);
}

static void a_large_payload_survives(void **state)
{
    (void)state;
    enum { SIZE = 8 * 1024 * 1024 };
    struct store *const store = given_store();
    char *const text = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++) {
        text[i] = (char)(' ' + noise() % 90);
    }
    struct saga_write saga = fresh_saga(given_id(), 1);
    saga.input = (struct bytes){text, SIZE};
    struct history_write history = history_of(&saga, 1);
    history.output = saga.input;

    COMMIT_OK(store, .sagas = &saga, .saga_count = 1, .histories = &history, .history_count = 1);

    const struct saga_row row = loaded(store, saga.id);
    assert_true(bytes_equal(row.input, saga.input));
    assert_true(bytes_equal(row.payloads[0].output, saga.input));
    free(text);
    store_close(store);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_query_prepares),
        cmocka_unit_test(a_saga_comes_back_with_every_field),
        cmocka_unit_test(absent_fields_come_back_absent),
        cmocka_unit_test(an_update_moves_the_revision_and_keeps_the_start),
        cmocka_unit_test(many_are_loaded_in_the_order_asked_for),
        cmocka_unit_test(a_lost_revision_writes_nothing),
        cmocka_unit_test(an_unknown_saga_cannot_be_updated),
        cmocka_unit_test(an_id_is_taken_once_in_a_namespace),
        cmocka_unit_test(a_history_seq_is_written_once),
        cmocka_unit_test(a_poisoned_row_is_refused_and_the_store_goes_on),
        cmocka_unit_test(a_tag_that_no_index_can_hold_is_still_kept),
        cmocka_unit_test(a_large_payload_survives),
    };
    return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}

int main(void)
{
    return fixture_run_or_skip(run);
}
