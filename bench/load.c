/*
 * bench/load.c
 *   Starts sagas over HTTP and watches them end. Cheap on purpose: it shares the machine with
 *   what it measures.
 *
 *     saga-load saturate URL DEFINITION SAGAS OPEN    keep OPEN sagas open until SAGAS have ended
 *     saga-load idle URL DEFINITION SAGAS             one after the other, start to finish
 *     saga-load rate URL DEFINITION SAGAS PER_SECOND  an open loop: starts do not wait for ends
 *     saga-load starts URL DEFINITION SAGAS CONNECTIONS  one POST a saga, as fast as it goes
 *     saga-load closed URL DEFINITION SAGAS CONNECTIONS  the same, each answered when it has ended
 *     saga-load bulk URL DEFINITION SAGAS CONNECTIONS    many a request, ends are not waited for
 *     saga-load flood URL DEFINITION SECONDS CONNECTIONS    one POST a saga, refused or not
 *
 *     saga-load overload URL DEFINITION SECONDS PER_SECOND  offer so many, refused or not
 *
 * URL is host:port; of saturate host:port,host:port for two nodes. Prints one line of JSON:
 * sagas_per_s, and for idle p50_ms and p99_ms as the caller saw them. How many have ended is read
 * from /metrics. INPUT_BYTES in the environment makes each input so large, of bytes that do not
 * compress well.
 */
#include "bench/fleet.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    ANSWER_MAX = 16 * 1024 * 1024, /* a bulk answer repeats the inputs */
    BULK_MAX = 200,
    ITEM_MAX = 400,
    BODY_MAX = 7 * 1024 * 1024, /* of a bulk: sagad takes 8 MB */
    STARTERS = 4,
    WATCH_PAUSE_US = 4000,
    PATIENCE_S = 300,
    TRIES_MAX = 1000,
    REFUSED_PAUSE_US = 20000,
    NODES_MAX = 4,
};

struct connection {
    int fd;
    char *answer;
    size_t size;
};

static struct connection connect_to(const char *url)
{
    char host[128];
    const char *colon = strrchr(url, ':');
    if (colon == NULL || (size_t)(colon - url) >= sizeof host) die("host:port is wanted");
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - url), url);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0) die("address");
    struct connection connection = {.fd = socket(found->ai_family, SOCK_STREAM, 0)};
    if (connect(connection.fd, found->ai_addr, found->ai_addrlen) != 0) die("connect");
    const int on = 1;
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    freeaddrinfo(found);
    connection.answer = malloc(ANSWER_MAX);
    if (connection.answer == NULL) die("memory");
    return connection;
}

static void close_connection(struct connection *connection)
{
    close(connection->fd);
    free(connection->answer);
}

static void send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        const ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) die("send");
        data += sent;
        size -= (size_t)sent;
    }
}

/* Whether a whole answer has come; every answer of the API has a Content-Length. */
static bool is_complete(const struct connection *connection)
{
    const char *end = strstr(connection->answer, "\r\n\r\n");
    if (end == NULL) return false;
    const char *length = strcasestr(connection->answer, "\r\nContent-Length:");
    if (length == NULL || length > end) die("answer without Content-Length");
    const size_t body = strtoul(length + 17, NULL, 10);
    return connection->size >= (size_t)(end + 4 - connection->answer) + body;
}

static bool receive_some(struct connection *connection)
{
    const ssize_t got = recv(connection->fd, connection->answer + connection->size,
                             ANSWER_MAX - 1 - connection->size, 0);
    if (got < 0 && errno == EINTR) return false;
    if (got <= 0) die("the server closed the connection");
    connection->size += (size_t)got;
    connection->answer[connection->size] = '\0';
    return is_complete(connection);
}

static int status_of(const struct connection *connection)
{
    return atoi(connection->answer + sizeof "HTTP/1.1");
}

static int exchange(struct connection *connection, const char *request, size_t size)
{
    connection->size = 0;
    send_all(connection->fd, request, size);
    while (!receive_some(connection)) {
    }
    return status_of(connection);
}

/* ---- requests ---- */

/* What makes each input larger, as a member in JSON; "": nothing. */
static const char *padding = "";
static size_t item_max = ITEM_MAX;

