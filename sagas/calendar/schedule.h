/*
 * sagas/calendar/schedule.h
 *   What a schedule does next: which of its times is started, skipped or given up.
 *
 * One turn at a time: it starts at most one saga, so that every start sees the one before. Pure:
 * the caller brings the time, the state as stored, and whether the previous saga is open.
 */
#ifndef SAGAS_CALENDAR_SCHEDULE_H
#define SAGAS_CALENDAR_SCHEDULE_H

#include "sagas/calendar/cron.h"

enum catch_up { CATCH_UP_NONE, CATCH_UP_ONE, CATCH_UP_ALL, CATCH_UP_COUNT };
enum overlap { OVERLAP_ALLOW, OVERLAP_SKIP, OVERLAP_QUEUE, OVERLAP_COUNT };

const char *catch_up_name(enum catch_up catch_up);
bool catch_up_parse(struct bytes name, enum catch_up *ret_catch_up);
const char *overlap_name(enum overlap overlap);
bool overlap_parse(struct bytes name, enum overlap *ret_overlap);

enum {
    SCHEDULE_WAITING_MAX = 100,   /* times that wait for the saga before them */
    SCHEDULE_ON_TIME_MS = 10000,  /* what is later was missed */
    SCHEDULE_LOOK_MS = 500,       /* how often to look whether the previous saga ended */
    SCHEDULE_COUNT_MAX = 1000000, /* missed times that are counted in one turn */
};

struct schedule_rules {
    const struct cron *cron;
    const struct zone *zone;
    enum catch_up catch_up;
    int64_t window_ms; /* what was missed longer ago is never caught up */
    enum overlap overlap;
    bool paused; /* only what people triggered is started */
};

/* Times are Unix ms. What cron asks for falls on whole seconds, what people ask for never does. */
struct schedule_state {
    int64_t next_at_ms; /* the first time of cron that was not dealt with; 0: there is none */
    int64_t waiting[SCHEDULE_WAITING_MAX]; /* due, in order: triggered, or behind an open saga */
    size_t waiting_count;
};

struct schedule_turn {
    int64_t start_at_ms;         /* the time to be started; 0: none */
    struct schedule_state after; /* once it is started */
    int64_t wake_at_ms;          /* when the next turn is due; 0: never */
    uint32_t missed;             /* times given up: too late, or one stands for them */
    int64_t missed_until_ms;     /* the last of them */
    uint32_t skipped; /* times given up because the previous saga is open, or too many wait */
    int64_t skipped_until_ms;
};

bool schedule_is_triggered(int64_t at_ms);
/* A moment that people asked for, as a time of a schedule. */
int64_t schedule_trigger_time(int64_t now_ms);

void schedule_decide(const struct schedule_rules *rules, const struct schedule_state *state,
                     bool previous_is_open, int64_t now_ms, struct schedule_turn *ret_turn);

/* Give up all times until `now_ms`: after a pause, where nothing is caught up. */
void schedule_pass_over(const struct schedule_rules *rules, struct schedule_state *state,
                        int64_t now_ms, uint32_t *ret_missed);

#endif
