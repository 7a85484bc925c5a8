#include "tests/integration/fault_proxy.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64, CHUNK = 65536, HELD_MAX = 1 << 20, ANSWER_PATIENCE_MS = 5000 };

struct link {
    int client, server; /* -1: none */
    bool silent;
};

struct fault_proxy {
    pthread_t thread;
    int listener;
    int stop[2]; /* a pipe: closing the write end ends the thread */
    uint16_t server_port;
    char url[256];
    struct link links[CONNECTIONS_MAX]; /* of the thread */

    pthread_mutex_t lock; /* guards what follows */
    enum fault fault;
    size_t bytes;
    bool struck, refuse;
    int held_server; /* -1: none */
    char *held;
    size_t held_size;
};

static void close_link(struct link *link)
{
    if (link->client >= 0) (void)close(link->client);
    if (link->server >= 0) (void)close(link->server);
    *link = (struct link){-1, -1, false};
}

static bool send_all(int socket, const char *data, size_t size)
{
    while (size > 0) {
        const ssize_t sent = send(socket, data, size, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

static void no_delay(int socket)
{
    const int on = 1;
    (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int dial(uint16_t port)
{
    const int server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(server, (struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(server);
        return -1;
    }
    no_delay(server);
    return server;
}

static void accept_one(struct fault_proxy *proxy)
{
    const int client = accept(proxy->listener, NULL, NULL);
    if (client < 0) return;
    (void)pthread_mutex_lock(&proxy->lock);
    const bool refuse = proxy->refuse;
    (void)pthread_mutex_unlock(&proxy->lock);
    const int server = refuse ? -1 : dial(proxy->server_port);
    size_t free_place = 0;
    while (free_place < CONNECTIONS_MAX && proxy->links[free_place].client >= 0) {
        free_place++;
    }
    if (server < 0 || free_place == CONNECTIONS_MAX) {
        (void)close(client);
        if (server >= 0) (void)close(server);
        return;
    }
    no_delay(client);
    proxy->links[free_place] = (struct link){client, server, false};
}

static void hold(struct fault_proxy *proxy, struct link *link, const char *data, size_t size)
{
    proxy->held = malloc(HELD_MAX);
    assert(proxy->held != NULL && size <= HELD_MAX);
    memcpy(proxy->held, data, size);
    proxy->held_size = size;
    /* The rest of the request is on its way: take it too. */
    struct pollfd more = {.fd = link->client, .events = POLLIN};
    while (poll(&more, 1, 100) == 1) {
        const ssize_t got =
            recv(link->client, proxy->held + proxy->held_size, HELD_MAX - proxy->held_size, 0);
        if (got <= 0) break;
        proxy->held_size += (size_t)got;
    }
    proxy->held_server = link->server;
    link->server = -1;
    close_link(link);
}

/* Under the lock. True: the data passes as it is. */
static bool strike_request(struct fault_proxy *proxy, struct link *link, const char *data,
                           size_t size)
{
    switch (proxy->fault) {
    case FAULT_CUT_REQUEST:
        if (proxy->bytes > size) {
            proxy->bytes -= size;
            return true;
        }
        (void)send_all(link->server, data, proxy->bytes);
        close_link(link);
        break;
    case FAULT_SILENCE: link->silent = true; break;
    case FAULT_HOLD: hold(proxy, link, data, size); break;
    case FAULT_NONE:
    case FAULT_CUT_ANSWER: return true;
    }
    proxy->fault = FAULT_NONE;
    proxy->struck = true;
    return false;
}

static bool strike_answer(struct fault_proxy *proxy, struct link *link, const char *data,
                          size_t size)
{
    if (proxy->fault != FAULT_CUT_ANSWER) return true;
    if (proxy->bytes > size) {
        proxy->bytes -= size;
        return true;
    }
    (void)send_all(link->client, data, proxy->bytes);
    close_link(link);
    proxy->fault = FAULT_NONE;
    proxy->struck = true;
    return false;
}

static void pass(struct fault_proxy *proxy, struct link *link, bool from_client)
{
    static char data[CHUNK];
    const ssize_t got = recv(from_client ? link->client : link->server, data, sizeof(data), 0);
    if (got <= 0) {
        close_link(link);
        return;
    }
    (void)pthread_mutex_lock(&proxy->lock);
    const bool passes = from_client ? strike_request(proxy, link, data, (size_t)got)
                                    : strike_answer(proxy, link, data, (size_t)got);
    (void)pthread_mutex_unlock(&proxy->lock);
    if (passes && !send_all(from_client ? link->server : link->client, data, (size_t)got)) {
        close_link(link);
    }
}

static void *serve(void *argument)
{
    struct fault_proxy *const proxy = argument;
    for (;;) {
        struct pollfd sockets[2 + 2 * CONNECTIONS_MAX] = {
            {proxy->stop[0],  POLLIN, 0},
            {proxy->listener, POLLIN, 0}
        };
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
            const struct link *const link = &proxy->links[i];
            sockets[2 + 2 * i] = (struct pollfd){link->silent ? -1 : link->client, POLLIN, 0};
            sockets[3 + 2 * i] = (struct pollfd){link->silent ? -1 : link->server, POLLIN, 0};
        }
        if (poll(sockets, 2 + 2 * CONNECTIONS_MAX, -1) < 0) continue;
        if (sockets[0].revents != 0) return NULL;
        if (sockets[1].revents != 0) accept_one(proxy);
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
            struct link *const link = &proxy->links[i];
            if (sockets[2 + 2 * i].revents != 0) pass(proxy, link, true);
            if (sockets[3 + 2 * i].revents != 0 && link->server >= 0) pass(proxy, link, false);
        }
    }
}

struct fault_proxy *fault_proxy_start(const char *server_url)
{
    struct fault_proxy *const proxy = calloc(1, sizeof(*proxy));
    assert(proxy != NULL);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        proxy->links[i] = (struct link){-1, -1, false};
    }
    proxy->held_server = -1;
    (void)pthread_mutex_init(&proxy->lock, NULL);

    const char *const port = strrchr(server_url, ':') + 1;
    char *rest = NULL;
    proxy->server_port = (uint16_t)strtoul(port, &rest, 10);
    proxy->listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int failed = bind(proxy->listener, (struct sockaddr *)&address, size);
    failed |= listen(proxy->listener, CONNECTIONS_MAX);
    failed |= getsockname(proxy->listener, (struct sockaddr *)&address, &size);
    failed |= pipe(proxy->stop);
    assert(failed == 0);
    (void)snprintf(proxy->url, sizeof(proxy->url), "%.*s%u%s", (int)(port - server_url), server_url,
                   ntohs(address.sin_port), rest);
    failed = pthread_create(&proxy->thread, NULL, serve, proxy);
    assert(failed == 0);
    return proxy;
}

const char *fault_proxy_url(const struct fault_proxy *proxy)
{
    return proxy->url;
}

void fault_proxy_arm(struct fault_proxy *proxy, enum fault fault, size_t bytes)
{
    (void)pthread_mutex_lock(&proxy->lock);
    proxy->fault = fault;
    proxy->bytes = bytes;
    proxy->struck = false;
    (void)pthread_mutex_unlock(&proxy->lock);
}

bool fault_proxy_struck(struct fault_proxy *proxy)
{
    (void)pthread_mutex_lock(&proxy->lock);
    const bool struck = proxy->struck;
    (void)pthread_mutex_unlock(&proxy->lock);
    return struck;
}

void fault_proxy_refuse(struct fault_proxy *proxy, bool refuse)
{
    (void)pthread_mutex_lock(&proxy->lock);
    proxy->refuse = refuse;
    (void)pthread_mutex_unlock(&proxy->lock);
}

struct bytes fault_proxy_release(struct fault_proxy *proxy, struct arena *arena)
{
    static char answer[CHUNK];
    size_t size = 0;
    (void)pthread_mutex_lock(&proxy->lock);
    (void)send_all(proxy->held_server, proxy->held, proxy->held_size);
    (void)shutdown(proxy->held_server, SHUT_WR); /* the server ends after what it was sent */
    struct pollfd server = {.fd = proxy->held_server, .events = POLLIN};
    while (size < sizeof(answer) && poll(&server, 1, ANSWER_PATIENCE_MS) == 1) {
        const ssize_t got = recv(proxy->held_server, answer + size, sizeof(answer) - size, 0);
        if (got <= 0) break;
        size += (size_t)got;
    }
    (void)close(proxy->held_server);
    free(proxy->held);
    proxy->held_server = -1;
    proxy->held = NULL;
    (void)pthread_mutex_unlock(&proxy->lock);
    return bytes_copy(arena, (struct bytes){answer, size});
}

void fault_proxy_stop(struct fault_proxy *proxy)
{
    (void)close(proxy->stop[1]);
    (void)pthread_join(proxy->thread, NULL);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        close_link(&proxy->links[i]);
    }
    (void)close(proxy->stop[0]);
    (void)close(proxy->listener);
    if (proxy->held_server >= 0) (void)close(proxy->held_server);
    (void)pthread_mutex_destroy(&proxy->lock);
    free(proxy->held);
    free(proxy);
}