/* Letters and digits of a fixed sequence, so that they are written as they are. */
static void make_padding(const char *bytes)
{
    static const char LETTERS[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    static const char MEMBER[] = ",\"pad\":\"";
    const size_t size = bytes == NULL ? 0 : strtoul(bytes, NULL, 10);
    if (size < ITEM_MAX) return;
    char *made = malloc(size + 2);
    if (made == NULL) die("memory");
    memcpy(made, MEMBER, sizeof MEMBER - 1);
    uint64_t seed = 88172645463325252U;
    for (size_t i = sizeof MEMBER - 1; i < size; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        made[i] = LETTERS[seed >> 58];
    }
    memcpy(made + size, "\"", 2);
    padding = made;
    item_max = size + ITEM_MAX;
}

static size_t put_start(char *to, size_t room, const char *definition, long number)
{
    return (size_t)snprintf(
        to, room,
        "{\"definition\":\"%s\",\"input\":{\"order_id\":\"o-%08ld\",\"amount\":"
        "1299,\"currency\":\"EUR\",\"customer\":\"c-998877\",\"sku\":\"s-4711\"%s}}",
        definition, number, padding);
}

/* How many starts a bulk request may carry. */
static long bulk_max(void)
{
    const long room = (long)(BODY_MAX / item_max);
    return room < BULK_MAX ? room : BULK_MAX;
}

/* Room of this thread for a request, and for the body of one. */
static char *scratch(size_t size, bool of_body)
{
    static _Thread_local char *room[2];
    if (room[of_body] == NULL) room[of_body] = malloc(size);
    if (room[of_body] == NULL) die("memory");
    return room[of_body];
}

static size_t put_post(char *to, size_t room, const char *path, const char *headers,
                       const char *body, size_t body_size)
{
    const int head =
        snprintf(to, room,
                 "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
                 "%sContent-Length: %zu\r\n\r\n",
                 path, headers, body_size);
    memcpy(to + head, body, body_size);
    return (size_t)head + body_size;
}

static void pause_us(long us)
{
    const struct timespec time = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    nanosleep(&time, NULL);
}

/* Again after a pause where sagad has no room for it. */
static void start_bulk(struct connection *connection, const char *definition, long first, int count)
{
    const size_t room = (size_t)bulk_max() * item_max + 100;
    char *body = scratch(room, true);
    char *request = scratch(room + 500, false);
    size_t size = (size_t)snprintf(body, room, "{\"items\":[");
    for (int i = 0; i < count; i++) {
        if (i > 0) body[size++] = ',';
        size += put_start(body + size, room - size, definition, first + i);
    }
    size += (size_t)snprintf(body + size, room - size, "]}");
    char headers[96];
    (void)snprintf(headers, sizeof headers, "Idempotency-Key: bench-%d-%ld\r\n", getpid(), first);
    const size_t whole = put_post(request, room + 500, "/v1/sagas/bulk", headers, body, size);
    int status = exchange(connection, request, whole);
    for (int tries = 0; status == 429 && tries < TRIES_MAX; tries++) {
        pause_us(REFUSED_PAUSE_US);
        status = exchange(connection, request, whole);
    }
    if (status == 200) return;
    (void)fprintf(stderr, "saga-load: %.600s\n", connection->answer);
    exit(1);
}

/* Sagas that have ended, whatever their end, since the daemon started. */
static long count_ended(struct connection *connection)
{
    static const char REQUEST[] = "GET /metrics HTTP/1.1\r\nHost: bench\r\n\r\n";
    if (exchange(connection, REQUEST, sizeof REQUEST - 1) != 200) die("/metrics");
    long ended = 0;
    for (const char *at = connection->answer;
         (at = strstr(at, "\nsaga_finished_total{")) != NULL;) {
        at = strchr(at, '}') + 1;
        ended += atol(at);
    }
    return ended;
}

/* ---- several nodes ---- */

struct nodes {
    char url[NODES_MAX][128];
    int count;
};

static struct nodes nodes_of(const char *urls)
{
    struct nodes nodes = {.count = 0};
    char text[NODES_MAX * 128];
    (void)snprintf(text, sizeof text, "%s", urls);
    char *rest = NULL;
    for (char *url = strtok_r(text, ",", &rest); url != NULL && nodes.count < NODES_MAX;
         url = strtok_r(NULL, ",", &rest)) {
        (void)snprintf(nodes.url[nodes.count++], sizeof *nodes.url, "%s", url);
    }
    return nodes;
}

/* ---- modes ---- */

/* Several callers keep the number up: one alone waits for each commit. */
struct saturation {
    struct nodes nodes;
    const char *definition;
    long sagas, open;
    pthread_mutex_t lock; /* guards the rest */
    long started, ended;
    int starters;
};

/* How many to start next, from *ret_first on; 0: not now. */
static long claim(struct saturation *run, long *ret_first, bool *ret_over)
{
    pthread_mutex_lock(&run->lock);
    const long open_room = run->open - (run->started - run->ended);
    const long left = run->sagas - run->started;
    long room = open_room < left ? open_room : left;
    if (room > bulk_max()) room = bulk_max();
    if (room < 0) room = 0;
    *ret_first = run->started;
    *ret_over = left == 0;
    run->started += room;
    pthread_mutex_unlock(&run->lock);
    return room;
}

static void *keep_open(void *argument)
{
    struct saturation *run = argument;
    pthread_mutex_lock(&run->lock);
    const int node = run->starters++ % run->nodes.count;
    pthread_mutex_unlock(&run->lock);
    struct connection starter = connect_to(run->nodes.url[node]);
    long first = 0;
    for (bool over = false; !over;) {
        const long room = claim(run, &first, &over);
        if (room > 0) {
            start_bulk(&starter, run->definition, first, (int)room);
        } else {
            pause_us(WATCH_PAUSE_US);
        }
    }
    close_connection(&starter);
    return NULL;
}

static long count_ended_of_all(struct connection *watchers, int count)
{
    long ended = 0;
    for (int i = 0; i < count; i++) {
        ended += count_ended(&watchers[i]);
    }
    return ended;
}

static void watch(struct saturation *run)
{
    struct connection watchers[NODES_MAX];
    for (int i = 0; i < run->nodes.count; i++) {
        watchers[i] = connect_to(run->nodes.url[i]);
    }
    const long before = count_ended_of_all(watchers, run->nodes.count);
    const double begun = now();
    pthread_t starters[STARTERS];
    for (int i = 0; i < STARTERS; i++) {
        if (pthread_create(&starters[i], NULL, keep_open, run) != 0) die("thread");
    }
    for (long ended = 0; ended < run->sagas;) {
        pause_us(WATCH_PAUSE_US);
        ended = count_ended_of_all(watchers, run->nodes.count) - before;
        pthread_mutex_lock(&run->lock);
        run->ended = ended;
        pthread_mutex_unlock(&run->lock);
        if (now() - begun > PATIENCE_S) die("out of patience");
    }
    printf("{\"sagas\":%ld,\"open\":%ld,\"sagas_per_s\":%.0f}\n", run->sagas, run->open,
           (double)run->sagas / (now() - begun));
    for (int i = 0; i < STARTERS; i++) {
        pthread_join(starters[i], NULL);
    }
    for (int i = 0; i < run->nodes.count; i++) {
        close_connection(&watchers[i]);
    }
}

static void saturate(const char *url, const char *definition, long sagas, double open)
{
    struct saturation run = {.nodes = nodes_of(url),
                             .definition = definition,
                             .sagas = sagas,
                             .open = (long)open,
                             .lock = PTHREAD_MUTEX_INITIALIZER};
    watch(&run);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void idle(const char *url, const char *definition, long sagas, double unused)
{
    (void)unused;
    struct connection connection = connect_to(url);
    double *took = calloc((size_t)sagas, sizeof *took);
    if (took == NULL) die("memory");
    const size_t room = item_max + 500;
    char *body = scratch(room, true);
    char *request = scratch(room, false);
    for (long i = 0; i < sagas; i++) {
        const size_t size = put_start(body, room, definition, i);
        const size_t whole =
            put_post(request, room, "/v1/sagas", "Prefer: wait=30\r\n", body, size);
        const double begun = now();
        if (exchange(&connection, request, whole) != 201) die("start");
        took[i] = now() - begun;
        if (strstr(connection.answer, "\"finished_at\":null") != NULL) die("a saga did not end");
    }
    qsort(took, (size_t)sagas, sizeof *took, compare);
    printf("{\"sagas\":%ld,\"p50_ms\":%.2f,\"p99_ms\":%.2f}\n", sagas, took[sagas / 2] * 1e3,
           took[sagas * 99 / 100] * 1e3);
    free(took);
    close_connection(&connection);
}

/* ---- many connections at once (fleet.c) ---- */

/* How many sagas a bulk request starts: BULK_ITEMS of the environment. */
static long bulk_items(void)
{
    const char *given = getenv("BULK_ITEMS");
    const long items = given == NULL ? BULK_MAX : atol(given);
    const long room = (long)(BODY_MAX / item_max);
    return items < 1 ? 1 : items < room ? items : room;
}

/* Each with a key of its own, as a careful caller sends it; NO_KEYS in the environment: without. */
static size_t put_headers(char *to, size_t room, const char *more)
{
    if (getenv("NO_KEYS") != NULL) return (size_t)snprintf(to, room, "%s", more);
    return (size_t)snprintf(to, room, "Idempotency-Key: bench-%d-%.0f-" FLEET_MARK "\r\n%s",
                            getpid(), now() * 1e6, more);
}

static size_t put_marked_start(char *to, size_t room, const char *definition)
{
    return (size_t)snprintf(
        to, room,
        "{\"definition\":\"%s\",\"input\":{\"order_id\":\"o-" FLEET_MARK
        "\",\"amount\":"
        "1299,\"currency\":\"EUR\",\"customer\":\"c-998877\",\"sku\":\"s-4711\"%s}}",
        definition, padding);
}

static size_t put_marked_bulk(char *to, size_t room, const char *definition, long items)
{
    size_t size = (size_t)snprintf(to, room, "{\"items\":[");
    for (long i = 0; i < items; i++) {
        if (i > 0) to[size++] = ',';
        size += put_marked_start(to + size, room - size, definition);
    }
    return size + (size_t)snprintf(to + size, room - size, "]}");
}

/* `items` 0: one saga a request, by POST /v1/sagas. */
static struct fleet_result send_fleet(struct fleet_order order, const char *url,
                                      const char *definition, const char *more)
{
    char host[128];
    char headers[256];
    const size_t room = (size_t)(order.items + 1) * item_max + 600;
    char *body = scratch(room, true);
    char *request = scratch(room + 500, false);
    const char *colon = strrchr(url, ':');
    if (colon == NULL || (size_t)(colon - url) >= sizeof host) die("host:port is wanted");
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - url), url);
    (void)put_headers(headers, sizeof headers, more);
    const size_t size = order.items == 0 ? put_marked_start(body, room, definition)
                                         : put_marked_bulk(body, room, definition, order.items);
    const char *path = order.items == 0 ? "/v1/sagas" : "/v1/sagas/bulk";
    order.host = host;
    order.port = colon + 1;
    order.request = request;
    order.request_size = put_post(request, room + 500, path, headers, body, size);
    request[order.request_size] = '\0';
    if (order.items == 0) order.items = 1;
    return fleet_run(&order);
}

