/*
 * tests/integration/test_engine_keys.c
 *   One Idempotency-Key, or one id, makes one saga: whoever races, whichever node, whatever fails.
 */
#include "tests/integration/engine_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct call keyed_start(struct node *node, const char *key, const char *input, uint8_t print)
{
    struct call call = start_of(node, TWO_STEPS, input);
    call.request.key.key = bytes_of(key);
    memset(call.request.key.fingerprint, print, FINGERPRINT_SIZE);
    return call;
}

static void one_idempotency_key_makes_one_saga_whoever_races(void **state)
{
    (void)state;
    enum { RACERS = 40 };
    static struct call calls[RACERS];
    struct node node;
    node_begin(&node);
    for (int i = 0; i < RACERS; i++) {
        calls[i] = keyed_start(&node, "race", "{}", 1);
        submit(&node, &calls[i]);
    }

    int made = 0;
    for (int i = 0; i < RACERS; i++) {
        await(&calls[i]);
        made += calls[i].result == RESULT_DONE;
        assert_true(calls[i].result == RESULT_DONE || calls[i].result == RESULT_REPLAYED);
        assert_true(uuid_equal(&calls[i].id, &calls[0].id));
    }

    assert_int_equal(made, 1);
    struct call other = keyed_start(&node, "race", "{\"x\":1}", 2);
    submit(&node, &other);
    await(&other);
    assert_int_equal(other.result, RESULT_OTHER_BODY);
    node_end(&node);
}

/* ---- keys that are not looked for before the commit ---- */

/* A node takes a key; another one, which looks for no keys yet, hears of it again. */
struct second_hearing {
    struct node first, second;
};

static void given_a_key_of_another_node(struct second_hearing *hearing, struct call *taken_by)
{
    node_begin(&hearing->second);
    ask(&hearing->first, taken_by);
    assert_int_equal(taken_by->result, RESULT_DONE);
}

static void end(struct second_hearing *hearing)
{
    node_end(&hearing->first);
    node_end(&hearing->second);
}

static void a_key_that_another_node_took_is_found_among_new_ones(void **state)
{
    (void)state;
    enum { MANY = 60, SAME = 17, OTHER = 31 };
    static struct call calls[MANY];
    static char keys[MANY][16];
    struct second_hearing hearing;
    node_begin(&hearing.first);
    struct call taken = keyed_start(&hearing.first, "taken", "{}", 1);
    given_a_key_of_another_node(&hearing, &taken);

    for (int round = 0; round < 2; round++) { /* the second time keys are doubted */
        for (int i = 0; i < MANY; i++) {
            (void)snprintf(keys[i], sizeof keys[i], "new-%d-%d", round, i);
            const bool again = i == SAME || i == OTHER;
            calls[i] =
                keyed_start(&hearing.second, again ? "taken" : keys[i], "{}", i == OTHER ? 2 : 1);
            submit(&hearing.second, &calls[i]);
        }
        for (int i = 0; i < MANY; i++) {
            await(&calls[i]);
            const enum request_result wanted = i == SAME    ? RESULT_REPLAYED
                                               : i == OTHER ? RESULT_OTHER_BODY
                                                            : RESULT_DONE;
            assert_int_equal(calls[i].result, wanted);
            if (i != OTHER) assert_int_equal(uuid_equal(&calls[i].id, &taken.id), i == SAME);
        }
    }

    assert_string_equal(
        ask_database("select count(distinct key) from sagad.request_key where key like 'new-%'"),
        "116");
    end(&hearing);
}

/* No commit tells: nothing would be written of it. */
static void a_refused_start_whose_key_is_taken_is_a_misused_key(void **state)
{
    (void)state;
    static const char PICKY[] =
        "{\"name\":\"picky\",\"attributes\":{\"n\":\"${1 / input.zero}\"},\"steps\":["
        "{\"id\":\"one\",\"action\":{\"topic\":\"silent.commands\"},\"compensation\":null}]}";
    struct second_hearing hearing;
    node_begin(&hearing.first);
    struct call taken = keyed_start(&hearing.first, "picky", "{}", 1);
    given_a_key_of_another_node(&hearing, &taken);
    struct call refused = start_of(&hearing.second, PICKY, "{\"zero\":0}");
    struct call other = refused;
    struct call same = refused;
    struct call unused = refused;
    other.request.key = same.request.key = taken.request.key;
    memset(other.request.key.fingerprint, 2, FINGERPRINT_SIZE);
    unused.request.key.key = BYTES("unused");

    ask(&hearing.second, &other);
    ask(&hearing.second, &same);
    ask(&hearing.second, &unused);
    ask(&hearing.second, &refused);

    assert_int_equal(other.result, RESULT_OTHER_BODY);
    assert_int_equal(same.result, RESULT_REPLAYED);
    assert_true(uuid_equal(&same.id, &taken.id));
    assert_int_equal(unused.result, RESULT_REFUSED);
    assert_int_equal(refused.result, RESULT_REFUSED);
    end(&hearing);
}

