/*
 * tests/integration/test_store_nodes.c
 *   Who is alive, what is taken over, what is due.
 */
#include "orchestrator/base/clock.h"
#include "tests/integration/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* ---- given ---- */

static const char *server(void)
{
    return private_postgres_url(fixture_postgres);
}

struct node {
    struct store *store;
    int32_t id;
};

static struct node given_node(const char *namespace_name)
{
    struct node node = {.store = given_store_at(server(), namespace_name)};
    OK(store_node_register(node.store, "node", &node.id, &err));
    store_set_node(node.store, node.id);
    return node;
}

static void given_open_sagas(struct store *store, struct uuid *ids, size_t count)
{
    struct saga_write *const sagas = calloc(count, sizeof(*sagas));
    for (size_t i = 0; i < count; i++) {
        sagas[i] = fresh_saga(given_id(), 1);
        sagas[i].state = i % 4 == 0 ? SAGA_COMPENSATING : SAGA_RUNNING;
        ids[i] = sagas[i].id;
    }
    commit_fresh(store, sagas, count);
    free(sagas);
}

/* The node's process ends without a word. */
static void kill_node(const struct node *node)
{
    (void)ask(
        "select pg_terminate_backend(pid, 5000) from pg_locks "
        "where locktype = 'advisory' and classid = 1935763297 and objid = %d",
        node->id);
}

static size_t dead_nodes(struct store *store, int32_t **ret_nodes)
{
    size_t count = 0;
    OK(store_nodes_dead(store, &fixture_arena, ret_nodes, &count, &err));
    return count;
}

static size_t adopt(struct store *store, int32_t dead, const struct uuid *after, size_t limit,
                    struct uuid **ret_ids)
{
    size_t count = 0;
    OK(store_node_adopt(store, dead, after, limit, &fixture_arena, ret_ids, &count, &err));
    return count;
}

/* ---- nodes ---- */

static void a_node_is_dead_when_its_connection_is(void **state)
{
    (void)state;
    const char *const name = given_namespace();
    struct node first = given_node(name);
    struct node second = given_node(name);
    int32_t *nodes = NULL;
    assert_true(first.id != second.id);
    assert_int_equal(dead_nodes(first.store, &nodes), 0);

    kill_node(&second);

    assert_int_equal(dead_nodes(first.store, &nodes), 1);
    assert_int_equal(nodes[0], second.id);
    store_close(first.store);
    store_close(second.store);
}

static void nodes_of_another_namespace_are_none_of_our_business(void **state)
{
    (void)state;
    struct node here = given_node(given_namespace());
    struct node elsewhere = given_node(given_namespace());
    int32_t *nodes = NULL;

    kill_node(&elsewhere);

    assert_int_equal(dead_nodes(here.store, &nodes), 0);
    store_close(here.store);
    store_close(elsewhere.store);
}

static void a_node_that_lost_its_connection_takes_its_lock_again(void **state)
{
    (void)state;
    const char *const name = given_namespace();
    struct node first = given_node(name);
    struct node second = given_node(name);
    int32_t *nodes = NULL;

    kill_node(&second);
    OK(store_node_hold(second.store, &err));
    assert_int_equal(dead_nodes(first.store, &nodes), 0);
    OK(store_node_hold(second.store, &err));

    kill_node(&second);
    assert_int_equal(dead_nodes(first.store, &nodes), 1);
    store_close(first.store);
    store_close(second.store);
}

/* L4 */
static void the_open_sagas_of_a_dead_node_are_taken_over_in_parts(void **state)
{
    (void)state;
    enum { COUNT = 25, PART = 10 };
    const char *const name = given_namespace();
    struct node alive = given_node(name);
    struct node dead = given_node(name);
    struct uuid ids[COUNT];
    given_open_sagas(dead.store, ids, COUNT);
    struct saga_write finished = fresh_saga(given_id(), 1);
    finished.state = SAGA_SUCCEEDED;
    finished.finished_at_ms = finished.created_at_ms;
    commit_fresh(dead.store, &finished, 1);
    struct uuid ours;
    given_open_sagas(alive.store, &ours, 1);
    kill_node(&dead);

    struct uuid *taken = NULL;
    size_t total = adopt(alive.store, dead.id, NULL, PART, &taken);
    assert_int_equal(total, PART);
    for (size_t part = PART; part == PART;) {
        struct uuid *next = NULL;
        part = adopt(alive.store, dead.id, &taken[total - 1], PART, &next);
        struct uuid *const all = arena_array(&fixture_arena, total + part, sizeof(*all));
        memcpy(all, taken, total * sizeof(*all));
        memcpy(all + total, next, part * sizeof(*all));
        taken = all;
        total += part;
    }

    assert_int_equal(total, COUNT);
    assert_memory_equal(taken, ids, sizeof(ids));
    assert_int_equal(ask_number("select count(*) from sagad.saga where node = %d", dead.id), 1);
    assert_int_equal(ask_number("select count(*) from sagad.saga where node = %d", alive.id),
                     COUNT + 1);
    int32_t *nodes = NULL;
    assert_int_equal(dead_nodes(alive.store, &nodes), 0);
    store_close(alive.store);
    store_close(dead.store);
}

