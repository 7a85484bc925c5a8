/*
 * tests/integration/test_store_requests.c
 *   Request keys, processed ranges, dead letters, partitions, secrets.
 *
 * sagad.now_ms() is the clock of all of them: tests replace it to stand where they like.
 */
#include "orchestrator/base/clock.h"
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

static const int64_t MINUTE = 60000;
static const int64_t WEEK = INT64_C(604800000);

/* ---- given ---- */

static int64_t turn_of_week; /* a turn that has partitions on both sides */

static void given_clock(int64_t now_ms)
{
    (void)ask(
        "create or replace function sagad.now_ms() returns bigint language sql stable as "
        "$$ select %lld::bigint + 0 * extract(epoch from now())::bigint $$",
        (long long)now_ms);
    (void)ask("select sagad.make_partitions(%lld)", (long long)now_ms);
}

static int set_clock_right(void **state)
{
    (void)state;
    (void)ask(
        "create or replace function sagad.now_ms() returns bigint language sql stable as "
        "$$ select (extract(epoch from now()) * 1000)::bigint $$");
    turn_of_week = (clock_wall_ms() / WEEK + 1) * WEEK;
    return 0;
}

static struct request_key_write key_of(const char *key, uint8_t print)
{
    struct request_key_write write = {
        .key = bytes_of(key), .has_saga = true, .saga_id = given_id(), .status = 201};
    memset(write.fingerprint, print, sizeof(write.fingerprint));
    return write;
}

static struct request_key_row loaded_key(struct store *store, const char *key)
{
    struct request_key_row row;
    const struct bytes name = bytes_of(key);
    OK(store_load_keys(store, &name, 1, &fixture_arena, &row, &err));
    return row;
}

/* ---- request keys ---- */

static void a_key_comes_back_with_every_field(void **state)
{
    (void)state;
    struct store *const store = given_store();
    struct request_key_write keys[] = {key_of("start", 7), key_of("cancel", 8)};
    keys[1].has_saga = false;
    keys[1].status = 202;
    keys[1].answer = BYTES("{\"state\": \"running\"}");

    COMMIT_OK(store, .keys = keys, .key_count = 2);

    const struct bytes names[] = {BYTES("cancel"), BYTES("nobody's"), BYTES("start")};
    struct request_key_row rows[3];
    OK(store_load_keys(store, names, 3, &fixture_arena, rows, &err));
    assert_true(rows[0].found);
    assert_false(rows[0].has_saga);
    assert_int_equal(rows[0].status, 202);
    assert_bytes(rows[0].answer, "{\"state\": \"running\"}");
    assert_memory_equal(rows[0].fingerprint, keys[1].fingerprint, FINGERPRINT_SIZE);
    assert_false(rows[1].found);
    assert_true(rows[2].found && rows[2].has_saga);
    assert_true(uuid_equal(&rows[2].saga_id, &keys[0].saga_id));
    assert_bytes(rows[2].answer, NULL);
    store_close(store);
}

/* S2 */
static void a_key_is_taken_once_in_a_namespace(void **state)
{
    (void)state;
    struct store *const store = given_store();
    struct store *const elsewhere = given_store();
    const struct request_key_write first = key_of("key", 1);
    const struct request_key_write second = key_of("key", 2);
    const struct saga_write saga = fresh_saga(given_id(), 1);
    COMMIT_OK(store, .keys = &first, .key_count = 1);

    COMMIT_FAILS(store, ERR_CONFLICT, .keys = &second, .key_count = 1, .sagas = &saga,
                 .saga_count = 1);
    assert_false(loaded(store, saga.id).found);
    assert_int_equal(loaded_key(store, "key").fingerprint[0], 1);
    assert_false(loaded_key(elsewhere, "key").found);
    COMMIT_OK(elsewhere, .keys = &second, .key_count = 1);

    store_close(store);
    store_close(elsewhere);
}

