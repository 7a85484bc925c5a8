/*
 * tests/integration/test_engine.c
 *   Sagas are started and steered by requests, without HTTP; what racing and crashes must not
 * break.
 */
#include "orchestrator/base/clock.h"
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

static const char TWO_STEPS[] =
    "{\"name\":\"two\",\"steps\":["
    "{\"id\":\"one\",\"action\":{\"topic\":\"engine.commands\",\"input\":\"${input}\"},"
    "\"compensation\":null},"
    "{\"id\":\"two\",\"action\":{\"topic\":\"engine.commands\",\"input\":\"${input}\"}}]}";
static const char SILENT[] =
    "{\"name\":\"silent\",\"steps\":["
    "{\"id\":\"one\",\"action\":{\"topic\":\"silent.commands\",\"timeout\":\"20s\"},"
    "\"compensation\":null}]}";

/* ---- tests ---- */

static void a_started_saga_runs_to_its_end(void **state)
{
    (void)state;
    struct node node;
    node_begin(&node);
    struct call call = start_of(&node, TWO_STEPS, "{\"amount\": 0.10}");

    submit(&node, &call);
    await(&call);

    assert_int_equal(call.result, RESULT_DONE);
    assert_int_equal(call.revision, 1);
    await_state(&call.id, SAGA_SUCCEEDED);
    node_end(&node);
}

static void many_sagas_started_at_once_all_end(void **state)
{
    (void)state;
    enum { MANY = 500 };
    static struct call calls[MANY];
    struct node node;
    node_begin(&node);
    for (int i = 0; i < MANY; i++) {
        calls[i] = start_of(&node, TWO_STEPS, "{}");
        submit(&node, &calls[i]);
    }

    for (int i = 0; i < MANY; i++) {
        await(&calls[i]);
    }

    for (int i = 0; i < MANY; i++) {
        await_state(&calls[i].id, SAGA_SUCCEEDED);
    }
    node_end(&node);
}

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

static void commands_tell_what_the_state_does_not_allow(void **state)
{
    (void)state;
    struct node node;
    node_begin(&node);
    struct call start = start_of(&node, SILENT, "{}");
    submit(&node, &start);
    await(&start);

    struct call retry = command_of(&start.id, EVENT_RETRY);
    submit(&node, &retry);
    await(&retry);
    struct call stale = command_of(&start.id, EVENT_CANCEL);
    stale.request.command.has_if_match = true;
    stale.request.command.if_match = 99;
    submit(&node, &stale);
    await(&stale);
    const struct uuid nobody = {{1}};
    struct call missing = command_of(&nobody, EVENT_CANCEL);
    submit(&node, &missing);
    await(&missing);
    struct call terminate = command_of(&start.id, EVENT_TERMINATE);
    submit(&node, &terminate);
    await(&terminate);

    assert_int_equal(retry.result, RESULT_NOT_ALLOWED);
    assert_int_equal(stale.result, RESULT_STALE);
    assert_int_equal(missing.result, RESULT_NOT_FOUND);
    assert_int_equal(terminate.result, RESULT_DONE);
    assert_int_equal(terminate.state, SAGA_TERMINATED);
    node_end(&node);
}

/* Else nobody would take them over when that node dies too. */
static void adopted_sagas_carry_the_node_that_took_them(void **state)
{
    (void)state;
    static const char PATIENT[] =
        "{\"name\":\"patient\",\"steps\":[{\"id\":\"one\",\"compensation\":null,"
        "\"action\":{\"topic\":\"silent.commands\",\"timeout\":\"1h\"}}]}";
    struct node first;
    node_begin(&first);
    struct call start = start_of(&first, PATIENT, "{}");
    submit(&first, &start);
    await(&start);
    node_end(&first);

    struct node second;
    node_begin(&second);

    await_answer(
        "select count(*) from sagad.saga where finished_at is null and node is distinct "
        "from (select max(id) from sagad.node)",
        "0");
    struct call terminate = command_of(&start.id, EVENT_TERMINATE);
    submit(&second, &terminate);
    await(&terminate);
    node_end(&second);
}