static void a_living_node_is_not_taken_over(void **state)
{
    (void)state;
    const char *const name = given_namespace();
    struct node first = given_node(name);
    struct node second = given_node(name);
    struct uuid id;
    given_open_sagas(second.store, &id, 1);

    struct uuid *ids = NULL;
    assert_int_equal(adopt(first.store, second.id, NULL, 10, &ids), 0);

    const struct saga_row row = loaded(second.store, id);
    assert_true(row.found);
    struct saga_write next = fresh_saga(id, 1);
    next = next_of(&next);
    commit_fresh(second.store, &next, 1);
    store_close(first.store);
    store_close(second.store);
}

/* S18: writers of a node that was taken for dead are refused until the node is back. */
static void a_zombie_writes_nothing_until_it_holds_its_node_again(void **state)
{
    (void)state;
    const char *const name = given_namespace();
    struct node alive = given_node(name);
    struct node zombie = given_node(name);
    struct store *const writer = given_store_at(server(), name);
    store_set_node(writer, zombie.id);
    struct saga_write saga = fresh_saga(given_id(), 1);
    commit_fresh(writer, &saga, 1);
    kill_node(&zombie);
    struct uuid *ids = NULL;
    assert_int_equal(adopt(alive.store, zombie.id, NULL, 10, &ids), 1);

    const struct saga_write next = next_of(&saga);
    COMMIT_FAILS(writer, ERR_UNAVAILABLE, .sagas = &next, .saga_count = 1);
    assert_int_equal(loaded(writer, saga.id).revision, 1);

    OK(store_node_hold(zombie.store, &err));
    COMMIT_OK(writer, .sagas = &next, .saga_count = 1);
    int32_t *nodes = NULL;
    assert_int_equal(dead_nodes(alive.store, &nodes), 0);
    kill_node(&zombie);
    assert_int_equal(dead_nodes(alive.store, &nodes), 1);
    assert_int_equal(adopt(alive.store, zombie.id, NULL, 10, &ids), 1);

    store_close(alive.store);
    store_close(zombie.store);
    store_close(writer);
}

/* ---- due ---- */

enum { NOW = 1000000 };

static size_t due(struct store *store, int64_t now_ms, size_t limit, struct uuid **ret_ids)
{
    size_t count = 0;
    OK(store_due(store, now_ms, limit, &fixture_arena, ret_ids, &count, &err));
    return count;
}

static struct saga_write due_saga(int64_t due_at_ms)
{
    struct saga_write saga = fresh_saga(given_id(), 1);
    saga.due_at_ms = due_at_ms;
    return saga;
}

static void due_sagas_come_oldest_first_and_once(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct saga_write sagas[] = {due_saga(NOW - 1), due_saga(NOW + 1), due_saga(NOW - 3),
                                       due_saga(0), due_saga(NOW - 2)};
    commit_fresh(store, sagas, 5);

    struct uuid *ids = NULL;
    assert_int_equal(due(store, NOW, 10, &ids), 3);
    assert_true(uuid_equal(&ids[0], &sagas[2].id));
    assert_true(uuid_equal(&ids[1], &sagas[4].id));
    assert_true(uuid_equal(&ids[2], &sagas[0].id));
    assert_int_equal(due(store, NOW, 10, &ids), 0);
    assert_int_equal(due(store, NOW + 1, 10, &ids), 1);
    store_close(store);
}

static void a_due_saga_that_nobody_fired_comes_again_later(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct saga_write saga = due_saga(NOW);
    commit_fresh(store, &saga, 1);
    struct uuid *ids = NULL;
    assert_int_equal(due(store, NOW, 10, &ids), 1);

    assert_int_equal(due(store, NOW + 4000, 10, &ids), 0);
    assert_int_equal(due(store, NOW + 5000, 10, &ids), 1);
    store_close(store);
}