/* Every pair of instants less than seven days apart meets, whatever weeks they are in. */
static void a_key_is_taken_once_across_the_turn_of_a_week(void **state)
{
    (void)state;
    static const int64_t MINUTES[][2] = {
        {-1,     1 },
        {-4,     1 },
        {-6,     1 },
        {-6,     6 },
        {-4,     4 },
        {-3000,  6 },
        {-10079, -1},
        {-10070, 9 }
    };
    struct store *const store = given_store();
    for (size_t i = 0; i < sizeof(MINUTES) / sizeof(MINUTES[0]); i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "turn-%zu", i);
        const struct request_key_write key = key_of(name, 1);

        given_clock(turn_of_week + MINUTES[i][0] * MINUTE);
        COMMIT_OK(store, .keys = &key, .key_count = 1);
        given_clock(turn_of_week + MINUTES[i][1] * MINUTE);
        COMMIT_FAILS(store, ERR_CONFLICT, .keys = &key, .key_count = 1);
        assert_true(loaded_key(store, name).found);
    }
    store_close(store);
}

static void a_key_is_forgotten_after_seven_days(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct request_key_write key = key_of("old", 1);

    for (int64_t minutes = -20; minutes <= 20; minutes += 20) {
        given_clock(turn_of_week + minutes * MINUTE);
        COMMIT_OK(store, .keys = &key, .key_count = 1);
        given_clock(turn_of_week + minutes * MINUTE + WEEK + 11 * MINUTE);
        assert_false(loaded_key(store, "old").found);
        COMMIT_OK(store, .keys = &key, .key_count = 1);
        (void)ask("delete from sagad.request_key where key = 'old'");
    }
    store_close(store);
}

/* What a commit says is taken, a load must show, or a caller would go round for ever. */
static void commit_and_load_agree_on_what_is_remembered(void **state)
{
    (void)state;
    struct store *const store = given_store();
    static const int64_t OFFSETS[] = {-12, -9, -4, -1, 1, 4, 6, 9, 12};
    enum { COUNT = sizeof(OFFSETS) / sizeof(OFFSETS[0]) };
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COUNT; j++) {
            char name[32];
            (void)snprintf(name, sizeof(name), "agree-%zu-%zu", i, j);
            const struct request_key_write key = key_of(name, 1);
            given_clock(turn_of_week + OFFSETS[i] * MINUTE);
            COMMIT_OK(store, .keys = &key, .key_count = 1);

            given_clock(turn_of_week + WEEK + OFFSETS[j] * MINUTE);
            const bool remembered = loaded_key(store, name).found;
            bool unknown = false;
            struct err err = {0};
            const struct store_batch batch = {.keys = &key, .key_count = 1};
            const bool taken = !store_commit(store, &batch, &unknown, &err);
            if (taken) assert_int_equal(err.kind, ERR_CONFLICT);
            assert_int_equal(remembered, taken);
        }
    }
    store_close(store);
}

struct racer {
    pthread_t thread;
    struct store *store;
    struct store_batch batch;
    bool done;
    struct err err;
};

static void *race(void *argument)
{
    struct racer *const racer = argument;
    bool unknown = false;
    racer->done = store_commit(racer->store, &racer->batch, &unknown, &racer->err);
    return NULL;
}

