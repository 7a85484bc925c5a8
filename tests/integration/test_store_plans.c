/*
 * tests/integration/test_store_plans.c
 *   Every statement reaches big tables by key: on empty tables, on grown ones that nobody analysed,
 *   and after ANALYZE. And ordinary updates stay on their page.
 */
#include "orchestrator/store/sql.h"
#include "tests/integration/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* What the index condition of a scan of a big table must hold: both words of any of the pairs. */
static const struct {
    const char *table; /* as it stands in a plan */
    const char *words[3][2];
} RULES[] = {
    {" on saga ",              {{"(id ", "(namespace_id"}, {"(state =", ""}, {"(wake_at <=", ""}}},
    {" on saga_start_",        {{"(definition_id =", "(id "}}                                    },
    {" on history_",           {{"(saga_id =", ""}}                                              },
    {" on saga_tag_",          {{"(name =", "(value ="}}                                         },
    {" on request_key_w",      {{"(key =", ""}}                                                  },
    {" on processed_message_", {{"(topic =", "(partition ="}}                                    },
    {" on dead_letter ",       {{"(id ", ""}}                                                    },
    {" on failure ",           {{"(saga_id ", "(namespace_id"}, {"(state =", "(namespace_id"}}   },
    {" on effect ",            {{"(saga_id ", "(namespace_id"}, {"(state =", "(namespace_id"}}   },
    {" on saga_lock ",
     {{"(saga_id ", "(namespace_id"}, {"(definition", "(namespace_id"}, {"(granted <", ""}}      },
    {" on schedule ",          {{"(name ", ""}, {"(wake_at <=", ""}}                             },
    {" on schedule_event ",    {{"(name ", ""}, {"(at <", ""}}                                   },
    {" on event_batch ",       {{"(place ", "(namespace_id"}}                                    },
    {" on topic_act ",         {{"(namespace_id ", ""}}                                          },
};

static bool is_allowed(size_t rule, const char *condition)
{
    for (size_t i = 0; i < 3 && RULES[rule].words[i][0] != NULL; i++) {
        if (strstr(condition, RULES[rule].words[i][0]) != NULL &&
            strstr(condition, RULES[rule].words[i][1]) != NULL) {
            return true;
        }
    }
    return false;
}

static bool is_scan(const char *line)
{
    return strstr(line, "Scan ") != NULL && strstr(line, "Tid Scan ") == NULL;
}

static void check_line(const char *statement, const char *line, const char *next)
{
    for (size_t rule = 0; rule < sizeof(RULES) / sizeof(RULES[0]); rule++) {
        if (!is_scan(line) || strstr(line, RULES[rule].table) == NULL) continue;
        const bool keyed = strstr(next, "TID Cond:") != NULL ||
                           (strstr(next, "Index Cond:") != NULL && is_allowed(rule, next));
        if (!keyed) fail_msg("%s:\n%s\n%s", statement, line, next);
    }
}

static void explain(PGconn *connection, const struct sql *sql, const char *when)
{
    PGresult *const described = PQdescribePrepared(connection, sql->name);
    char text[512];
    int length = snprintf(text, sizeof(text), "explain (costs off) execute %s", sql->name);
    for (int i = 0; i < PQnparams(described); i++) {
        length +=
            snprintf(text + length, sizeof(text) - (size_t)length, "%snull", i == 0 ? "(" : ",");
    }
    if (PQnparams(described) > 0) (void)snprintf(text + length, sizeof(text) - (size_t)length, ")");
    PQclear(described);

    PGresult *const plan = PQexec(connection, text);
    if (PQresultStatus(plan) != PGRES_TUPLES_OK) {
        assert_non_null(strstr(PQerrorMessage(connection), "Utility statements have no plan"));
    } else {
        for (int i = 0; i < PQntuples(plan); i++) {
            char name[128];
            (void)snprintf(name, sizeof(name), "%s, %s", sql->name, when);
            check_line(name, PQgetvalue(plan, i, 0),
                       i + 1 < PQntuples(plan) ? PQgetvalue(plan, i + 1, 0) : "");
        }
    }
    PQclear(plan);
}

