/*
 * Forty connections deliver the same command at the same moment, again and again. Every `run`
 * writes a row to a ledger, so that what really took effect is counted, not what was said.
 */
#include "orchestrator/dev/private_postgres.h"
#include "participants/c/barrier.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { RACERS = 40, ROUNDS = 50, FILE_SIZE = 65536 };

enum verdict { RUN, REPLAY, SKIP, REFUSE, VERDICT_COUNT };

static const char *const VERDICTS[VERDICT_COUNT] = {"run", "replay", "skip", "refuse"};

/* What one racer does with its delivery. */
struct racer {
    PGconn *connection;
    const char *op;
    bool fails; /* when told `run`: rolls back, as a crash or a refusal would */
    char key[64];
    enum verdict verdict;
    char reply[64];
};

struct world {
    struct private_postgres *postgres;
    struct racer racers[RACERS];
};

static struct world world;
static pthread_barrier_t start_line;

static PGresult *ask(PGconn *connection, const char *sql, const char *a, const char *b,
                     const char *c)
{
    const char *const values[] = {a, b, c};
    const int count = (a != NULL) + (b != NULL) + (c != NULL);
    PGresult *result = PQexecParams(connection, sql, count, NULL, values, NULL, NULL, 0);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        (void)fprintf(stderr, "%s: %s", sql, PQerrorMessage(connection));
        abort();
    }
    return result;
}

static void run(PGconn *connection, const char *sql, const char *a, const char *b, const char *c)
{
    PQclear(ask(connection, sql, a, b, c));
}

static int count(const char *sql, const char *key)
{
    PGresult *result = ask(world.racers[0].connection, sql, key, NULL, NULL);
    const int value = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return value;
}

static int effects(const char *key, const char *op)
{
    return count(strcmp(op, "action") == 0
                     ? "select count(*) from ledger where key = $1 and op = 'action'"
                     : "select count(*) from ledger where key = $1 and op = 'compensate'",
                 key);
}

static void take_effect(struct racer *racer)
{
    /* The reply says who did it: everybody else must get these very bytes. */
    (void)snprintf(racer->reply, sizeof racer->reply, "{\"by\": %d, \"n\":0.10}",
                   PQbackendPID(racer->connection));
    run(racer->connection, "insert into ledger values ($1, $2)", racer->key, racer->op, NULL);
    run(racer->connection, "select saga_done($1, $2, $3)", racer->key, racer->op, racer->reply);
}

static void deliver(struct racer *racer)
{
    run(racer->connection, "begin", NULL, NULL, NULL);
    PGresult *result = ask(racer->connection, "select verdict, reply from saga_begin($1, $2)",
                           racer->key, racer->op, NULL);
    racer->verdict = RUN;
    while (strcmp(VERDICTS[racer->verdict], PQgetvalue(result, 0, 0)) != 0) {
        racer->verdict++;
    }
    (void)snprintf(racer->reply, sizeof racer->reply, "%s", PQgetvalue(result, 0, 1));
    PQclear(result);
    if (racer->verdict == RUN) take_effect(racer);
    const bool gives_up = racer->verdict == RUN && racer->fails;
    run(racer->connection, gives_up ? "rollback" : "commit", NULL, NULL, NULL);
}

static void *race(void *context)
{
    (void)pthread_barrier_wait(&start_line);
    deliver(context);
    return NULL;
}

