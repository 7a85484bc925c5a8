/*
 * sagas/machine/why.h
 *   Why a saga stands where it stands: one sentence and the fields behind it.
 */
#ifndef SAGAS_MACHINE_WHY_H
#define SAGAS_MACHINE_WHY_H

#include "sagas/machine/saga.h"

struct why {
    const char *kind; /* reply retry timer signal child lock operator nothing */
    struct bytes sentence;
    int64_t since_ms;
    int step; /* position; -1: none */
    int32_t index;
    enum op op;
    uint32_t attempt;
    struct bytes topic;                  /* absent: none */
    struct bytes key;                    /* Kafka key, where a command is out; of a lock */
    int64_t command_sent_at_ms;          /* 0: not sent */
    int64_t next_attempt_at_ms;          /* or the time that is waited for; 0: none */
    int64_t deadline_at_ms;              /* of a reply or a signal; 0: none */
    struct bytes signal;                 /* name of the awaited signal; absent: none */
    const struct saga_error *last_error; /* NULL: none */
    struct bytes by;                     /* who paused it, or waits to decide; absent: nobody */
};

/* The most telling answer: operator before retry before reply before signal before
 * timer. Lives in `arena`. */
void saga_why(const struct saga *saga, int64_t now_ms, struct arena *arena, struct why *ret_why);

/* Where a saga stands in the line for its lock: only a database can tell. */
struct why_line {
    int64_t since_ms;
    int64_t place;             /* from 1; 0: it is its turn */
    int64_t held;              /* how many sagas hold the lock */
    const struct uuid *holder; /* one of them; NULL: none */
};
/* The same sentence with that, for a saga whose answer is of kind `lock`. */
void saga_why_in_line(const struct saga *saga, const struct why_line *line, int64_t now_ms,
                      struct arena *arena, struct why *why);

#endif