/* Its end was in the memory of the node that is gone. */
static void a_delay_ends_also_when_its_node_has_gone(void **state)
{
    (void)state;
    static const char RESTS[] =
        "{\"name\":\"rests\",\"steps\":[{\"id\":\"rest\",\"delay\":{\"for\":\"1s\"}}]}";
    struct node first;
    node_begin(&first);
    struct call start = start_of(&first, RESTS, "{}");
    ask(&first, &start);
    node_end(&first);

    struct node second;
    node_begin(&second);

    await_state(&start.id, SAGA_SUCCEEDED);
    node_end(&second);
}

/* What is due in a month lies in PostgreSQL, and a cancel finds the saga there. */
static void a_delay_of_a_month_is_a_row(void **state)
{
    (void)state;
    static const char RESTS[] =
        "{\"name\":\"month\",\"steps\":[{\"id\":\"rest\","
        "\"delay\":{\"for\":\"30d\"}}]}";
    struct node node;
    node_begin(&node);
    struct call start = start_of(&node, RESTS, "{}");
    ask(&node, &start);

    struct saga_row row;
    assert_true(look_at(&start.id, &row));
    assert_int_equal(row.due_at_ms - row.created_at_ms, INT64_C(30) * 86400000);

    struct call cancel = command_of(&start.id, EVENT_CANCEL);
    ask(&node, &cancel);
    assert_int_equal(cancel.state, SAGA_COMPENSATED);
    node_end(&node);
}

/* Nobody answers the action; the probe goes to one who does. */
static void a_probe_travels_and_its_answer_counts(void **state)
{
    (void)state;
    static const char ASKS[] =
        "{\"name\":\"asks\",\"output\":\"${steps.one.output.ok}\",\"steps\":[{\"id\":\"one\","
        "\"on_unknown\":\"probe\",\"probe\":{\"topic\":\"engine.commands\"},"
        "\"action\":{\"topic\":\"silent.commands\",\"timeout\":\"100ms\","
        "\"retry\":{\"max_attempts\":1}}}]}";
    struct node node;
    node_begin(&node);
    struct call start = start_of(&node, ASKS, "{}");
    ask(&node, &start);

    await_state(&start.id, SAGA_SUCCEEDED);
    assert_string_equal(ask_database("select output from sagad.history h join sagad.saga s "
                                     "on s.id = h.saga_id where output is not null "
                                     "order by s.created_at desc, h.seq desc limit 1"),
                        "true");
    node_end(&node);
}

/* Both nodes keep the saga in memory; the second one's picture is stale each time. */
static void two_nodes_that_steer_one_saga_lose_nothing(void **state)
{
    (void)state;
    struct node a;
    struct node b;
    node_begin(&a);
    node_begin(&b);
    struct call start = start_of(&a, SILENT, "{}");
    submit(&a, &start);
    await(&start);

    uint32_t revision = start.revision;
    for (int i = 0; i < 6; i++) {
        struct call call = command_of(&start.id, i % 2 == 0 ? EVENT_PAUSE : EVENT_RESUME);
        submit(i % 3 == 0 ? &b : &a, &call);
        await(&call);
        assert_int_equal(call.result, RESULT_DONE);
        assert_int_equal(call.revision, revision + 1);
        revision = call.revision;
    }

    node_end(&a);
    node_end(&b);
}

static void given_poison(void)
{
    ask_database(
        "create or replace function refuse() returns trigger language plpgsql as $$ begin "
        "if new.input like '%poison%' then raise exception 'no' using errcode = '22000'; "
        "end if; return new; end $$");
    ask_database(
        "create trigger refuse before insert on sagad.saga_start for each row "
        "execute function refuse()");
}

/* PostgreSQL refuses one saga's rows: it alone fails, its neighbours in the batch go on. */
static void a_poisoned_event_is_set_aside_alone(void **state)
{
    (void)state;
    enum { MANY = 60, BAD = 23 };
    static struct call calls[MANY];
    given_poison();
    struct node node;
    node_begin(&node);
    for (int i = 0; i < MANY; i++) {
        calls[i] = start_of(&node, TWO_STEPS, i == BAD ? "{\"a\":\"poison\"}" : "{}");
        submit(&node, &calls[i]);
    }

    for (int i = 0; i < MANY; i++) {
        await(&calls[i]);
        assert_int_equal(calls[i].result, i == BAD ? RESULT_INTERNAL : RESULT_DONE);
    }

    ask_database("drop trigger refuse on sagad.saga_start");
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
    ask_database("drop trigger refuse on sagad.saga_start");
    end(&hearing);
}

