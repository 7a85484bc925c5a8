/*
 * tests/integration/test_engine.c
 *   The engine between a real PostgreSQL and the embedded broker, without HTTP.
 *
 * A participant answers everything with success; sagas are started and steered by requests.
 */
#include "orchestrator/base/clock.h"
#include "orchestrator/bus/embedded.h"
#include "orchestrator/dev/private_postgres.h"
#include "orchestrator/engine/engine.h"
#include "participants/c/participant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEADLINE_MS = 30000, PARTITIONS = 4 };

static const char TWO_STEPS[] =
    "{\"name\":\"two\",\"steps\":["
    "{\"id\":\"one\",\"action\":{\"topic\":\"engine.commands\",\"input\":\"${input}\"},"
    "\"compensation\":null},"
    "{\"id\":\"two\",\"action\":{\"topic\":\"engine.commands\",\"input\":\"${input}\"}}]}";
static const char SILENT[] =
    "{\"name\":\"silent\",\"steps\":["
    "{\"id\":\"one\",\"action\":{\"topic\":\"silent.commands\",\"timeout\":\"20s\"},"
    "\"compensation\":null}]}";

static struct private_postgres *postgres;
static struct embedded_broker *broker;
static struct store *reader;
static volatile sig_atomic_t stop_participant;
static pthread_t participant;

/* ---- a node ---- */

struct node {
    struct registry *registry;
    struct engine *engine;
    struct bus *bus;
    struct token_keys keys;
};

static void node_begin(struct node *node)
{
    struct err err = {0};
    const struct definition_rules rules = {.topics_allow = NULL};
    node->registry = registry_new(&rules);
    node->keys = (struct token_keys){.count = 1};
    memset(node->keys.key[0], 7, TOKEN_KEY_SIZE);
    const struct engine_options options = {
        .database_url = private_postgres_url(postgres),
        .namespace_name = "default",
        .node_name = "test",
        .workers = 2,
        .queue_max = 10000,
        .cache_bytes = 8 * 1024 * 1024,
        .undispatched_max = 100,
        .registry = node->registry,
    };
    if (!engine_open(&options, &node->engine, &err)) fail_msg("%s", err.text);
    struct bus_callbacks callbacks;
    engine_bus_callbacks(node->engine, &callbacks);
    const struct bus_options bus = {
        .brokers = embedded_brokers(broker),
        .cluster = "test",
        .topic_prefix = "",
        .group = "sagad",
        .extra = "message.timeout.ms=2000",
        .embedded = true,
        .keys = node->keys,
    };
    if (!bus_open(&bus, &callbacks, &node->bus, &err)) fail_msg("%s", err.text);
    if (!engine_start(node->engine, node->bus, &node->keys, &err)) fail_msg("%s", err.text);
}

static void node_end(struct node *node)
{
    bus_stop_consuming(node->bus);
    engine_stop(node->engine, 2000);
    bus_close(node->bus, 2000);
    engine_close(node->engine);
    registry_free(node->registry);
}

/* ---- asking ---- */

struct call {
    struct request request;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool done;
    enum request_result result;
    enum verdict verdict;
    struct uuid id;
    uint32_t revision;
    enum saga_state state;
};

static void on_done(struct request *request, const struct answer *answer)
{
    struct call *call = request->context;
    pthread_mutex_lock(&call->lock);
    call->result = answer->result;
    call->verdict = answer->verdict;
    if (answer->saga != NULL) {
        call->id = answer->saga->id;
        call->revision = answer->saga->revision;
        call->state = answer->saga->state;
    }
    call->done = true;
    pthread_cond_signal(&call->answered);
    pthread_mutex_unlock(&call->lock);
}

static void submit(struct node *node, struct call *call)
{
    pthread_mutex_init(&call->lock, NULL);
    pthread_cond_init(&call->answered, NULL);
    call->done = false;
    call->request.done = on_done;
    call->request.context = call;
    engine_submit(node->engine, &call->request);
}

static void await(struct call *call)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_MS / 1000;
    pthread_mutex_lock(&call->lock);
    while (!call->done) {
        if (pthread_cond_timedwait(&call->answered, &call->lock, &until) != 0) {
            fail_msg("no answer in time");
        }
    }
    pthread_mutex_unlock(&call->lock);
}

static const struct definition *register_text(struct node *node, const char *text)
{
    struct arena arena = {0};
    struct definition_report report;
    struct registered registered;
    bool fresh = false;
    struct err err = {0};
    if (!registry_register(node->registry, reader, bytes_of(text), &arena, &report, &registered,
                           &fresh, &err)) {
        fail_msg("%s", err.text);
    }
    arena_done(&arena);
    return registered.definition;
}

static struct call start_of(struct node *node, const char *definition, const char *input)
{
    struct call call = {.request = {.kind = REQUEST_START}};
    call.request.start = (struct start_request){
        .definition = register_text(node, definition),
        .input = bytes_of(input),
        .labels = BYTES("{}"),
    };
    return call;
}