static int64_t wake_at(const struct saga_write *saga)
{
    char id[UUID_TEXT_SIZE];
    uuid_print(&saga->id, id);
    return ask_number("select coalesce(wake_at, -1) from sagad.saga where id = '%s'", id);
}

static void the_wake_up_follows_lazily(void **state)
{
    (void)state;
    struct store *const store = given_store();
    struct saga_write saga = due_saga(NOW);
    commit_fresh(store, &saga, 1);
    assert_int_equal(wake_at(&saga), NOW);

    saga = next_of(&saga);
    saga.due_at_ms = NOW + 9000;
    commit_fresh(store, &saga, 1);
    assert_int_equal(wake_at(&saga), NOW);

    saga = next_of(&saga);
    saga.due_at_ms = NOW - 500;
    commit_fresh(store, &saga, 1);
    assert_int_equal(wake_at(&saga), NOW - 500);

    saga = next_of(&saga);
    saga.due_at_ms = NOW + 7000;
    commit_fresh(store, &saga, 1);
    struct uuid *ids = NULL;
    assert_int_equal(due(store, NOW, 10, &ids), 0);
    assert_int_equal(wake_at(&saga), NOW + 7000);

    saga = next_of(&saga);
    saga.due_at_ms = 0;
    commit_fresh(store, &saga, 1);
    assert_int_equal(due(store, NOW + 7000, 10, &ids), 0);
    assert_int_equal(wake_at(&saga), -1);

    saga = next_of(&saga);
    saga.due_at_ms = NOW;
    commit_fresh(store, &saga, 1);
    assert_int_equal(wake_at(&saga), NOW);

    saga = next_of(&saga);
    saga.state = SAGA_SUCCEEDED;
    saga.finished_at_ms = NOW;
    commit_fresh(store, &saga, 1);
    assert_int_equal(wake_at(&saga), -1);
    store_close(store);
}

/* Found among those that are open, in any order. */
static size_t overdue(struct store *store, int64_t before_ms, struct uuid *ret_last)
{
    struct state_count *rows = NULL;
    size_t count = 0;
    size_t found = 0;
    OK(store_count_open(store, before_ms, &fixture_arena, &rows, &count, &err));
    for (size_t i = 0; i < count; i++) {
        found += rows[i].overdue.size / sizeof(struct uuid);
        if (rows[i].overdue.size > 0) memcpy(ret_last, rows[i].overdue.data, sizeof *ret_last);
    }
    return found;
}

static void commit_near(struct store *store, const struct saga_write *saga, int64_t near_until_ms)
{
    COMMIT_OK(store, .sagas = saga, .saga_count = 1, .near_until_ms = near_until_ms);
}

static void what_memory_holds_is_not_woken(void **state)
{
    (void)state;
    struct store *const store = given_store();
    struct saga_write saga = due_saga(NOW);
    commit_near(store, &saga, NOW);
    assert_int_equal(wake_at(&saga), -1);

    saga = next_of(&saga);
    saga.due_at_ms = NOW + 9000;
    commit_near(store, &saga, NOW + 100);
    assert_int_equal(wake_at(&saga), NOW + 9000);

    saga = next_of(&saga);
    saga.due_at_ms = NOW + 200;
    commit_near(store, &saga, NOW + 200);
    assert_int_equal(wake_at(&saga), NOW + 9000);

    saga = next_of(&saga);
    saga.due_at_ms = NOW + 400;
    commit_near(store, &saga, NOW + 200);
    assert_int_equal(wake_at(&saga), NOW + 400);
    store_close(store);
}

static int64_t given_definition(struct store *store)
{
    static const uint8_t HASH[DEFINITION_HASH_SIZE];
    struct definition_row row;
    bool is_new = false;
    OK(store_definition_put(store, BYTES("late"), HASH, BYTES("{}"), 0, &fixture_arena, &row,
                            &is_new, &err));
    return row.id;
}