static void check_all_plans(const char *url, const char *when)
{
    PGconn *const connection = PQconnectdb(url);
    const char *const timeouts[] = {"5000", "2500"};
    PQclear(PQexecParams(connection, SQL_SESSION.text, 2, NULL, timeouts, NULL, NULL, 0));
    /* So that a plan shows every partition, not those of a null. */
    PQclear(PQexec(connection, "set enable_partition_pruning = off"));
    for (size_t i = 0; SQL_ALL[i] != NULL; i++) {
        PGresult *const prepared =
            PQprepare(connection, SQL_ALL[i]->name, SQL_ALL[i]->text, 0, NULL);
        if (PQresultStatus(prepared) != PGRES_COMMAND_OK) {
            fail_msg("%s: %s", SQL_ALL[i]->name, PQerrorMessage(connection));
        }
        PQclear(prepared);
        explain(connection, SQL_ALL[i], when);
    }
    PQfinish(connection);
}

static const char GROW[] =
    "insert into sagad.namespace (name) values ('grown');"
    "insert into sagad.definition (namespace_id, name, version, hash, source, created_at)"
    "  select 1, 'definition-' || i, 1, decode(md5(i::text), 'hex'), '{}', i from "
    "generate_series(1, 20) i;"
    "insert into sagad.saga select 1, (lpad(to_hex(sagad.now_ms() - i % 3 * 604800000), 12, '0')"
    "    || '70008000' || lpad(to_hex(i), 12, '0'))::uuid,"
    "    1 + i % 20, 1700000000000 + i, false, 0, 1, case when i % 1000 = 0 then 8 else 0 end,"
    "    case when i % 1000 = 0 then 5 when i % 50 = 0 then 1 else 3 end, false, null,"
    "    case when i % 50 = 0 then 1700000030000 + i end, null, '\\x00'"
    "  from generate_series(1, 100000) i;"
    "insert into sagad.saga_start (namespace_id, definition_id, id, input, labels)"
    "  select 1, definition_id, id, '{}', '{}' from sagad.saga;"
    "insert into sagad.history select 1, id, seq, 1, seq, 1700000000000, '[]', null, null"
    "  from sagad.saga, generate_series(1, 2) seq;"
    "insert into sagad.saga_tag select 1, 'l', 'customer', 'c' || (row_number() over () % 5000), id"
    "  from sagad.saga;"
    "insert into sagad.failure select 1, id, definition_id, 7 + definition_id, created_at, 2, 0,"
    "    'pay', 'timeout' from sagad.saga where attention <> 0;"
    "insert into sagad.effect select 1, id, 'pay', -1, definition_id, created_at, state, false,"
    "    'payments', 'money', 'EUR', 12.50 from sagad.saga where state <> 3;"
    "insert into sagad.saga_lock (namespace_id, saga_id, definition, key, places, since, waits,"
    "    granted, told) select 1, id, 'definition-' || definition_id, (created_at % 1000)::text, 1,"
    "    created_at, created_at % 5 <> 0, case when created_at % 5 = 0 then 1 end, created_at % 5 "
    "= 0"
    "  from sagad.saga;"
    "insert into sagad.request_key select sagad.week_of(sagad.now_ms()), 1, 'key' || i, '\\x00',"
    "    sagad.now_ms(), null, 201, null from generate_series(1, 20000) i;"
    "insert into sagad.dead_letter (namespace_id, at, topic, partition, \"offset\", reason)"
    "  select 1, i, 't', 0, i, 'forged' from generate_series(1, 20000) i;"
    "insert into sagad.schedule (namespace_id, name, uid, definition, version, cron, time_zone, "
    "input,"
    "    catch_up, catch_up_window, overlap, created_at, paused, updated_at, revision, turn, "
    "waiting,"
    "    next_at, wake_at)"
    "  select 1, 's' || i, gen_random_uuid(), 'd', 0, '@hourly', 'UTC', '{}', 0, 1, 0, 1, false, "
    "1, 1, 1, '',"
    "    i, i from generate_series(1, 20000) i;"
    "insert into sagad.schedule_event (namespace_id, name, at, kind)"
    "  select 1, 's' || i % 100, i, 'missed' from generate_series(1, 20000) i;"
    "insert into sagad.topic_act (namespace_id, name, at, verb, actor)"
    "  select 1, 't' || i % 100, i, 'pause', 'ops' from generate_series(1, 20000) i;";