/* One transaction began in the old week and is still open, the other one sees the new week. */
static void two_that_see_different_weeks_cannot_both_take_a_key(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct request_key_write key = key_of("raced", 1);
    given_clock(turn_of_week - MINUTE);
    PGconn *const other = PQconnectdb(private_postgres_url(fixture_postgres));
    PQclear(PQexec(other, "begin"));
    PGresult *const taken =
        PQexec(other,
               "insert into sagad.request_key (week, namespace_id, key, fingerprint, "
               "                               created_at, status)"
               " select sagad.week_of(sagad.now_ms()), max(n.id), 'raced', '',"
               "        sagad.now_ms(), 201 from sagad.namespace n");
    assert_string_equal(PQcmdTuples(taken), "1");
    PQclear(taken);

    given_clock(turn_of_week + MINUTE);
    struct racer racer = {
        .store = store, .batch = {.keys = &key, .key_count = 1}
    };
    assert_int_equal(pthread_create(&racer.thread, NULL, race, &racer), 0);
    const int64_t deadline_ms = clock_monotonic_ms() + 10000;
    while (ask_number("select count(*) from pg_stat_activity where application_name = 'sagad/test' "
                      "and wait_event_type = 'Lock'") == 0) {
        assert_true(clock_monotonic_ms() < deadline_ms);
    }
    PQclear(PQexec(other, "commit"));
    PQfinish(other);
    assert_int_equal(pthread_join(racer.thread, NULL), 0);

    assert_false(racer.done);
    assert_int_equal(racer.err.kind, ERR_CONFLICT);
    store_close(store);
}

/* ---- partitions ---- */

static int64_t partitions(const char *parent)
{
    return ask_number("select count(*) from pg_inherits where inhparent = 'sagad.%s'::regclass",
                      parent);
}

static void partitions_are_made_ahead_and_dropped_behind(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const int64_t now_ms = clock_wall_ms();
    (void)ask("select sagad.make_partitions(%lld)", (long long)(now_ms - 6 * WEEK));
    const int64_t before = partitions("request_key");

    OK(store_maintain(store, now_ms, &err));
    assert_true(partitions("request_key") < before);
    assert_string_equal(ask("select to_regclass('sagad.request_key_w%lld') is null",
                            (long long)(now_ms / WEEK - 2)),
                        "t");
    for (int64_t week = -1; week <= 2; week++) {
        assert_string_equal(ask("select to_regclass('sagad.request_key_w%lld') is not null",
                                (long long)(now_ms / WEEK + week)),
                            "t");
    }

    OK(store_maintain(store, now_ms + 2 * WEEK, &err));
    assert_string_equal(ask("select to_regclass('sagad.processed_message_w%lld') is not null",
                            (long long)(now_ms / WEEK + 4)),
                        "t");
    store_close(store);
}

/* S17: a node whose clock is wrong by years must not make the others forget. */
static void a_wrong_clock_drops_nothing(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct request_key_write key = key_of("kept", 1);
    COMMIT_OK(store, .keys = &key, .key_count = 1);

    OK(store_maintain(store, clock_wall_ms() + 520 * WEEK, &err));
    OK(store_maintain(store, clock_wall_ms() - 520 * WEEK, &err));

    assert_true(loaded_key(store, "kept").found);
    assert_true(partitions("request_key") < 40);
    store_close(store);
}

/* ---- processed ranges ---- */

static struct processed_row only_range(struct store *store, const char *topic)
{
    struct processed_row *rows = NULL;
    size_t count = 0;
    OK(store_processed(store, bytes_of(topic), 3, &fixture_arena, &rows, &count, &err));
    assert_int_equal(count, 1);
    return rows[0];
}

static struct processed_write range(const char *topic, int64_t first, int64_t last)
{
    return (struct processed_write){.topic = bytes_of(topic),
                                    .partition = 3,
                                    .first_offset = first,
                                    .last_offset = last,
                                    .first_at_ms = first * 10,
                                    .last_at_ms = last * 10};
}

static void a_range_is_extended_from_the_same_beginning(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct processed_write ranges[] = {range("r", 5, 10), range("r", 5, 20)};
    for (size_t i = 0; i < 2; i++) {
        COMMIT_OK(store, .processed = &ranges[i], .processed_count = 1);
    }

    const struct processed_row row = only_range(store, "r");
    assert_int_equal(row.first_offset, 5);
    assert_int_equal(row.last_offset, 20);
    assert_int_equal(row.first_at_ms, 50);
    assert_int_equal(row.last_at_ms, 200);
    store_close(store);
}