static void everybody_races(const char *key)
{
    pthread_t threads[RACERS];
    for (int i = 0; i < RACERS; i++) {
        (void)snprintf(world.racers[i].key, sizeof world.racers[i].key, "%s", key);
        assert_int_equal(pthread_create(&threads[i], NULL, race, &world.racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

/* Every racer delivers `op`, and succeeds when told to run. */
static void given_racers(const char *op)
{
    for (int i = 0; i < RACERS; i++) {
        world.racers[i].op = op;
        world.racers[i].fails = false;
    }
}

static int told(enum verdict verdict, const char *op)
{
    int number = 0;
    for (int i = 0; i < RACERS; i++) {
        number += world.racers[i].verdict == verdict && strcmp(world.racers[i].op, op) == 0;
    }
    return number;
}

static void assert_all_have_the_reply_of_the_one_who_ran(void)
{
    const char *reply = NULL;
    for (int i = 0; i < RACERS; i++) {
        if (world.racers[i].verdict == RUN && !world.racers[i].fails) reply = world.racers[i].reply;
    }
    assert_non_null(reply);
    for (int i = 0; i < RACERS; i++) {
        if (world.racers[i].verdict == REPLAY) assert_string_equal(world.racers[i].reply, reply);
    }
}

static void forty_racing_actions_take_effect_once(void **state)
{
    (void)state;
    given_racers("action");
    for (int round = 0; round < ROUNDS; round++) {
        char key[64];
        (void)snprintf(key, sizeof key, "action/%d", round);

        everybody_races(key);

        assert_int_equal(told(RUN, "action"), 1);
        assert_int_equal(told(REPLAY, "action"), RACERS - 1);
        assert_int_equal(effects(key, "action"), 1);
        assert_all_have_the_reply_of_the_one_who_ran();
    }
}

static void when_the_one_who_runs_rolls_back_another_runs(void **state)
{
    (void)state;
    given_racers("action");
    int rolled_back = 0;
    for (int round = 0; round < ROUNDS; round++) {
        char key[64];
        (void)snprintf(key, sizeof key, "rollback/%d", round);
        for (int i = 0; i < RACERS; i++) {
            world.racers[i].fails = (i + round) % 4 != 0;
        }

        everybody_races(key);

        rolled_back += told(RUN, "action") - 1;
        assert_true(told(RUN, "action") >= 1);
        assert_int_equal(told(RUN, "action") + told(REPLAY, "action"), RACERS);
        assert_int_equal(effects(key, "action"), 1);
        assert_all_have_the_reply_of_the_one_who_ran();
    }
    assert_true(rolled_back > 0);
}

static void deliver_one(const char *key, const char *op, enum verdict expected)
{
    struct racer *racer = &world.racers[0];
    racer->op = op;
    racer->fails = false;
    (void)snprintf(racer->key, sizeof racer->key, "%s", key);
    deliver(racer);
    assert_string_equal(VERDICTS[racer->verdict], VERDICTS[expected]);
}

static void forty_racing_undos_of_a_done_action_take_effect_once(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char key[64];
        (void)snprintf(key, sizeof key, "undo/%d", round);
        deliver_one(key, "action", RUN);
        given_racers("compensate");

        everybody_races(key);

        assert_int_equal(told(RUN, "compensate"), 1);
        assert_int_equal(told(REPLAY, "compensate"), RACERS - 1);
        assert_int_equal(effects(key, "compensate"), 1);
        assert_all_have_the_reply_of_the_one_who_ran();
    }
}

static void forty_racing_undos_of_nothing_do_nothing(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char key[64];
        (void)snprintf(key, sizeof key, "nothing/%d", round);
        given_racers("compensate");

        everybody_races(key);

        assert_int_equal(told(SKIP, "compensate"), RACERS);
        assert_int_equal(effects(key, "compensate"), 0);
        deliver_one(key, "action", REFUSE);
        assert_int_equal(effects(key, "action"), 0);
    }
}

/* Whoever wins: what was done is undone once, and what was not done never will be. */
static void actions_and_undos_that_race_leave_nothing_behind(void **state)
{
    (void)state;
    int undo_won = 0;
    for (int round = 0; round < 2 * ROUNDS; round++) {
        char key[64];
        (void)snprintf(key, sizeof key, "mixed/%d", round);
        for (int i = 0; i < RACERS; i++) {
            world.racers[i].op = (i + round) % 2 == 0 ? "action" : "compensate";
            world.racers[i].fails = i % 5 == 0;
        }

        everybody_races(key);
        deliver_one(key, "compensate",
                    effects(key, "action") == 0       ? SKIP
                    : effects(key, "compensate") == 0 ? RUN
                                                      : REPLAY);

        const int done = effects(key, "action");
        assert_true(done == 0 || done == 1);
        assert_int_equal(effects(key, "compensate"), done);
        undo_won += done == 0;
        deliver_one(key, "action", REFUSE);
    }
    assert_in_range(undo_won, 1, 2 * ROUNDS - 1); /* both orders really happened */
}

static void a_refusal_leaves_no_row_and_may_be_tried_again(void **state)
{
    (void)state;
    struct racer *racer = &world.racers[0];
    *racer = (struct racer){racer->connection, "action", true, "refused/1", RUN, ""};
    deliver(racer);
    assert_int_equal(count("select count(*) from saga_barrier where key = $1", "refused/1"), 0);

    deliver_one("refused/1", "action", RUN);
    deliver_one("refused/1", "action", REPLAY);
}

static void a_probe_looks_and_leaves_no_trace(void **state)
{
    (void)state;
    deliver_one("probe/1", "probe", SKIP);
    deliver_one("probe/1", "action", RUN);
    deliver_one("probe/1", "probe", REPLAY);
    assert_int_not_equal(strlen(world.racers[0].reply), 0);
    deliver_one("probe/1", "compensate", RUN);
    deliver_one("probe/1", "probe", REFUSE);
}

static struct participant_reply do_it(const struct participant_command *command, void *context)
{
    (void)command;
    (void)context;
    return participant_succeed("{\"n\":1}");
}

static enum participant_outcome handled(struct barrier *barrier, const char *op)
{
    struct participant_command command = {.op = op, .key = "asked/1"};
    struct participant_reply reply = {0};
    assert_true(barrier_handle(barrier, &command, do_it, NULL, &reply));
    free(reply.value);
    return reply.outcome;
}

static void a_participant_answers_a_probe_by_what_it_did(void **state)
{
    (void)state;
    assert_int_equal(setenv("PGOPTIONS", "-c search_path=shop", 1), 0);
    struct barrier *barrier = barrier_open(private_postgres_url(world.postgres));
    assert_int_equal(unsetenv("PGOPTIONS"), 0);
    assert_non_null(barrier);
    assert_int_equal(handled(barrier, "probe"), PARTICIPANT_FAILURE);
    assert_int_equal(handled(barrier, "action"), PARTICIPANT_SUCCESS);
    assert_int_equal(handled(barrier, "probe"), PARTICIPANT_SUCCESS);
    assert_int_equal(handled(barrier, "compensate"), PARTICIPANT_SUCCESS);
    assert_int_equal(handled(barrier, "probe"), PARTICIPANT_FAILURE);
    barrier_close(barrier);
}

static void assert_fails_with(const char *sql, const char *expected)
{
    PGresult *result = PQexec(world.racers[0].connection, sql);
    assert_int_equal(PQresultStatus(result), PGRES_FATAL_ERROR);
    assert_non_null(strstr(PQresultErrorMessage(result), expected));
    PQclear(result);
    PQclear(PQexec(world.racers[0].connection, "rollback"));
}

static void misuse_is_refused_by_the_database(void **state)
{
    (void)state;
    assert_fails_with("begin; select saga_begin('misuse/1', 'action'); commit",
                      "without saga_done");
    assert_fails_with("select saga_done('misuse/2', 'action', '')", "without a saga_begin");
    assert_fails_with("select saga_begin('misuse/3', 'undo')", "op is undo");
    assert_fails_with("select saga_begin(null, 'action')", "null value");
}

static void old_rows_are_forgotten_on_demand(void **state)
{
    (void)state;
    deliver_one("old/1", "action", RUN);
    run(world.racers[0].connection,
        "update saga_barrier set at = now() - interval '40 days' where key = $1", "old/1", NULL,
        NULL);

    assert_int_equal(count("select saga_forget('30 days') where $1 <> ''", "x"), 1);

    assert_int_equal(count("select count(*) from saga_barrier where key = $1", "old/1"), 0);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return NULL;
    char *text = calloc(1, FILE_SIZE);
    if (text != NULL && fread(text, 1, FILE_SIZE - 1, file) == 0) text[0] = '\0';
    (void)fclose(file);
    return text;
}

static int set_up(void **state)
{
    (void)state;
    struct err err = {0};
    if (!private_postgres_start(NULL, NULL, &world.postgres, &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    for (int i = 0; i < RACERS; i++) {
        world.racers[i].connection = PQconnectdb(private_postgres_url(world.postgres));
        if (PQstatus(world.racers[i].connection) != CONNECTION_OK) return -1;
        PQclear(PQexec(world.racers[i].connection,
                       "set client_min_messages = error; create schema if not exists shop; "
                       "set search_path = shop; set synchronous_commit = off"));
    }
    char *barrier = read_file(BARRIER_SQL);
    if (barrier == NULL) return -1;
    /* Twice: it is installed again and again without harm. */
    for (int i = 0; i < 2; i++) {
        PGresult *result = PQexec(world.racers[i].connection, barrier);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            (void)fprintf(stderr, "%s", PQresultErrorMessage(result));
            return -1;
        }
        PQclear(result);
    }
    free(barrier);
    run(world.racers[0].connection, "create table ledger (key text, op text)", NULL, NULL, NULL);
    return pthread_barrier_init(&start_line, NULL, RACERS);
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < RACERS; i++) {
        PQfinish(world.racers[i].connection);
    }
    (void)pthread_barrier_destroy(&start_line);
    private_postgres_stop(world.postgres);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forty_racing_actions_take_effect_once),
        cmocka_unit_test(when_the_one_who_runs_rolls_back_another_runs),
        cmocka_unit_test(forty_racing_undos_of_a_done_action_take_effect_once),
        cmocka_unit_test(forty_racing_undos_of_nothing_do_nothing),
        cmocka_unit_test(actions_and_undos_that_race_leave_nothing_behind),
        cmocka_unit_test(a_refusal_leaves_no_row_and_may_be_tried_again),
        cmocka_unit_test(a_probe_looks_and_leaves_no_trace),
        cmocka_unit_test(a_participant_answers_a_probe_by_what_it_did),
        cmocka_unit_test(misuse_is_refused_by_the_database),
        cmocka_unit_test(old_rows_are_forgotten_on_demand),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