static const char *grown_url;

static void plans_are_right_on_empty_tables(void **state)
{
    (void)state;
    grown_url = given_database();
    uint32_t from = 0;
    uint32_t to = 0;
    OK(store_migrate(grown_url, &from, &to, &err));

    check_all_plans(grown_url, "empty");
}

static void plans_are_right_on_grown_tables_that_nobody_analysed(void **state)
{
    (void)state;
    (void)ask_at(grown_url, GROW);

    check_all_plans(grown_url, "grown");
}

static void plans_are_right_on_analysed_tables(void **state)
{
    (void)state;
    (void)ask_at(grown_url, "analyze");

    check_all_plans(grown_url, "analysed");
}

static void the_rules_notice_a_scan(void **state)
{
    (void)state;
    assert_false(is_allowed(0, "  Index Cond: (namespace_id = $1)"));
    assert_true(is_allowed(0, "  Index Cond: ((namespace_id = $1) AND (id = v.id))"));
    assert_false(is_allowed(1, "  Index Cond: ((namespace_id = $1) AND (definition_id = $2))"));
    assert_true(is_scan("->  Seq Scan on saga s"));
}

/* ---- HOT ---- */

enum { SAGAS = 400 };

static struct saga_write sagas[SAGAS];

static void advance_all(struct store *store, int64_t due_in_ms)
{
    for (size_t i = 0; i < SAGAS; i++) {
        sagas[i] = next_of(&sagas[i]);
        sagas[i].due_at_ms = sagas[i].created_at_ms + due_in_ms;
    }
    commit_fresh(store, sagas, SAGAS);
}

static int64_t hot_updates(void)
{
    /* A session reports what it did when it ends. */
    return ask_number("select n_tup_hot_upd from pg_stat_user_tables where relname = 'saga'");
}

static int64_t updates(void)
{
    return ask_number("select n_tup_upd from pg_stat_user_tables where relname = 'saga'");
}

static void updates_that_put_the_due_time_off_are_hot(void **state)
{
    (void)state;
    struct store *store = given_store();
    for (size_t i = 0; i < SAGAS; i++) {
        sagas[i] = fresh_saga(given_id(), 1);
    }
    commit_fresh(store, sagas, SAGAS);
    for (int i = 1; i <= 5; i++) {
        advance_all(store, 30000 + i * 1000);
    }
    store_close(store);

    const int64_t deadline = 200;
    for (int64_t i = 0; updates() < (int64_t)5 * SAGAS && i < deadline; i++) {
        (void)ask("select pg_sleep(0.01)");
    }
    assert_int_equal(updates(), 5 * SAGAS);
    assert_int_equal(hot_updates(), 5 * SAGAS);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rules_notice_a_scan),
        cmocka_unit_test(plans_are_right_on_empty_tables),
        cmocka_unit_test(plans_are_right_on_grown_tables_that_nobody_analysed),
        cmocka_unit_test(plans_are_right_on_analysed_tables),
        cmocka_unit_test(updates_that_put_the_due_time_off_are_hot),
    };
    return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}

int main(void)
{
    return fixture_run_or_skip(run);
}
