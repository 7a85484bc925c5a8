/*
 * The HTTP side against an engine that is made to answer as a test wants, and no database:
 * deadlines, results, several answers at once, stopping.
 */
#include "api/api.h"
#include "orchestrator/base/clock.h"
#include "tests/support/fake_engine.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ANSWER_SIZE_MAX = 256 * 1024,
    CLIENTS = 6,
    STARTS_EACH = 50,
    WAIT_S = 20,
    BULKS = 10,
    BULK_ITEMS = 200
};

struct server {
    struct engine *engine;
    struct registry *registry;
    struct api *api;
};

static int open_server(void **state)
{
    static const struct definition_rules RULES = {0};
    struct server *const server = calloc(1, sizeof(*server));
    struct arena arena = {0};
    struct definition_report report;
    struct registered registered;
    struct err err;
    bool is_new = false;
    server->engine = fake_engine_new();
    server->registry = registry_new(&RULES);
    if (!registry_register(server->registry, NULL,
                           BYTES("{\"name\":\"d\",\"steps\":[{\"id\":\"a\",\"action\":{\"topic\":"
                                 "\"t\"}}]}"),
                           &arena, &report, &registered, &is_new, &err)) {
        return -1;
    }
    arena_done(&arena);
    const struct api_options options = {
        .listen = "127.0.0.1:0",
        .admin_listen = "127.0.0.1:0",
        .database_url = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1",
        .namespace_name = "default",
        .threads = 2,
        .readers = 2,
        .insecure = true,
        .engine = server->engine,
        .registry = server->registry,
        .token_keys = {.count = 1},
        .version = "0",
        .commit = "0",
    };
    if (!api_start(&options, &server->api, &err)) return -1;
    *state = server;
    return 0;
}

static int close_server(void **state)
{
    struct server *const server = *state;
    api_stop(server->api, 1000);
    fake_engine_stop(server->engine);
    api_close(server->api);
    fake_engine_free(server->engine);
    registry_free(server->registry);
    free(server);
    return 0;
}

/* ---- a client ---- */

static int connect_to(const char *address)
{
    const char *const colon = strrchr(address, ':');
    const struct timeval patience = {.tv_sec = WAIT_S};
    struct sockaddr_in to = {.sin_family = AF_INET};
    to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) return -1;
    return fd;
}

static void send_post(int fd, const char *path, const char *headers, const char *body)
{
    char request[8192];
    const int size = snprintf(request, sizeof(request),
                              "POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                              "Content-Length: %zu\r\n%s\r\n%s",
                              path, strlen(body), headers, body);
    assert_true(size > 0 && (size_t)size < sizeof(request));
    assert_int_equal(send(fd, request, (size_t)size, MSG_NOSIGNAL), size);
}

struct answer_seen {
    int status; /* 0: the connection ended */
    char *text; /* head and body; the caller frees */
};

static struct answer_seen receive(int fd)
{
    char *const text = calloc(1, ANSWER_SIZE_MAX);
    size_t size = 0;
    size_t wanted = ANSWER_SIZE_MAX - 1;
    while (size < wanted) {
        const ssize_t got = recv(fd, text + size, wanted - size, 0);
        if (got <= 0) break;
        size += (size_t)got;
        const char *const end = strstr(text, "\r\n\r\n");
        const char *const length = strstr(text, "Content-Length: ");
        if (end != NULL && length != NULL) {
            wanted = (size_t)(end + 4 - text) + strtoul(length + 16, NULL, 10);
        }
    }
    return (struct answer_seen){size > 12 ? (int)strtol(text + 9, NULL, 10) : 0, text};
}

static struct answer_seen post(const struct server *server, const char *path, const char *headers,
                               const char *body)
{
    const int fd = connect_to(api_address(server->api));
    send_post(fd, path, headers, body);
    const struct answer_seen seen = receive(fd);
    (void)close(fd);
    return seen;
}

static void assert_answer(struct answer_seen seen, int status, const char *part)
{
    if (seen.status != status || strstr(seen.text, part) == NULL) {
        fail_msg("%d, not %d with %s: %s", seen.status, status, part, seen.text);
    }
    free(seen.text);
}

