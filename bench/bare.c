/*
 * bench/bare.c
 *   What the machine could give at best: the same rows and records as sagad's, and no rules.
 *
 *     saga-bare database URL SAGAS BATCH      rows of 3-step sagas in batches, one connection
 *     saga-bare starts URL SAGAS BATCH        the rows of their starts alone
 *     saga-bare transport BROKERS TRIPS OPEN  command and reply through the broker, nothing stored
 *     saga-bare loop URL BROKERS SAGAS OPEN   both: start, commit, command, reply, commit, ...
 *     saga-bare records BROKERS TOPIC         how many records a topic has had
 *
 * The tables are sagad's own (run `sagad migrate` first), in a database where no sagad works, and
 * empty (truncate them between runs). INPUT_BYTES in the environment makes each input so large. A
 * participant that answers topic bench.commands must be running: saga-participant-echo. Replies
 * come to bench.replies. FETCH_WAIT_MS in the environment sets fetch.wait.max.ms. Prints one line
 * of JSON. One loop, one connection, batches that form by themselves.
 */
#include <arpa/inet.h>
#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STEPS = 3, BATCH_MAX = 4000, ID_SIZE = 37, PATIENCE_S = 120, ACQUAINTANCE = 1000000000 };

#define INPUT                                                                                      \
    "{\"order_id\":\"o-12345678\",\"amount\":1299,\"currency\":\"EUR\",\"customer\":\"c-998877\"," \
    "\"sku\":\"s-4711\"}"
#define ENTRIES /* packed, as long as those of a step that succeeded and one that was sent */      \
    "\\x01010d0772657365727665000100"                                                              \
    "8d8010066368617267650001c6c0d4b4a533"
#define FIRST /* the same of a start: created, started, sent */                                    \
    "\\x0102000300008d80200772657365727665"                                                        \
    "0001c6c0d4b4a533"
#define OUTPUT "{\"ok\":true}"
#define PACKED                                                                                     \
    "\\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"                          \
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"                             \
    "000102030405060708090a0b0c0d0e0f"

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "saga-bare: %s: %s\n", what, why);
    exit(1);
}

/* ---- the input of a saga ---- */

static const char *input = INPUT;
static size_t input_size = sizeof INPUT - 1;

