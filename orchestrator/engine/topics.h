/*
 * orchestrator/engine/topics.h
 *   The topics that this node sends commands to, and how each of them does.
 *
 * At most TOPICS_MAX of them, the first ones; what comes after is neither watched nor steered. A
 * topic lives as long as the table. Finding one takes no lock.
 */
#ifndef ORCHESTRATOR_ENGINE_TOPICS_H
#define ORCHESTRATOR_ENGINE_TOPICS_H

#include "orchestrator/engine/flow/circuit.h"
#include "orchestrator/engine/flow/retry_budget.h"
#include "orchestrator/engine/flow/waiting.h"
#include "orchestrator/engine/flow/window.h"
#include "sagas/base/bytes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum {
    TOPICS_MAX = WAITING_TOPICS_MAX,
    TOPIC_SIZE = 250,
    TOPIC_SECONDS = 64, /* of which it is known what is out */
};

/* Commands by the second in which they were sent: what is not answered is out, for a while. */
struct topic_second {
    atomic_llong second; /* Unix; whose numbers these are */
    atomic_uint sent, done;
};

struct topic {
    char name[TOPIC_SIZE];
    size_t size;
    uint16_t number;

    /* What a worker asks before it sends. */
    atomic_bool clear; /* nothing but the window stands in the way, and nobody waits */
    atomic_bool paused;
    atomic_int circuit;            /* enum circuit_state */
    atomic_llong circuit_since_ms; /* wall clock */
    atomic_uint limit, outstanding, taken;

    /* What workers count; flow.c takes it from time to time. */
    atomic_uint firsts, good, bad;
    atomic_ullong latency_ms, timeout_ms; /* sums of the good ones */
    atomic_bool crowded;                  /* the window held something back */
    atomic_llong last_reply_at_ms;        /* wall clock; 0: none was seen */
    atomic_uint silences;                 /* attempts whose time was over without an answer */
    struct topic_second seconds[TOPIC_SECONDS];

    pthread_mutex_t lock; /* guards the rest */
    char *paused_by, *paused_why;
    int64_t paused_at_ms;
    struct circuit circuit_rules;
    struct retry_budget budget;
    struct window window;
    bool ill;
    int64_t slowest_ms;        /* mean latency of lately, fading */
    int64_t read_per_s;        /* answers, smoothed */
    int64_t noted_at_ms;       /* monotonic: when the controllers last looked */
    int64_t looked_at_ms;      /* monotonic: when the broker was last asked */
    int64_t lag, participants; /* below 0: not known */
    bool unread;
};

struct topics;

struct topics *topics_new(uint32_t window_max);
void topics_free(struct topics *topics);
/* NULL: the table is full, or the name is too long. */
struct topic *topics_note(struct topics *topics, struct bytes name);
/* NULL: it is not there. */
struct topic *topics_find(struct topics *topics, struct bytes name);
size_t topics_count(const struct topics *topics);
struct topic *topics_at(struct topics *topics, size_t number);

/* One that has not been looked at for `every_ms`; it counts as looked at now. NULL: none. */
struct topic *topics_next(struct topics *topics, int64_t monotonic_ms, int64_t every_ms);
/*
 * What the broker says: records that nobody has read, and how many read; below 0 it cannot tell.
 * True: whether anybody reads is news.
 */
bool topic_set_readers(struct topic *topic, int64_t lag, int64_t participants);
/* Somebody paused it, or it goes on (`by` absent). True: that is news. */
bool topic_set_pause(struct topic *topic, struct bytes by, struct bytes why, int64_t at_ms);

#endif