static void sagas_outlive_a_crash_of_the_database(void **state)
{
    (void)state;
    enum { MANY = 200 };
    static struct call calls[MANY];
    struct node node;
    node_begin(&node);
    for (int i = 0; i < MANY; i++) {
        calls[i] = start_of(&node, TWO_STEPS, "{}");
        submit(&node, &calls[i]);
    }
    struct err err = {0};
    if (!private_postgres_crash(postgres, &err)) fail_msg("%s", err.text);

    int accepted = 0;
    for (int i = 0; i < MANY; i++) {
        await(&calls[i]);
        if (calls[i].result != RESULT_DONE) continue;
        accepted++;
        await_state(&calls[i].id, SAGA_SUCCEEDED);
    }

    print_message("%d of %d starts accepted around the crash\n", accepted, MANY);
    await_answer(
        "select count(*) from sagad.saga where state = 1 and definition_id = (select "
        "max(id) from sagad.definition where name = 'two')",
        "0");
    node_end(&node);
}

/* The broker is away: starts are taken up to the limit, then refused, and all is sent later. */
static void starts_are_taken_without_a_broker_up_to_the_limit(void **state)
{
    (void)state;
    enum { MANY = 160 };
    static struct call calls[MANY];
    struct node node;
    node_begin(&node);
    struct call first = start_of(&node, TWO_STEPS, "{}");
    submit(&node, &first);
    await(&first);
    await_state(&first.id, SAGA_SUCCEEDED);

    embedded_down(broker);
    struct engine_health health;
    const int64_t until = clock_monotonic_ms() + 3 * DEADLINE_MS;
    int accepted = 0;
    int refused = 0;
    for (int i = 0; i < MANY; i++) {
        calls[i] = start_of(&node, TWO_STEPS, "{}");
        submit(&node, &calls[i]);
        await(&calls[i]);
        if (calls[i].result == RESULT_FULL) {
            refused++;
        } else {
            accepted += calls[i].result == RESULT_DONE;
        }
        engine_health(node.engine, &health);
        if (accepted > 110 && !health.full && clock_monotonic_ms() < until) {
            pause_a_little(); /* until the producer has given its messages back */
            i--;
            accepted--;
        }
    }
    assert_true(refused > 0);
    embedded_up(broker);

    for (int i = 0; i < MANY; i++) {
        if (calls[i].result == RESULT_DONE) await_state(&calls[i].id, SAGA_SUCCEEDED);
    }
    node_end(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_started_saga_runs_to_its_end),
        cmocka_unit_test(many_sagas_started_at_once_all_end),
        cmocka_unit_test(a_probe_travels_and_its_answer_counts),
        cmocka_unit_test(one_idempotency_key_makes_one_saga_whoever_races),
        cmocka_unit_test(a_key_that_another_node_took_is_found_among_new_ones),
        cmocka_unit_test(a_refused_start_whose_key_is_taken_is_a_misused_key),
        cmocka_unit_test(a_start_with_an_id_is_replayed_by_its_key),
        cmocka_unit_test(two_nodes_that_race_for_keys_make_one_saga_for_each),
        cmocka_unit_test(keys_of_new_starts_are_not_looked_for),
        cmocka_unit_test(an_id_that_exists_is_the_same_saga_or_a_conflict),
        cmocka_unit_test(commands_tell_what_the_state_does_not_allow),
        cmocka_unit_test(adopted_sagas_carry_the_node_that_took_them),
        cmocka_unit_test(a_delay_ends_also_when_its_node_has_gone),
        cmocka_unit_test(a_delay_of_a_month_is_a_row),
        cmocka_unit_test(two_nodes_that_steer_one_saga_lose_nothing),
        cmocka_unit_test(a_poisoned_event_is_set_aside_alone),
        cmocka_unit_test(a_poisoned_start_whose_key_is_taken_is_a_misused_key),
        cmocka_unit_test(sagas_outlive_a_crash_of_the_database),
        cmocka_unit_test(starts_are_taken_without_a_broker_up_to_the_limit),
    };
    return cmocka_run_group_tests(tests, engine_fixture_start, engine_fixture_stop);
}