static void another_beginning_is_another_range(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct processed_write ranges[] = {range("g", 1, 10), range("g", 12, 20)};
    COMMIT_OK(store, .processed = &ranges[0], .processed_count = 1);
    COMMIT_OK(store, .processed = &ranges[1], .processed_count = 1);

    struct processed_row *rows = NULL;
    size_t count = 0;
    OK(store_processed(store, BYTES("g"), 3, &fixture_arena, &rows, &count, &err));
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].first_offset, 12);
    assert_int_equal(rows[1].last_offset, 10);
    store_close(store);
}

/* S15: offsets begin again; what was dealt with before says nothing of the new records. */
static void a_topic_made_anew_begins_anew(void **state)
{
    (void)state;
    struct store *const store = given_store();
    struct processed_write anew = range("n", 0, 2);
    const struct processed_write old = range("n", 0, 1000);
    anew.first_at_ms = 50000;
    anew.last_at_ms = 60000;
    COMMIT_OK(store, .processed = &old, .processed_count = 1);
    COMMIT_OK(store, .processed = &anew, .processed_count = 1);

    const struct processed_row row = only_range(store, "n");
    assert_int_equal(row.last_offset, 2);
    assert_int_equal(row.first_at_ms, 50000);
    assert_int_equal(row.last_at_ms, 60000);
    store_close(store);
}

/* ---- dead letters ---- */

static struct dead_letter_write letter_at(int64_t offset)
{
    return (struct dead_letter_write){
        .topic = BYTES("saga.replies"),
        .partition = 2,
        .offset = offset,
        .at_ms = 1700000000000,
        .reason = "forged",
        .key = {"\0\xFF",         2 },
        .headers = BYTES("[[\"ce_type\",\"x\"]]"),
        .value = {"any\0bytes\xFE", 10},
    };
}

static size_t open_letters(struct store *store, int64_t before, struct dead_letter_row **ret_rows)
{
    size_t count = 0;
    OK(store_dead_letters(store, before, 100, &fixture_arena, ret_rows, &count, &err));
    return count;
}

static void a_dead_letter_comes_back_with_every_byte(void **state)
{
    (void)state;
    struct store *const store = given_store();
    struct store *const elsewhere = given_store();
    const struct dead_letter_write letter = letter_at(77);

    COMMIT_OK(store, .dead_letters = &letter, .dead_letter_count = 1);

    struct dead_letter_row *rows = NULL;
    assert_int_equal(open_letters(store, 0, &rows), 1);
    struct dead_letter_row row;
    OK(store_dead_letter(store, rows[0].id, &fixture_arena, &row, &err));
    assert_int_equal(row.at_ms, letter.at_ms);
    assert_int_equal(row.partition, 2);
    assert_int_equal(row.offset, 77);
    assert_bytes(row.topic, "saga.replies");
    assert_bytes(row.reason, "forged");
    assert_true(bytes_equal(row.key, letter.key));
    assert_true(bytes_equal(row.headers, letter.headers));
    assert_true(bytes_equal(row.value, letter.value));
    assert_bytes(row.settled, NULL);
    FAILS(ERR_NOT_FOUND, store_dead_letter(elsewhere, row.id, &fixture_arena, &row, &err));
    assert_int_equal(open_letters(elsewhere, 0, &rows), 0);
    store_close(store);
    store_close(elsewhere);
}