/*
 * An open loop that is even: few sagas a request and a request each millisecond, on connections
 * enough that none waits for the answers before it. One connection would wait for each commit and
 * then start at once what had become due meanwhile.
 */
static void rate(const char *url, const char *definition, long sagas, double per_s)
{
    enum { CALLERS = 256, REQUESTS_PER_S = 1000 };
    struct connection watcher = connect_to(url);
    const long before = count_ended(&watcher);
    close_connection(&watcher); /* the server would close it, silent for minutes */
    const long items = (long)((per_s + REQUESTS_PER_S - 1) / REQUESTS_PER_S);
    const struct fleet_order order = {.connections = CALLERS,
                                      .items = items,
                                      .requests = (sagas + items - 1) / items,
                                      .per_s = per_s / (double)items};
    const double begun = now();
    const struct fleet_result found = send_fleet(order, url, definition, "");
    const long started = found.accepted * items;
    watcher = connect_to(url);
    const double all_started = now();
    while (count_ended(&watcher) - before < started) {
        pause_us(WATCH_PAUSE_US);
        if (now() - all_started > PATIENCE_S) die("out of patience");
    }
    printf(
        "{\"sagas\":%ld,\"asked_per_s\":%.0f,\"sagas_per_s\":%.0f,\"start_p50_ms\":%.2f,"
        "\"start_p99_ms\":%.2f,\"refused\":%ld,\"late\":%ld}\n",
        started, per_s, (double)started / (now() - begun), found.p50_ms, found.p99_ms,
        (found.refused + found.other) * items, found.late * items);
    close_connection(&watcher);
}

