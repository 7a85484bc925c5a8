/*
 * orchestrator/engine/flow/window.h
 *   How many commands of a topic may be out at a time. Pure.
 *
 * Grows while it is what limits and nothing tells of trouble, doubling at first, then by a tenth;
 * shrinks by a third when answers get so late that commands would time out in the queue, when they
 * are bad, or when what is unread would take long to be read. It never limits what is answered in
 * time: that is what the size at first, the doubling and the calm latency are for.
 */
#ifndef ORCHESTRATOR_ENGINE_FLOW_WINDOW_H
#define ORCHESTRATOR_ENGINE_FLOW_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum {
    WINDOW_FLOOR = 64,
    WINDOW_FIRST = 16384,
    WINDOW_CALM_MS = 2000,     /* answers faster than that are never too slow */
    WINDOW_SLOWER_TIMES = 4,   /* than the fastest of lately */
    WINDOW_LAG_MAX_MS = 10000, /* that reading what is unread may take */
    WINDOW_BAD_PERCENT = 20,   /* of outcomes, from which it shrinks */
    WINDOW_LEAST = 10,         /* outcomes before one of them is concluded from */
    WINDOW_SHRINK_EVERY_MS = 1000,
    WINDOW_FASTEST_FOR_MS = 30000, /* the fastest is forgotten slowly */
};

struct window {
    uint32_t limit; /* 0: not begun */
    uint32_t ceiling;
    uint32_t slow_start_until; /* doubles up to here */
    int64_t shrunk_at_ms;
    int64_t fastest_ms; /* mean of the best moment of lately; 0: not known */
    int64_t fastest_at_ms;
};

/* What happened since the last call, and how it stands. */
struct window_sample {
    int64_t now_ms;
    uint32_t good, bad;
    int64_t latency_ms; /* mean of the good ones; 0: there were none */
    int64_t timeout_ms; /* mean time that they had; 0: not known */
    uint32_t outstanding;
    bool waiting;       /* something was held back by the window */
    int64_t lag;        /* records that nobody has read; below 0: not known */
    int64_t read_per_s; /* answers a second of lately */
};

void window_begin(struct window *window, uint32_t ceiling);
void window_note(struct window *window, const struct window_sample *sample);
/* After an outage it feels its way again. */
void window_restart(struct window *window);

#endif