/* An input of so many bytes, letters that do not compress well. */
static void make_input(const char *bytes)
{
    static const char LETTERS[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    static const char HEAD[] = "{\"pad\":\"";
    const size_t size = bytes == NULL ? 0 : strtoul(bytes, NULL, 10);
    if (size <= sizeof INPUT) return;
    char *made = malloc(size + 1);
    if (made == NULL) die("memory", "none");
    memcpy(made, HEAD, sizeof HEAD - 1);
    uint64_t seed = 88172645463325252U;
    for (size_t i = sizeof HEAD - 1; i < size - 2; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        made[i] = LETTERS[seed >> 58];
    }
    memcpy(made + size - 2, "\"}", 3);
    input = made;
    input_size = size;
}

/* ---- PostgreSQL ---- */

static const char *const STATEMENTS[][2] = {
    {"start",
     "insert into sagad.saga (namespace_id, id, definition_id, created_at, node, revision, "
     "attention, state, paused, odd_id, due_at, packed) "
     "select 999, i, 1, 1764000000000, 1, 1, 0, 1, false, false, 1764000030000, "
     "'" PACKED "'::bytea from unnest($1::uuid[]) i"                            },
    {"input",
     "insert into sagad.saga_start (namespace_id, definition_id, id, input, labels, first_count, "
     "first_entries) select 999, 1, i, v, '{}', 3, '" FIRST "'::bytea "
     "from unnest($1::uuid[], $2::text[]) t(i, v)"                              },
    {"key",
     "insert into sagad.request_key (week, namespace_id, key, fingerprint, created_at, "
     "saga_id, status) select sagad.week_of(sagad.now_ms()), 999, i::text, "
     "'\\x000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f', 1764000000000, "
     "i, 201 from unnest($1::uuid[]) i"                                         },
    {"history",
     "insert into sagad.history (namespace_id, saga_id, seq, count, revision, at, "
     "entries, payload) select 999, i, $2::int * 2 + 1, 2, $2::int + 1, 1764000000000, "
     "'" ENTRIES "'::bytea, '" OUTPUT "' from unnest($1::uuid[]) i"             },
    {"update",
     "with v as materialized (select i from unnest($1::uuid[]) i) "
     "update sagad.saga s set revision = s.revision + 1, due_at = s.due_at + 1, "
     "packed = '" PACKED "'::bytea, "
     "state = case when $2::int = 3 then 3 else s.state end, "
     "finished_at = case when $2::int = 3 then 1764000000001 end "
     "from v cross join lateral (select h.ctid from sagad.saga h where h.namespace_id = 999 "
     "and h.id = v.i offset 0) h where s.ctid = h.ctid and s.revision = $2::int"},
};

static PGconn *connect_database(const char *url)
{
    PGconn *connection = PQconnectdb(url);
    if (PQstatus(connection) != CONNECTION_OK) die("database", PQerrorMessage(connection));
    PQclear(PQexec(connection,
                   "set plan_cache_mode = force_generic_plan; set jit = off; set enable_seqscan = "
                   "off; set enable_hashjoin = off; set enable_mergejoin = off; set "
                   "enable_material = off; set enable_bitmapscan = off"));
    for (size_t i = 0; i < sizeof STATEMENTS / sizeof *STATEMENTS; i++) {
        PGresult *result = PQprepare(connection, STATEMENTS[i][0], STATEMENTS[i][1], 0, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) die("prepare", PQerrorMessage(connection));
        PQclear(result);
    }
    return connection;
}

struct ids {
    long number[BATCH_MAX];
    int count;
};

/* UUIDv7 of the minute in which the program began. */
static void print_id(long number, char id[ID_SIZE])
{
    static long long begun_ms;
    if (begun_ms == 0) begun_ms = (long long)time(NULL) * 1000;
    (void)snprintf(id, ID_SIZE, "%08llx-%04llx-7000-8000-%012ld", begun_ms >> 16 & 0xffffffff,
                   begun_ms & 0xffff, number);
}

static const char *array_of(const struct ids *ids)
{
    static char text[BATCH_MAX * ID_SIZE + 8];
    char *at = text;
    *at++ = '{';
    for (int i = 0; i < ids->count; i++) {
        if (i > 0) *at++ = ',';
        print_id(ids->number[i], at);
        at += ID_SIZE - 1;
    }
    *at++ = '}';
    *at = '\0';
    return text;
}

static void send_statement(PGconn *connection, const char *name, const char *ids, int step)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%d", step);
    const char *values[] = {ids, number};
    const bool two = strcmp(name, "history") == 0 || strcmp(name, "update") == 0;
    if (PQsendQueryPrepared(connection, name, two ? 2 : 1, values, NULL, NULL, 0) != 1) {
        die(name, PQerrorMessage(connection));
    }
}

static char *put_number(char *to, uint32_t number)
{
    const uint32_t big = htonl(number);
    memcpy(to, &big, sizeof big);
    return to + sizeof big;
}

/* The inputs of so many sagas, in PostgreSQL's binary form of text[]: each one is sent. */
static const char *inputs_of(int count, int *ret_size)
{
    enum { TEXT_TYPE = 25, HEAD_SIZE = 20 };
    static char *room;
    static size_t room_size;
    const size_t size = HEAD_SIZE + (size_t)count * (input_size + sizeof(uint32_t));
    if (room_size < size) room = realloc(room, room_size = size);
    if (room == NULL) die("memory", "none");
    char *at = room;
    const uint32_t head[] = {1, 0, TEXT_TYPE, (uint32_t)count, 1};
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) {
        at = put_number(at, head[i]);
    }
    for (int i = 0; i < count; i++) {
        at = put_number(at, (uint32_t)input_size);
        memcpy(at, input, input_size);
        at += input_size;
    }
    *ret_size = (int)size;
    return room;
}

static void send_inputs(PGconn *connection, const char *ids, int count)
{
    int lengths[] = {0, 0};
    const int formats[] = {0, 1};
    const char *values[] = {ids, inputs_of(count, &lengths[1])};
    if (PQsendQueryPrepared(connection, "input", 2, values, lengths, formats, 0) != 1) {
        die("input", PQerrorMessage(connection));
    }
}

static void send_text(PGconn *connection, const char *text)
{
    if (PQsendQueryParams(connection, text, 0, NULL, NULL, NULL, NULL, 0) != 1) {
        die(text, PQerrorMessage(connection));
    }
}

