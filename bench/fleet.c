#include "bench/fleet.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MARK_SIZE = sizeof(FLEET_MARK) - 1,
    EVENTS_MAX = 256,
    HEAD_ROOM = 4096, /* of an answer that is kept: its head, and what came with it */
    TICK_MS = 1,
    PATIENCE_MS = 30000,
    BUCKETS = 40000, /* of the histogram, each BUCKET_US wide */
    BUCKET_US = 250,
};

struct caller {
    int fd;
    char *request;
    size_t sent;
    char head[HEAD_ROOM];
    size_t head_size; /* bytes in `head` */
    size_t left;      /* of the answer, once its length is known */
    bool knows_left, is_busy, has_pause;
    int status;
    double sent_at;
    struct caller *next_free;
};

struct histogram {
    uint32_t bucket[BUCKETS];
    long count;
};

struct fleet {
    const struct fleet_order *order;
    struct fleet_result result;
    int epoll;
    struct caller *callers, *free;
    size_t *marks; /* where in the request */
    size_t mark_count;
    long begun; /* requests */
    int busy;
    struct histogram accepted, refused;
};

double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void die(const char *what)
{
    (void)fprintf(stderr, "saga-load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *must_have(void *memory)
{
    if (memory == NULL) die("memory");
    return memory;
}

/* ---- durations ---- */

static void note(struct histogram *histogram, double seconds)
{
    const double bucket = seconds * 1e6 / BUCKET_US;
    histogram->bucket[bucket < BUCKETS - 1 ? (size_t)bucket : BUCKETS - 1]++;
    histogram->count++;
}

static double quantile_ms(const struct histogram *histogram, double part)
{
    long wanted = (long)((double)histogram->count * part);
    size_t i = 0;
    while (i < BUCKETS - 1 && wanted >= histogram->bucket[i]) {
        wanted -= histogram->bucket[i++];
    }
    return histogram->count == 0 ? 0 : ((double)i + 0.5) * BUCKET_US / 1e3;
}

/* ---- one connection ---- */

static void dial(struct fleet *fleet, struct caller *caller)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(fleet->order->host, fleet->order->port, &hints, &found) != 0) die("address");
    caller->fd = socket(found->ai_family, SOCK_STREAM, 0);
    if (caller->fd < 0) die("socket");
    if (connect(caller->fd, found->ai_addr, found->ai_addrlen) != 0) die("connect");
    freeaddrinfo(found);
    const int on = 1;
    (void)setsockopt(caller->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = caller};
    if (epoll_ctl(fleet->epoll, EPOLL_CTL_ADD, caller->fd, &event) != 0) die("epoll");
}

static void listen_for(struct fleet *fleet, struct caller *caller, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = caller};
    if (epoll_ctl(fleet->epoll, EPOLL_CTL_MOD, caller->fd, &event) != 0) die("epoll");
}

