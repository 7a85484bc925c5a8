/*
 * bench/fleet.h
 *   Many connections of one thread, each with one request at a time: the cheap client.
 *
 * What a request says is written once for each connection; only the numbers in it change. Of an
 * answer the status and the length are read.
 */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include <stdbool.h>
#include <stddef.h>

/* A request as text; wherever it holds MARK the number of a saga is written, the mark's width. */
#define FLEET_MARK "@@@@@@@@@@"

enum { FLEET_CONNECTIONS_MAX = 10000 };

struct fleet_order {
    const char *host, *port;
    const char *request; /* with marks, the same for every connection */
    size_t request_size;
    long items;      /* sagas that one request starts */
    int connections; /* at most FLEET_CONNECTIONS_MAX */
    long requests;   /* how many in all; 0: until the time is over */
    double seconds;  /* 0: until all are answered */
    double per_s;    /* requests, whether the earlier ones are answered or not; 0: at once */
};

struct fleet_result {
    long accepted, refused; /* requests, by status 2xx or 429 and 503 */
    long other;             /* any other status, or a connection that was closed */
    long without_pause;     /* refused ones without Retry-After */
    long late;              /* requests that were due and found no free connection */
    double seconds;
    double p50_ms, p99_ms, max_ms;         /* of accepted requests */
    double refused_p50_ms, refused_p99_ms; /* of the others */
};

double now(void); /* monotonic seconds */
/* Ends the program: what went wrong, and errno. */
_Noreturn void die(const char *what);

/* Dies with a message where nothing can be measured. */
struct fleet_result fleet_run(const struct fleet_order *order);

#endif