static void print_fleet(const char *what, long items, const struct fleet_result *found)
{
    const long answered = found->accepted + found->refused + found->other;
    printf(
        "{\"%s\":%ld,\"%s_per_s\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f,"
        "\"refused\":%ld,\"refused_per_s\":%.0f,\"refused_p50_ms\":%.2f,"
        "\"refused_p99_ms\":%.2f,\"without_retry_after\":%ld,\"offered_per_s\":%.0f}\n",
        what, found->accepted * items, what, (double)(found->accepted * items) / found->seconds,
        found->p50_ms, found->p99_ms, found->max_ms, (found->refused + found->other) * items,
        (double)(found->refused * items) / found->seconds, found->refused_p50_ms,
        found->refused_p99_ms, found->without_pause, (double)(answered * items) / found->seconds);
}

static void start_each(const char *url, const char *definition, long sagas, double connections)
{
    const struct fleet_order order = {.connections = (int)connections, .requests = sagas};
    const struct fleet_result found = send_fleet(order, url, definition, "");
    print_fleet("starts", 1, &found);
}

static void closed(const char *url, const char *definition, long sagas, double connections)
{
    const struct fleet_order order = {.connections = (int)connections, .requests = sagas};
    const struct fleet_result found = send_fleet(order, url, definition, "Prefer: wait=30\r\n");
    print_fleet("sagas", 1, &found);
}