static void finish_pipeline(PGconn *connection, int statements)
{
    PQpipelineSync(connection);
    for (int i = 0; i < statements; i++) {
        PGresult *result = PQgetResult(connection);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) die("batch", PQerrorMessage(connection));
        PQclear(result);
        PQclear(PQgetResult(connection)); /* NULL: end of the statement */
    }
    PQclear(PQgetResult(connection)); /* the sync */
}

/* One transaction, one round trip. `done[n]` are the sagas whose step n was answered. */
static void commit_batch(PGconn *connection, const struct ids *fresh, const struct ids done[STEPS])
{
    int statements = 2;
    PQenterPipelineMode(connection);
    send_text(connection, "begin");
    if (fresh->count > 0) {
        const char *ids = array_of(fresh);
        send_statement(connection, "start", ids, 0);
        send_inputs(connection, ids, fresh->count);
        send_statement(connection, "key", ids, 0);
        statements += 3;
    }
    for (int step = 0; step < STEPS; step++) {
        if (done[step].count == 0) continue;
        const char *ids = array_of(&done[step]);
        send_statement(connection, "update", ids, step + 1);
        send_statement(connection, "history", ids, step + 1);
        statements += 2;
    }
    send_text(connection, "commit");
    finish_pipeline(connection, statements);
    PQexitPipelineMode(connection);
}

static void database(const char *url, long sagas, int batch, int steps)
{
    static struct ids fresh;
    static struct ids done[STEPS];
    if (batch < 1 || batch > BATCH_MAX) die("batch", "1 to 4000");
    PGconn *connection = connect_database(url);
    const double begun = now();
    for (long first = 0; first < sagas; first += batch) {
        struct ids some = {.count = 0};
        while (some.count < batch) {
            some.number[some.count] = first + some.count;
            some.count++;
        }
        fresh = some;
        for (int step = 0; step < STEPS; step++) {
            done[step].count = 0;
        }
        commit_batch(connection, &fresh, done);
        fresh.count = 0;
        for (int step = 0; step < steps; step++) {
            done[step] = some;
            commit_batch(connection, &fresh, done);
            done[step].count = 0;
        }
    }
    const double took = now() - begun;
    printf("{\"sagas\":%ld,\"batch\":%d,\"sagas_per_s\":%.0f}\n", sagas, batch,
           (double)sagas / took);
    PQfinish(connection);
}

/* ---- Kafka ---- */

static rd_kafka_t *client(const char *brokers, bool consumer)
{
    char error[512];
    char group[64];
    const char *wait = getenv("FETCH_WAIT_MS");
    (void)snprintf(group, sizeof group, "bench-bare-%d", getpid());
    const char *linger = getenv("LINGER_MS");
    const char *const producing[][2] = {
        {"linger.ms",                    linger == NULL ? "0" : linger},
        {"acks",                         "all"                        },
        {"enable.idempotence",           "true"                       },
        {"queue.buffering.max.messages", "1000000"                    },
        {NULL,                           NULL                         }
    };
    const char *const consuming[][2] = {
        {"group.id",            group                    },
        {"auto.offset.reset",   "latest"                 },
        {"fetch.wait.max.ms",   wait == NULL ? "5" : wait},
        {"queued.min.messages", "10000"                  },
        {NULL,                  NULL                     }
    };
    const char *const(*settings)[2] = consumer ? consuming : producing;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, error, sizeof error);
    rd_kafka_conf_set(conf, "socket.nagle.disable", "true", error, sizeof error);
    for (; (*settings)[0] != NULL; settings++) {
        if (rd_kafka_conf_set(conf, (*settings)[0], (*settings)[1], error, sizeof error) != 0) {
            die((*settings)[0], error);
        }
    }
    rd_kafka_t *kafka =
        rd_kafka_new(consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (kafka == NULL) die("kafka", error);
    if (consumer) rd_kafka_poll_set_consumer(kafka);
    return kafka;
}