static void a_start_with_an_id_is_replayed_by_its_key(void **state)
{
    (void)state;
    struct second_hearing hearing;
    node_begin(&hearing.first);
    struct call taken = keyed_start(&hearing.first, "with-id", "{}", 1);
    taken.request.start.has_id = true;
    randombytes_buf(taken.request.start.id.byte, sizeof taken.request.start.id.byte);
    struct call same = taken;
    struct call other = taken;
    memset(other.request.key.fingerprint, 2, FINGERPRINT_SIZE);
    given_a_key_of_another_node(&hearing, &taken);

    ask(&hearing.second, &same);
    ask(&hearing.second, &other);

    assert_int_equal(same.result, RESULT_REPLAYED);
    assert_true(uuid_equal(&same.id, &taken.id));
    assert_int_equal(other.result, RESULT_OTHER_BODY);
    end(&hearing);
}

static void two_nodes_that_race_for_keys_make_one_saga_for_each(void **state)
{
    (void)state;
    enum { KEYS = 100 };
    static struct call calls[2][KEYS];
    static char keys[KEYS][16];
    struct node nodes[2];
    node_begin(&nodes[0]);
    node_begin(&nodes[1]);
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "raced-%d", i);
        for (int node = 0; node < 2; node++) {
            calls[node][i] = keyed_start(&nodes[node], keys[i], "{}", 1);
        }
    }

    for (int i = 0; i < KEYS; i++) {
        submit(&nodes[0], &calls[0][i]);
        submit(&nodes[1], &calls[1][KEYS - 1 - i]);
    }

    for (int i = 0; i < KEYS; i++) {
        await(&calls[0][i]);
        await(&calls[1][i]);
    }
    for (int i = 0; i < KEYS; i++) {
        const enum request_result first = calls[0][i].result;
        const enum request_result second = calls[1][i].result;
        assert_true(uuid_equal(&calls[0][i].id, &calls[1][i].id));
        assert_true((first == RESULT_DONE && second == RESULT_REPLAYED) ||
                    (first == RESULT_REPLAYED && second == RESULT_DONE));
    }
    node_end(&nodes[0]);
    node_end(&nodes[1]);
}

static void keys_of_new_starts_are_not_looked_for(void **state)
{
    (void)state;
    enum { MANY = 40 };
    static const char LOOKS[] =
        "select coalesce(sum(idx_scan), 0) from pg_stat_user_tables"
        " where relname = 'request_key_w' || sagad.week_of(sagad.now_ms())";
    static const char WRITTEN[] =
        "select coalesce(sum(n_tup_ins), 0) from pg_stat_user_tables"
        " where relname = 'request_key_w' || sagad.week_of(sagad.now_ms())";
    static char keys[MANY][16];
    struct node node;
    /* A session reports what it did when it ends. */
    await_answer(
        "select count(*) from pg_stat_activity where application_name like 'sagad/writer%'", "0");
    const long looks = strtol(ask_database(LOOKS), NULL, 10);
    const long written = strtol(ask_database(WRITTEN), NULL, 10);

    node_begin(&node);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "unheard-%d", i);
        struct call call = keyed_start(&node, keys[i], "{}", 1);
        ask(&node, &call);
        assert_int_equal(call.result, RESULT_DONE);
    }
    node_end(&node);

    char wanted[32];
    (void)snprintf(wanted, sizeof wanted, "%ld", written + MANY);
    await_answer(WRITTEN, wanted);
    assert_int_equal(strtol(ask_database(LOOKS), NULL, 10), looks);
}

static void an_id_that_exists_is_the_same_saga_or_a_conflict(void **state)
{
    (void)state;
    struct node node;
    node_begin(&node);
    struct call first = start_of(&node, TWO_STEPS, "{}");
    first.request.start.has_id = true;
    randombytes_buf(first.request.start.id.byte, sizeof first.request.start.id.byte);
    struct call same = first;
    struct call other = first;
    other.request.start.input = BYTES("{\"a\":1}");

    submit(&node, &first);
    submit(&node, &same);
    submit(&node, &other);
    await(&first);
    await(&same);
    await(&other);

    assert_int_equal(first.result, RESULT_DONE);
    assert_int_equal(same.result, RESULT_EXISTS);
    assert_int_equal(other.result, RESULT_ID_TAKEN);
    node_end(&node);
}

/* It is the key that answers, whatever PostgreSQL would say of the rest. */
static void a_poisoned_start_whose_key_is_taken_is_a_misused_key(void **state)
{
    (void)state;
    struct second_hearing hearing;
    node_begin(&hearing.first);
    struct call taken = keyed_start(&hearing.first, "poisoned", "{}", 1);
    given_a_key_of_another_node(&hearing, &taken);
    struct call poisoned = keyed_start(&hearing.second, "poisoned", "{\"a\":\"poison\"}", 2);
    given_poison();

    ask(&hearing.second, &poisoned);

    assert_int_equal(poisoned.result, RESULT_OTHER_BODY);
    take_poison_away();
    end(&hearing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_idempotency_key_makes_one_saga_whoever_races),
        cmocka_unit_test(a_key_that_another_node_took_is_found_among_new_ones),
        cmocka_unit_test(a_refused_start_whose_key_is_taken_is_a_misused_key),
        cmocka_unit_test(a_start_with_an_id_is_replayed_by_its_key),
        cmocka_unit_test(two_nodes_that_race_for_keys_make_one_saga_for_each),
        cmocka_unit_test(keys_of_new_starts_are_not_looked_for),
        cmocka_unit_test(an_id_that_exists_is_the_same_saga_or_a_conflict),
        cmocka_unit_test(a_poisoned_start_whose_key_is_taken_is_a_misused_key),
    };
    return cmocka_run_group_tests(tests, engine_fixture_start, engine_fixture_stop);
}