static void bulk(const char *url, const char *definition, long sagas, double connections)
{
    const long items = bulk_items();
    const struct fleet_order order = {
        .connections = (int)connections, .items = items, .requests = (sagas + items - 1) / items};
    const struct fleet_result found = send_fleet(order, url, definition, "");
    print_fleet("starts", items, &found);
}

/* For so many seconds, each connection again at once whatever the answer. */
static void flood(const char *url, const char *definition, long seconds, double connections)
{
    const struct fleet_order order = {.connections = (int)connections, .seconds = (double)seconds};
    const struct fleet_result found = send_fleet(order, url, definition, "");
    print_fleet("starts", 1, &found);
}

/* More than it can do: bulk requests at a rate, whatever comes of them; so many at once. */
static void overload(const char *url, const char *definition, long seconds, double per_s)
{
    enum { OFFERERS = 512 }; /* enough wait for their answers that others can still offer */
    const long items = bulk_items();
    const struct fleet_order order = {.connections = OFFERERS,
                                      .items = items,
                                      .seconds = (double)seconds,
                                      .per_s = per_s / (double)items};
    const struct fleet_result found = send_fleet(order, url, definition, "");
    print_fleet("starts", items, &found);
}

static const struct mode {
    const char *name;
    void (*run)(const char *url, const char *definition, long sagas, double number);
    const char *number;
} MODES[] = {
    {"saturate", saturate,   "OPEN"       },
    {"idle",     idle,       NULL         },
    {"rate",     rate,       "PER_SECOND" },
    {"starts",   start_each, "CONNECTIONS"},
    {"closed",   closed,     "CONNECTIONS"},
    {"bulk",     bulk,       "CONNECTIONS"},
    {"flood",    flood,      "CONNECTIONS"},
    {"overload", overload,   "PER_SECOND" },
};

int main(int argc, char **argv)
{
    make_padding(getenv("INPUT_BYTES"));
    for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++) {
        const struct mode *mode = &MODES[i];
        if (argc != (mode->number == NULL ? 5 : 6) || strcmp(argv[1], mode->name) != 0) continue;
        mode->run(argv[2], argv[3], atol(argv[4]), mode->number == NULL ? 0 : atof(argv[5]));
        return 0;
    }
    for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++) {
        const char *number = MODES[i].number;
        (void)fprintf(stderr, "usage: saga-load %s HOST:PORT DEFINITION SAGAS %s\n", MODES[i].name,
                      number == NULL ? "" : number);
    }
    return 2;
}