static struct call command_of(const struct uuid *id, enum event_kind kind)
{
    struct call call = {.request = {.kind = REQUEST_COMMAND}};
    call.request.command = (struct command_request){
        .saga_id = *id,
        .event = {.kind = kind, .step = -1, .index = INDEX_NONE, .actor = BYTES("test")},
    };
    return call;
}

/* ---- looking ---- */

static void pause_a_little(void)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000000L};
    nanosleep(&pause, NULL);
}

static bool look_at(const struct uuid *id, struct saga_row *ret_row)
{
    static struct arena arena;
    struct err err = {0};
    arena_reset(&arena);
    return store_load(reader, id, 1, &arena, ret_row, &err) && ret_row->found;
}

static void await_state(const struct uuid *id, enum saga_state state)
{
    const int64_t until = clock_monotonic_ms() + DEADLINE_MS;
    struct saga_row row = {0};
    while (!look_at(id, &row) || row.state != state) {
        if (clock_monotonic_ms() > until) {
            fail_msg("the saga is %s, not %s", saga_state_name(row.state), saga_state_name(state));
        }
        pause_a_little();
    }
}

static char *ask_database(const char *sql)
{
    static char answer[200];
    PGconn *connection = PQconnectdb(private_postgres_url(postgres));
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK) {
        fail_msg("%s", PQerrorMessage(connection));
    }
    (void)snprintf(answer, sizeof answer, "%s",
                   PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(connection);
    return answer;
}

static void await_answer(const char *sql, const char *wanted)
{
    const int64_t until = clock_monotonic_ms() + DEADLINE_MS;
    while (strcmp(ask_database(sql), wanted) != 0) {
        if (clock_monotonic_ms() > until) fail_msg("%s: never %s", sql, wanted);
        pause_a_little();
    }
}

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

    for (int i = 0; i < MANY; i++)
        await(&calls[i]);

    for (int i = 0; i < MANY; i++)
        await_state(&calls[i].id, SAGA_SUCCEEDED);
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

/* PostgreSQL refuses one saga's rows: it alone fails, its neighbours in the batch go on. */
static void a_poisoned_event_is_set_aside_alone(void **state)
{
    (void)state;
    enum { MANY = 60, BAD = 23 };
    static struct call calls[MANY];
    ask_database(
        "create or replace function refuse() returns trigger language plpgsql as $$ begin "
        "if new.input like '%poison%' then raise exception 'no' using errcode = '22000'; "
        "end if; return new; end $$");
    ask_database(
        "create trigger refuse before insert on sagad.saga_start for each row "
        "execute function refuse()");
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
        if (calls[i].result == RESULT_FULL)
            refused++;
        else
            accepted += calls[i].result == RESULT_DONE;
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

/* ---- the stage ---- */

static struct participant_reply say_yes(const struct participant_command *command, void *context)
{
    (void)command;
    (void)context;
    return participant_succeed("{\"ok\":true}");
}

static void *run_participant(void *context)
{
    (void)context;
    static const struct participant_handler HANDLERS[] = {
        {"*", say_yes}
    };
    const struct participant_options options = {
        .brokers = embedded_brokers(broker),
        .group = "engine-test",
        .topics = "engine.commands",
        .handlers = HANDLERS,
        .handler_count = 1,
        .stop = &stop_participant,
    };
    (void)participant_run(&options);
    return NULL;
}

static int set_up(void **state)
{
    (void)state;
    static const char *const TOPICS[] = {"engine.commands", "silent.commands", "saga.replies",
                                         "saga.replies.dlt"};
    struct err err = {0};
    uint32_t from = 0;
    uint32_t to = 0;
    if (sodium_init() < 0) return -1;
    bool good = private_postgres_start(NULL, NULL, &postgres, &err) &&
                store_migrate(private_postgres_url(postgres), &from, &to, &err) &&
                embedded_start(&broker, &err);
    for (size_t i = 0; good && i < sizeof TOPICS / sizeof *TOPICS; i++) {
        good = embedded_topic(broker, TOPICS[i], PARTITIONS, &err);
    }
    const struct store_options options = {
        .url = good ? private_postgres_url(postgres) : NULL,
        .namespace_name = "default",
        .role = "test",
        .statement_timeout_ms = 5000,
    };
    good = good && store_open(&options, &reader, &err);
    if (!good) {
        print_error("%s\n", err.text);
        return -1;
    }
    return pthread_create(&participant, NULL, run_participant, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    stop_participant = 1;
    pthread_join(participant, NULL);
    store_close(reader);
    embedded_stop(broker);
    private_postgres_stop(postgres);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_started_saga_runs_to_its_end),
        cmocka_unit_test(many_sagas_started_at_once_all_end),
        cmocka_unit_test(one_idempotency_key_makes_one_saga_whoever_races),
        cmocka_unit_test(an_id_that_exists_is_the_same_saga_or_a_conflict),
        cmocka_unit_test(commands_tell_what_the_state_does_not_allow),
        cmocka_unit_test(two_nodes_that_steer_one_saga_lose_nothing),
        cmocka_unit_test(a_poisoned_event_is_set_aside_alone),
        cmocka_unit_test(sagas_outlive_a_crash_of_the_database),
        cmocka_unit_test(starts_are_taken_without_a_broker_up_to_the_limit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