static void send_command(rd_kafka_t *producer, long number, int step)
{
    char id[ID_SIZE];
    char token[96];
    char key[64];
    print_id(number, id);
    (void)snprintf(token, sizeof token, "%ld.%d.%064d", number, step,
                   0); /* as long as a real one */
    (void)snprintf(key, sizeof key, "%s/charge", id);
    const char *const headers[][2] = {
        {"content-type",      "application/json"                                       },
        {"ce_specversion",    "1.0"                                                    },
        {"ce_id",             token                                                    },
        {"ce_source",         "/sagad/default"                                         },
        {"ce_type",           "payments.charge.v1"                                     },
        {"ce_time",           "2026-11-23T12:00:00.123Z"                               },
        {"ce_subject",        id                                                       },
        {"ce_idempotencykey", key                                                      },
        {"ce_sagaop",         "action"                                                 },
        {"ce_sagastep",       "charge"                                                 },
        {"ce_sagadef",        "order-checkout/1"                                       },
        {"ce_sagaattempt",    "1"                                                      },
        {"ce_sagareplyto",    "bench.replies"                                          },
        {"ce_sagatoken",      token                                                    },
        {"ce_expirytime",     "2026-11-23T12:00:30.123Z"                               },
        {"traceparent",       "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"},
    };
    void *body = (void *)(uintptr_t)input; /* librdkafka copies it, but wants it writable */
    rd_kafka_headers_t *list = rd_kafka_headers_new(16);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        rd_kafka_header_add(list, headers[i][0], -1, headers[i][1], -1);
    }
    for (;;) {
        const rd_kafka_resp_err_t error = rd_kafka_producev(
            producer, RD_KAFKA_V_TOPIC("bench.commands"), RD_KAFKA_V_KEY(id, ID_SIZE - 1),
            RD_KAFKA_V_VALUE(body, input_size), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_HEADERS(list), RD_KAFKA_V_END);
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return;
        if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) die("produce", rd_kafka_err2str(error));
        rd_kafka_poll(producer, 5);
    }
}

static bool read_token(const rd_kafka_message_t *message, long *ret_number, int *ret_step)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t size = 0;
    if (message->err != 0 || rd_kafka_message_headers(message, &headers) != 0 ||
        rd_kafka_header_get_last(headers, "ce_sagatoken", &value, &size) != 0) {
        return false;
    }
    return sscanf(value, "%ld.%d.", ret_number, ret_step) == 2;
}

/* Wait until our consumer has its partitions: what is sent before would be missed. */
static void subscribe(rd_kafka_t *consumer)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, "bench.replies", RD_KAFKA_PARTITION_UA);
    rd_kafka_subscribe(consumer, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    const double begun = now();
    for (int count = 0; count == 0;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        if (message != NULL) rd_kafka_message_destroy(message);
        if (rd_kafka_assignment(consumer, &topics) == 0) {
            count = topics->cnt;
            rd_kafka_topic_partition_list_destroy(topics);
        }
        if (now() - begun > 30) die("kafka", "no partition of bench.replies within 30 s");
    }
    rd_kafka_message_t *message =
        rd_kafka_consumer_poll(consumer, 1500); /* offsets are looked up */
    if (message != NULL) rd_kafka_message_destroy(message);
}

/*
 * A first command and its reply, before the clock runs: a new producer waits up to a second for its
 * id and for the leaders of its partitions, a new consumer for its offsets.
 */
static void make_acquaintance(rd_kafka_t *producer, rd_kafka_t *consumer)
{
    enum { COMMANDS = 200 }; /* enough to come by each partition */
    for (int i = 0; i < COMMANDS; i++) {
        send_command(producer, ACQUAINTANCE + i, 0);
    }
    const double begun = now();
    for (int replies = 0; replies < COMMANDS;) {
        rd_kafka_poll(producer, 0);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        if (message == NULL && now() - begun > 30) die("kafka", "no reply within 30 s");
        if (message == NULL) continue;
        long number = 0;
        int step = 0;
        if (read_token(message, &number, &step) && number >= ACQUAINTANCE) replies++;
        rd_kafka_message_destroy(message);
    }
}

/* ---- both ---- */

struct run {
    PGconn *connection; /* NULL: transport only */
    rd_kafka_t *producer, *consumer;
    long sagas, open;
    long started, ended;
    char *steps; /* answered, by saga */
};