static void wait_for_waiting(struct engine *engine, size_t count)
{
    const int64_t until_ms = clock_monotonic_ms() + WAIT_S * INT64_C(1000);
    const struct timespec pause = {.tv_nsec = 1000000};
    while (fake_engine_waiting(engine) < count) {
        assert_true(clock_monotonic_ms() < until_ms);
        (void)nanosleep(&pause, NULL);
    }
}

static const char START[] = "{\"definition\":\"d\"}";

/* ---- tests ---- */

static void each_result_has_its_status(void **state)
{
    static const struct {
        enum request_result result;
        int status;
        const char *part;
    } CASES[] = {
        {RESULT_OTHER_BODY,  422, "/problems/key-reused" },
        {RESULT_ID_TAKEN,    409, "/problems/id-taken"   },
        {RESULT_NOT_ALLOWED, 409, "/problems/not-allowed"},
        {RESULT_STALE,       412, "/problems/stale"      },
        {RESULT_REFUSED,     422, "the test says so"     },
        {RESULT_FULL,        429, "Retry-After: 1"       },
        {RESULT_FULL,        429, "\"retryable\":true"   },
        {RESULT_UNAVAILABLE, 503, "Retry-After: 1"       },
        {RESULT_INTERNAL,    500, "/problems/internal"   },
        {RESULT_EXISTS,      500, "/problems/internal"   }, /* without a saga: our own fault */
    };
    struct server *const server = *state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        fake_engine_say(server->engine, CASES[i].result);
        assert_answer(post(server, "/v1/sagas", "", START), CASES[i].status, CASES[i].part);
    }
    fake_engine_say(server->engine, RESULT_DONE);
    assert_answer(post(server, "/v1/sagas", "", START), 201, "\"state\":\"running\"");
}

static void an_engine_that_does_not_answer_is_503_and_its_late_answer_is_dropped(void **state)
{
    struct server *const server = *state;
    fake_engine_hold(server->engine);
    const int64_t began_ms = clock_monotonic_ms();

    assert_answer(post(server, "/v1/sagas", "", START), 503, "/problems/timeout");

    assert_in_range(clock_monotonic_ms() - began_ms, 4000, 5500);
    fake_engine_release(server->engine);
    assert_answer(post(server, "/v1/sagas", "", START), 201, "Location: /v1/sagas/");
    assert_int_equal(fake_engine_started(server->engine), 2);
}

struct client {
    pthread_t thread;
    const struct server *server;
    int number, created;
};

static void *start_many(void *context)
{
    struct client *const client = context;
    const int fd = connect_to(api_address(client->server->api));
    for (int i = 0; i < STARTS_EACH; i++) {
        char key[64];
        (void)snprintf(key, sizeof(key), "Idempotency-Key: %d-%d\r\n", client->number, i / 2);
        send_post(fd, "/v1/sagas", key, START);
        const struct answer_seen seen = receive(fd);
        client->created += seen.status == 201;
        free(seen.text);
    }
    (void)close(fd);
    return NULL;
}

static void many_connections_share_the_threads(void **state)
{
    struct server *const server = *state;
    struct client clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.server = server, .number = i};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, start_many, &clients[i]), 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(pthread_join(clients[i].thread, NULL), 0);
        assert_int_equal(clients[i].created, STARTS_EACH);
    }
    assert_int_equal(fake_engine_started(server->engine), CLIENTS * STARTS_EACH / 2);
}

static void items_of_a_bulk_are_answered_by_several_threads_at_once(void **state)
{
    struct server *const server = *state;
    char body[4096];
    size_t size = 0;
    for (int i = 0; i < 100; i++) {
        size += (size_t)snprintf(body + size, sizeof(body) - size, "%s{\"definition\":\"d\"}",
                                 i > 0 ? "," : "{\"items\":[");
    }
    (void)snprintf(body + size, sizeof(body) - size, "]}");

    for (int round = 0; round < 3; round++) {
        assert_answer(post(server, "/v1/sagas/bulk", "Idempotency-Key: b\r\n", body), 200,
                      "{\"items\":[{\"status\":201,");
    }

    assert_int_equal(fake_engine_started(server->engine), 100);
}