/* What does not fit the socket goes when there is room again. */
static void push(struct fleet *fleet, struct caller *caller)
{
    const size_t size = fleet->order->request_size;
    const ssize_t sent = send(caller->fd, caller->request + caller->sent, size - caller->sent,
                              MSG_NOSIGNAL | MSG_DONTWAIT);
    const bool was_whole = caller->sent == 0;
    if (sent > 0) caller->sent += (size_t)sent;
    const bool is_whole = caller->sent == size;
    if (is_whole && was_whole) return;
    listen_for(fleet, caller, is_whole ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

static void write_number(char *at, long number)
{
    for (int i = MARK_SIZE - 1; i >= 0; i--) {
        at[i] = (char)('0' + number % 10);
        number /= 10;
    }
}

static void begin(struct fleet *fleet, struct caller *caller)
{
    const long items = fleet->order->items;
    const long first = fleet->begun++ * items;
    /* The first marks are the request's own; each item has one. */
    const size_t own = fleet->mark_count - (size_t)items;
    for (size_t i = 0; i < fleet->mark_count; i++) {
        write_number(caller->request + fleet->marks[i], first + (i < own ? 0 : (long)(i - own)));
    }
    caller->sent = 0;
    caller->head_size = 0;
    caller->knows_left = false;
    caller->is_busy = true;
    caller->sent_at = now();
    fleet->busy++;
    push(fleet, caller);
}

static void end(struct fleet *fleet, struct caller *caller)
{
    struct fleet_result *const result = &fleet->result;
    const double took = now() - caller->sent_at;
    caller->is_busy = false;
    fleet->busy--;
    if (caller->status >= 200 && caller->status < 300) {
        result->accepted++;
        note(&fleet->accepted, took);
        if (took * 1e3 > result->max_ms) result->max_ms = took * 1e3;
    } else if (caller->status == 429 || caller->status == 503) {
        result->refused++;
        result->without_pause += !caller->has_pause;
        note(&fleet->refused, took);
    } else {
        if (result->other++ == 0) {
            (void)fprintf(stderr, "saga-load: %.*s\n", (int)caller->head_size, caller->head);
        }
    }
    caller->next_free = fleet->free;
    fleet->free = caller;
}

/* The head is whole: what the answer says of itself. */
static void read_head(struct caller *caller, const char *end_of_head)
{
    const char *const length = strcasestr(caller->head, "\r\nContent-Length:");
    if (length == NULL || length > end_of_head) die("answer without Content-Length");
    const size_t body = strtoul(length + 17, NULL, 10);
    const size_t whole = (size_t)(end_of_head + 4 - caller->head) + body;
    caller->status = atoi(caller->head + sizeof "HTTP/1.1");
    caller->has_pause =
        caller->status >= 400 && strcasestr(caller->head, "\r\nRetry-After:") != NULL;
    caller->left = whole - caller->head_size;
    caller->knows_left = true;
}

static void drop(struct fleet *fleet, struct caller *caller)
{
    (void)close(caller->fd);
    caller->status = 0;
    if (caller->is_busy) end(fleet, caller);
    dial(fleet, caller);
}

static void hear(struct fleet *fleet, struct caller *caller)
{
    static char rest[1 << 18];
    const bool reads_head = !caller->knows_left;
    char *const to = reads_head ? caller->head + caller->head_size : rest;
    const size_t room = reads_head ? HEAD_ROOM - 1 - caller->head_size : sizeof rest;
    const ssize_t got = recv(caller->fd, to, room, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) {
        drop(fleet, caller);
        return;
    }
    if (reads_head) {
        caller->head_size += (size_t)got;
        caller->head[caller->head_size] = '\0';
        const char *const end_of_head = strstr(caller->head, "\r\n\r\n");
        if (end_of_head == NULL && caller->head_size == HEAD_ROOM - 1) die("a head too large");
        if (end_of_head == NULL) return;
        read_head(caller, end_of_head);
    } else {
        caller->left -= (size_t)got;
    }
    if (caller->left == 0) end(fleet, caller);
}

/* ---- all of them ---- */

static void find_marks(struct fleet *fleet)
{
    const struct fleet_order *const order = fleet->order;
    const char *at = order->request;
    fleet->marks = must_have(calloc((size_t)order->items + 8, sizeof *fleet->marks));
    while ((at = strstr(at, FLEET_MARK)) != NULL) {
        fleet->marks[fleet->mark_count++] = (size_t)(at - order->request);
        at += MARK_SIZE;
    }
}

static void allow_files(int connections)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    const rlim_t wanted = (rlim_t)connections + 64;
    if (files.rlim_cur >= wanted) return;
    files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

static void open_fleet(struct fleet *fleet)
{
    const struct fleet_order *const order = fleet->order;
    allow_files(order->connections);
    find_marks(fleet);
    fleet->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (fleet->epoll < 0) die("epoll");
    fleet->callers = must_have(calloc((size_t)order->connections, sizeof *fleet->callers));
    for (int i = 0; i < order->connections; i++) {
        struct caller *const caller = &fleet->callers[i];
        caller->request = must_have(malloc(order->request_size));
        memcpy(caller->request, order->request, order->request_size);
        dial(fleet, caller);
        caller->next_free = fleet->free;
        fleet->free = caller;
    }
}

static void close_fleet(struct fleet *fleet)
{
    for (int i = 0; i < fleet->order->connections; i++) {
        (void)close(fleet->callers[i].fd);
        free(fleet->callers[i].request);
    }
    (void)close(fleet->epoll);
    free(fleet->callers);
    free(fleet->marks);
}

/* How many requests are to be begun now. */
static long due(struct fleet *fleet, double since)
{
    const struct fleet_order *const order = fleet->order;
    long count = order->connections;
    if (order->seconds > 0 && since >= order->seconds) return 0;
    if (order->per_s > 0) {
        count = (long)(since * order->per_s) - fleet->begun - fleet->result.late;
    }
    if (order->requests > 0 && count > order->requests - fleet->begun) {
        count = order->requests - fleet->begun;
    }
    return count;
}

static void begin_due(struct fleet *fleet, double since)
{
    long count = due(fleet, since);
    for (; count > 0 && fleet->free != NULL; count--) {
        struct caller *const caller = fleet->free;
        fleet->free = caller->next_free;
        begin(fleet, caller);
    }
    if (count > 0 && fleet->order->per_s > 0) fleet->result.late += count;
}

static bool is_over(const struct fleet *fleet, double since)
{
    const struct fleet_order *const order = fleet->order;
    const bool all_begun = (order->requests > 0 && fleet->begun >= order->requests) ||
                           (order->seconds > 0 && since >= order->seconds);
    return all_begun && fleet->busy == 0;
}

static void look(struct fleet *fleet)
{
    struct epoll_event events[EVENTS_MAX];
    const bool waits_for_time = fleet->order->per_s > 0 || fleet->order->seconds > 0;
    const int count =
        epoll_wait(fleet->epoll, events, EVENTS_MAX, waits_for_time ? TICK_MS : PATIENCE_MS);
    if (count < 0 && errno != EINTR) die("epoll");
    if (count == 0 && !waits_for_time) die("no answer within 30 s");
    for (int i = 0; i < count; i++) {
        struct caller *const caller = events[i].data.ptr;
        if ((events[i].events & EPOLLOUT) != 0) push(fleet, caller);
        if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0) hear(fleet, caller);
    }
}

struct fleet_result fleet_run(const struct fleet_order *order)
{
    struct fleet *const fleet = must_have(calloc(1, sizeof *fleet));
    fleet->order = order;
    open_fleet(fleet);
    const double begun_at = now();
    double since = 0;
    while (!is_over(fleet, since)) {
        begin_due(fleet, since);
        look(fleet);
        since = now() - begun_at;
    }
    struct fleet_result result = fleet->result;
    result.seconds = since;
    result.p50_ms = quantile_ms(&fleet->accepted, 0.5);
    result.p99_ms = quantile_ms(&fleet->accepted, 0.99);
    result.refused_p50_ms = quantile_ms(&fleet->refused, 0.5);
    result.refused_p99_ms = quantile_ms(&fleet->refused, 0.99);
    close_fleet(fleet);
    free(fleet);
    return result;
}
