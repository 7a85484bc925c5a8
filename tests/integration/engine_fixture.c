#include "tests/integration/engine_fixture.h"

#include "orchestrator/base/clock.h"
#include "orchestrator/telemetry/metrics.h"
#include "participants/c/participant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PARTITIONS = 4 };

struct private_postgres *postgres;
struct embedded_broker *broker;
struct store *reader;
static volatile sig_atomic_t stop_participant;
static pthread_t participant;

/* ---- a node ---- */

void node_begin_at(struct node *node, const char *database_url)
{
    struct err err = {0};
    const struct definition_rules rules = {.topics_allow = NULL};
    node->registry = registry_new(&rules);
    node->keys = (struct token_keys){.count = 1};
    memset(node->keys.key[0], 7, TOKEN_KEY_SIZE);
    const struct engine_options options = {
        .database_url = database_url,
        .namespace_name = "default",
        .node_name = "test",
        .workers = 2,
        .queue_max = 10000,
        .cache_bytes = 8 * 1024 * 1024,
        .undispatched_max = 100,
        .window_max = 100000,
        .registry = node->registry,
    };
    if (!engine_open(&options, &node->engine, &err)) fail_msg("%s", err.text);
    engine_bus_callbacks(node->engine, &node->callbacks);
    const struct bus_options bus = {
        .brokers = embedded_brokers(broker),
        .cluster = "test",
        .topic_prefix = "",
        .group = "sagad",
        .extra = "message.timeout.ms=2000",
        .embedded = true,
        .keys = node->keys,
    };
    if (!bus_open(&bus, &node->callbacks, &node->bus, &err)) fail_msg("%s", err.text);
    if (!engine_start(node->engine, node->bus, &node->keys, &err)) fail_msg("%s", err.text);
}

void node_begin(struct node *node)
{
    node_begin_at(node, private_postgres_url(postgres));
}

void node_end(struct node *node)
{
    engine_stop(node->engine, 2000);
    bus_stop_consuming(node->bus);
    bus_close(node->bus, 2000);
    engine_close(node->engine);
    registry_free(node->registry);
}

/* ---- asking ---- */

const char TWO_STEPS[] =
    "{\"name\":\"two\",\"steps\":["
    "{\"id\":\"one\",\"action\":{\"topic\":\"engine.commands\",\"input\":\"${input}\"},"
    "\"compensation\":null},"
    "{\"id\":\"two\",\"action\":{\"topic\":\"engine.commands\",\"input\":\"${input}\"}}]}";
const char SILENT[] =
    "{\"name\":\"silent\",\"steps\":["
    "{\"id\":\"one\",\"action\":{\"topic\":\"silent.commands\",\"timeout\":\"20s\"},"
    "\"compensation\":null}]}";

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

void submit(struct node *node, struct call *call)
{
    pthread_mutex_init(&call->lock, NULL);
    pthread_cond_init(&call->answered, NULL);
    call->done = false;
    call->request.done = on_done;
    call->request.context = call;
    engine_submit(node->engine, &call->request);
}

void await(struct call *call)
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

void ask(struct node *node, struct call *call)
{
    submit(node, call);
    await(call);
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

struct call start_of(struct node *node, const char *definition, const char *input)
{
    struct call call = {.request = {.kind = REQUEST_START}};
    call.request.start = (struct start_request){
        .definition = register_text(node, definition),
        .input = bytes_of(input),
        .labels = BYTES("{}"),
    };
    return call;
}

struct call command_of(const struct uuid *id, enum event_kind kind)
{
    struct call call = {.request = {.kind = REQUEST_COMMAND}};
    call.request.command = (struct command_request){
        .saga_id = *id,
        .event = {.kind = kind, .step = -1, .index = INDEX_NONE, .actor = BYTES("test")},
    };
    return call;
}

struct call reply_of(const struct uuid *id, const char *step, int32_t index)
{
    struct call call = {.request = {.kind = REQUEST_REPLY}};
    struct reply_request *reply = &call.request.reply;
    reply->token = (struct token){.saga_id = *id, .index = index, .op = OP_ACTION, .attempt = 1};
    (void)snprintf(reply->token.step_id, sizeof reply->token.step_id, "%s", step);
    reply->event = (struct event){.kind = EVENT_REPLY,
                                  .step = -1,
                                  .index = index,
                                  .op = OP_ACTION,
                                  .attempt = 1,
                                  .outcome = OUTCOME_SUCCESS};
    return call;
}

/* ---- looking ---- */

void pause_a_little(void)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000000L};
    nanosleep(&pause, NULL);
}

bool look_at(const struct uuid *id, struct saga_row *ret_row)
{
    static struct arena arena;
    struct err err = {0};
    arena_reset(&arena);
    return store_load(reader, id, 1, &arena, ret_row, &err) && ret_row->found;
}

void await_state(const struct uuid *id, enum saga_state state)
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

char *ask_database(const char *sql)
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

void await_answer(const char *sql, const char *wanted)
{
    const int64_t until = clock_monotonic_ms() + DEADLINE_MS;
    while (strcmp(ask_database(sql), wanted) != 0) {
        if (clock_monotonic_ms() > until) fail_msg("%s: never %s", sql, wanted);
        pause_a_little();
    }
}

double metric(const char *series)
{
    struct arena arena = {0};
    struct buffer text = buffer_in(&arena);
    metrics_render(&text);
    const char *line = strstr(text.data, series);
    const double value = line == NULL ? 0 : strtod(line + strlen(series), NULL);
    arena_done(&arena);
    return value;
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

int engine_fixture_start(void **state)
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

int engine_fixture_stop(void **state)
{
    (void)state;
    stop_participant = 1;
    pthread_join(participant, NULL);
    store_close(reader);
    embedded_stop(broker);
    private_postgres_stop(postgres);
    return 0;
}

/* ---- poison ---- */

void given_poison(void)
{
    ask_database(
        "create or replace function refuse() returns trigger language plpgsql as $$ begin "
        "if new.input like '%poison%' then raise exception 'no' using errcode = '22000'; "
        "end if; return new; end $$");
    ask_database(
        "create trigger refuse before insert on sagad.saga_start for each row "
        "execute function refuse()");
}

void take_poison_away(void)
{
    ask_database("drop trigger refuse on sagad.saga_start");
}