static void reads_without_a_database_are_503(void **state)
{
    struct server *const server = *state;
    const int fd = connect_to(api_address(server->api));
    static const char REQUEST[] = "GET /v1/sagas HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_int_equal(send(fd, REQUEST, sizeof(REQUEST) - 1, MSG_NOSIGNAL), sizeof(REQUEST) - 1);
    assert_answer(receive(fd), 503, "/problems/unavailable");
    (void)close(fd);
    const int admin = connect_to(api_admin_address(server->api));
    static const char READY[] = "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_int_equal(send(admin, READY, sizeof(READY) - 1, MSG_NOSIGNAL), sizeof(READY) - 1);
    assert_answer(receive(admin), 503, "\"name\":\"database\",\"state\":\"down\"");
    (void)close(admin);
}

static void
a_start_that_waits_for_the_end_gets_the_ordinary_answer_when_nobody_can_read(void **state)
{
    struct server *const server = *state;
    assert_answer(post(server, "/v1/sagas", "Prefer: wait=1\r\n", START), 201,
                  "\"state\":\"running\"");
}

/* As many starts as may be under way before the speed is known; none is answered yet. */
static void fill(const struct server *server, int fds[BULKS])
{
    char body[BULK_ITEMS * sizeof(START) + 64];
    size_t size = (size_t)snprintf(body, sizeof(body), "{\"items\":[");
    for (int i = 0; i < BULK_ITEMS; i++) {
        size += (size_t)snprintf(body + size, sizeof(body) - size, "%s%s", i > 0 ? "," : "", START);
    }
    (void)snprintf(body + size, sizeof(body) - size, "]}");
    for (size_t i = 0; i < BULKS; i++) {
        fds[i] = connect_to(api_address(server->api));
        send_post(fds[i], "/v1/sagas/bulk", "", body);
    }
    wait_for_waiting(server->engine, (size_t)BULKS * BULK_ITEMS);
}

static void more_than_it_can_start_is_refused_at_once_and_nothing_of_it_is_begun(void **state)
{
    struct server *const server = *state;
    int fds[BULKS];
    fake_engine_hold(server->engine);
    fill(server, fds);

    assert_answer(post(server, "/v1/sagas", "", START), 429, "Retry-After: 1");
    assert_answer(post(server, "/v1/sagas/bulk", "", "no JSON"), 429, "/problems/overloaded");
    assert_int_equal(fake_engine_waiting(server->engine), BULKS * BULK_ITEMS);

    fake_engine_release(server->engine);
    for (size_t i = 0; i < BULKS; i++) {
        assert_answer(receive(fds[i]), 200, "\"status\":201");
        (void)close(fds[i]);
    }
    assert_answer(post(server, "/v1/sagas", "", START), 201, "Location: /v1/sagas/");
}

static void a_stop_answers_those_who_wait(void **state)
{
    struct server *const server = *state;
    int waiting[2];
    fake_engine_hold(server->engine);
    for (size_t i = 0; i < 2; i++) {
        waiting[i] = connect_to(api_address(server->api));
        send_post(waiting[i], "/v1/sagas", "", START);
    }
    wait_for_waiting(server->engine, 2);

    api_stop(server->api, 50);
    fake_engine_stop(server->engine);
    api_close(server->api);
    fake_engine_free(server->engine);

    for (size_t i = 0; i < 2; i++) {
        const struct answer_seen seen = receive(waiting[i]);
        assert_true(seen.status == 503 || seen.status == 201);
        assert_non_null(strstr(seen.text, "Connection: close"));
        free(seen.text);
        (void)close(waiting[i]);
    }
    registry_free(server->registry);
    free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_result_has_its_status, open_server, close_server),
        cmocka_unit_test_setup_teardown(
            an_engine_that_does_not_answer_is_503_and_its_late_answer_is_dropped, open_server,
            close_server),
        cmocka_unit_test_setup_teardown(many_connections_share_the_threads, open_server,
                                        close_server),
        cmocka_unit_test_setup_teardown(items_of_a_bulk_are_answered_by_several_threads_at_once,
                                        open_server, close_server),
        cmocka_unit_test_setup_teardown(reads_without_a_database_are_503, open_server,
                                        close_server),
        cmocka_unit_test_setup_teardown(
            a_start_that_waits_for_the_end_gets_the_ordinary_answer_when_nobody_can_read,
            open_server, close_server),
        cmocka_unit_test_setup_teardown(
            more_than_it_can_start_is_refused_at_once_and_nothing_of_it_is_begun, open_server,
            close_server),
        cmocka_unit_test_setup(a_stop_answers_those_who_wait, open_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