static void what_is_overdue_is_found_by_who_wrote_it_or_when_that_node_is_gone(void **state)
{
    (void)state;
    const char *const name = given_namespace();
    const struct node writer = given_node(name);
    const struct node other = given_node(name);
    struct saga_write sagas[] = {due_saga(NOW - 1), due_saga(NOW)};
    sagas[0].definition_id = sagas[1].definition_id = given_definition(writer.store);
    COMMIT_OK(writer.store, .sagas = sagas, .saga_count = 2, .near_until_ms = NOW);
    struct uuid id = {0};

    assert_int_equal(overdue(writer.store, NOW, &id), 1);
    assert_true(uuid_equal(&id, &sagas[0].id));
    assert_int_equal(overdue(other.store, NOW, &id), 0);
    (void)ask("update sagad.saga set node = 0 where definition_id = %lld",
              (long long)sagas[0].definition_id);
    assert_int_equal(overdue(other.store, NOW, &id), 1);
    store_close(writer.store);
    store_close(other.store);
}

/* L5: what was put off long ago must not stand before what is due. */
static void many_that_were_put_off_hide_nothing(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    static struct saga_write sagas[COUNT];
    struct store *const store = given_store();
    for (size_t i = 0; i < COUNT; i++) {
        sagas[i] = due_saga(NOW - 1000);
    }
    commit_fresh(store, sagas, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        sagas[i] = next_of(&sagas[i]);
        sagas[i].due_at_ms = NOW + 100000;
    }
    commit_fresh(store, sagas, COUNT);
    const struct saga_write saga = due_saga(NOW - 1);
    commit_fresh(store, &saga, 1);

    struct uuid *ids = NULL;
    assert_int_equal(due(store, NOW, 10, &ids), 1);
    assert_true(uuid_equal(&ids[0], &saga.id));
    store_close(store);
}

static void a_locked_saga_is_passed_over(void **state)
{
    (void)state;
    struct store *const store = given_store();
    const struct saga_write sagas[] = {due_saga(NOW - 2), due_saga(NOW - 1)};
    commit_fresh(store, sagas, 2);
    char id[UUID_TEXT_SIZE];
    char sql[128];
    uuid_print(&sagas[0].id, id);
    (void)snprintf(sql, sizeof(sql), "select from sagad.saga where id = '%s' for update", id);
    PGconn *const other = PQconnectdb(server());
    PQclear(PQexec(other, "begin"));
    PQclear(PQexec(other, sql));

    struct uuid *ids = NULL;
    assert_int_equal(due(store, NOW, 10, &ids), 1);
    assert_true(uuid_equal(&ids[0], &sagas[1].id));
    PQfinish(other);
    store_close(store);
}

static uint64_t starts_of_others(struct store *store, uint64_t own)
{
    uint64_t others = 0;
    OK(store_node_starts(store, own, &others, &err));
    return others;
}

static void each_node_knows_what_all_others_started(void **state)
{
    (void)state;
    const char *const name = given_namespace();
    struct node first = given_node(name), second = given_node(name), third = given_node(name);
    struct node elsewhere = given_node(given_namespace());
    assert_int_equal(starts_of_others(first.store, 10), 0);
    assert_int_equal(starts_of_others(second.store, 200), 10);
    assert_int_equal(starts_of_others(elsewhere.store, 5000), 0);

    assert_int_equal(starts_of_others(third.store, 0), 210);
    assert_int_equal(starts_of_others(first.store, 30), 200);
    assert_int_equal(starts_of_others(third.store, 0), 230);
    store_close(first.store);
    store_close(second.store);
    store_close(third.store);
    store_close(elsewhere.store);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_is_dead_when_its_connection_is),
        cmocka_unit_test(nodes_of_another_namespace_are_none_of_our_business),
        cmocka_unit_test(a_node_that_lost_its_connection_takes_its_lock_again),
        cmocka_unit_test(each_node_knows_what_all_others_started),
        cmocka_unit_test(the_open_sagas_of_a_dead_node_are_taken_over_in_parts),
        cmocka_unit_test(a_living_node_is_not_taken_over),
        cmocka_unit_test(a_zombie_writes_nothing_until_it_holds_its_node_again),
        cmocka_unit_test(due_sagas_come_oldest_first_and_once),
        cmocka_unit_test(a_due_saga_that_nobody_fired_comes_again_later),
        cmocka_unit_test(the_wake_up_follows_lazily),
        cmocka_unit_test(what_memory_holds_is_not_woken),
        cmocka_unit_test(what_is_overdue_is_found_by_who_wrote_it_or_when_that_node_is_gone),
        cmocka_unit_test(many_that_were_put_off_hide_nothing),
        cmocka_unit_test(a_locked_saga_is_passed_over),
    };
    return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}

int main(void)
{
    return fixture_run_or_skip(run);
}