static int collect(struct run *run, struct ids *fresh, struct ids done[STEPS])
{
    int count = 0;
    fresh->count = 0;
    for (int step = 0; step < STEPS; step++) {
        done[step].count = 0;
    }
    while (run->started < run->sagas && run->started - run->ended < run->open &&
           count < BATCH_MAX / 2) {
        fresh->number[fresh->count++] = run->started++;
        count++;
    }
    while (count < BATCH_MAX) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(run->consumer, count > 0 ? 0 : 100);
        if (message == NULL) break;
        long number = 0;
        int step = 0;
        if (read_token(message, &number, &step) && number < run->sagas && step < STEPS &&
            run->steps[number] == step) {
            run->steps[number]++;
            done[step].number[done[step].count++] = number;
            count++;
        }
        rd_kafka_message_destroy(message);
    }
    return count;
}

static void go_on(struct run *run, const struct ids *fresh, const struct ids done[STEPS])
{
    for (int i = 0; i < fresh->count; i++) {
        send_command(run->producer, fresh->number[i], 0);
    }
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < done[step].count; i++) {
            if (step + 1 < STEPS) {
                send_command(run->producer, done[step].number[i], step + 1);
            } else {
                run->ended++;
            }
        }
    }
    rd_kafka_poll(run->producer, 0);
}

static void circle(const char *url, const char *brokers, long sagas, long open)
{
    static struct ids fresh;
    static struct ids done[STEPS];
    struct run run = {
        .connection = url == NULL ? NULL : connect_database(url),
        .producer = client(brokers, false),
        .consumer = client(brokers, true),
        .sagas = sagas,
        .open = open,
        .steps = calloc((size_t)sagas, 1),
    };
    if (run.steps == NULL) die("memory", "none");
    subscribe(run.consumer);
    make_acquaintance(run.producer, run.consumer);
    const double begun = now();
    while (run.ended < sagas) {
        if (collect(&run, &fresh, done) > 0) {
            if (run.connection != NULL) commit_batch(run.connection, &fresh, done);
            go_on(&run, &fresh, done);
        }
        if (now() - begun > PATIENCE_S) die("loop", "out of patience");
    }
    const double took = now() - begun;
    printf("{\"sagas\":%ld,\"open\":%ld,\"sagas_per_s\":%.0f,\"round_trips_per_s\":%.0f}\n", sagas,
           open, (double)sagas / took, (double)sagas * STEPS / took);
    (void)fflush(stdout);
    rd_kafka_consumer_close(run.consumer);
    rd_kafka_destroy(run.consumer);
    rd_kafka_destroy(run.producer);
    if (run.connection != NULL) {
        PQfinish(run.connection);
    }
    free(run.steps);
}

static void records(const char *brokers, const char *topic)
{
    enum { PATIENCE_MS = 10000 };
    rd_kafka_t *kafka = client(brokers, false);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(kafka, topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t error = rd_kafka_metadata(kafka, 0, handle, &metadata, PATIENCE_MS);
    if (error != 0) die(topic, rd_kafka_err2str(error));
    long count = 0;
    for (int i = 0; i < metadata->topics[0].partition_cnt; i++) {
        int64_t low = 0;
        int64_t high = 0;
        if (rd_kafka_query_watermark_offsets(kafka, topic, i, &low, &high, PATIENCE_MS) != 0) {
            die(topic, "no watermarks");
        }
        count += high;
    }
    printf("{\"records\":%ld}\n", count);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    rd_kafka_destroy(kafka);
}

int main(int argc, char **argv)
{
    make_input(getenv("INPUT_BYTES"));
    if (argc == 5 && strcmp(argv[1], "database") == 0) {
        database(argv[2], atol(argv[3]), atoi(argv[4]), STEPS);
    } else if (argc == 5 && strcmp(argv[1], "starts") == 0) {
        database(argv[2], atol(argv[3]), atoi(argv[4]), 0);
    } else if (argc == 4 && strcmp(argv[1], "records") == 0) {
        records(argv[2], argv[3]);
    } else if (argc == 5 && strcmp(argv[1], "transport") == 0) {
        circle(NULL, argv[2], atol(argv[3]) / STEPS, atol(argv[4]));
    } else if (argc == 6 && strcmp(argv[1], "loop") == 0) {
        circle(argv[2], argv[3], atol(argv[4]), atol(argv[5]));
    } else {
        (void)fprintf(stderr,
                      "usage: saga-bare database|starts URL SAGAS BATCH | transport BROKERS TRIPS "
                      "OPEN | loop URL BROKERS SAGAS OPEN | records BROKERS TOPIC\n");
        return 2;
    }
    return 0;
}