static void a_dead_letter_is_settled_once(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct dead_letter_write letters[] = {letter_at(1), letter_at(2), letter_at(3)};
    COMMIT_OK(store, .dead_letters = letters, .dead_letter_count = 3);
    struct dead_letter_row *rows = NULL;
    assert_int_equal(open_letters(store, 0, &rows), 3);
    assert_true(rows[0].id > rows[1].id);
    const int64_t id = rows[1].id;

    OK(store_dead_letter_settle(store, id, "replayed", &err));
    FAILS(ERR_CONFLICT, store_dead_letter_settle(store, id, "discarded", &err));
    FAILS(ERR_NOT_FOUND, store_dead_letter_settle(store, id + 1000, "discarded", &err));

    struct dead_letter_row row;
    OK(store_dead_letter(store, id, &fixture_arena, &row, &err));
    assert_bytes(row.settled, "replayed");
    assert_int_equal(open_letters(store, 0, &rows), 2);
    assert_int_equal(open_letters(store, rows[0].id, &rows), 1);
    store_close(store);
}

/* S19: a record that is delivered again is one dead letter, and one again after it was settled. */
static void a_record_delivered_again_is_the_same_dead_letter(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct dead_letter_write letters[] = {letter_at(5), letter_at(5)};
    COMMIT_OK(store, .dead_letters = letters, .dead_letter_count = 2);
    COMMIT_OK(store, .dead_letters = letters, .dead_letter_count = 1);
    struct dead_letter_row *rows = NULL;
    assert_int_equal(open_letters(store, 0, &rows), 1);

    OK(store_dead_letter_settle(store, rows[0].id, "replayed", &err));
    COMMIT_OK(store, .dead_letters = letters, .dead_letter_count = 1);

    assert_int_equal(open_letters(store, 0, &rows), 1);
    store_close(store);
}

/* ---- secrets ---- */

static void all_nodes_get_the_first_secret(void **state)
{
    (void)state;
    const char *const name = given_namespace();
    const char *const url = private_postgres_url(fixture_postgres);
    struct store *const first = given_store_at(url, name);
    struct store *const second = given_store_at(url, name);
    const uint8_t fresh[2][32] = {
        {1, 2, 3},
        {4, 5, 6}
    };
    uint8_t secrets[2][32];

    OK(store_secret(first, "reply-token", fresh[0], 32, secrets[0], &err));
    OK(store_secret(second, "reply-token", fresh[1], 32, secrets[1], &err));

    assert_memory_equal(secrets[0], fresh[0], 32);
    assert_memory_equal(secrets[1], fresh[0], 32);
    FAILS(ERR_INTERNAL, store_secret(first, "reply-token", fresh[0], 16, secrets[0], &err));
    store_close(first);
    store_close(second);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_key_comes_back_with_every_field, set_clock_right),
        cmocka_unit_test_setup(a_key_is_taken_once_in_a_namespace, set_clock_right),
        cmocka_unit_test_setup(a_key_is_taken_once_across_the_turn_of_a_week, set_clock_right),
        cmocka_unit_test_setup(a_key_is_forgotten_after_seven_days, set_clock_right),
        cmocka_unit_test_setup(commit_and_load_agree_on_what_is_remembered, set_clock_right),
        cmocka_unit_test_setup(two_that_see_different_weeks_cannot_both_take_a_key,
                               set_clock_right),
        cmocka_unit_test_setup(partitions_are_made_ahead_and_dropped_behind, set_clock_right),
        cmocka_unit_test_setup(a_wrong_clock_drops_nothing, set_clock_right),
        cmocka_unit_test_setup(a_range_is_extended_from_the_same_beginning, set_clock_right),
        cmocka_unit_test_setup(another_beginning_is_another_range, set_clock_right),
        cmocka_unit_test_setup(a_topic_made_anew_begins_anew, set_clock_right),
        cmocka_unit_test_setup(a_dead_letter_comes_back_with_every_byte, set_clock_right),
        cmocka_unit_test_setup(a_dead_letter_is_settled_once, set_clock_right),
        cmocka_unit_test_setup(a_record_delivered_again_is_the_same_dead_letter, set_clock_right),
        cmocka_unit_test_setup(all_nodes_get_the_first_secret, set_clock_right),
    };
    return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}

int main(void)
{
    return fixture_run_or_skip(run);
}
