/*
 * sagas/machine/tables.h
 *   The two tables: what can happen to a saga, and what can happen to one run of a step.
 *
 * Guards are folded into the events (a cancel past the pivot is another event than a cancel), so
 * the tables need no conditions. An empty cell is illegal. The diagram in README.md is written from
 * here, and a test visits every cell.
 */
#ifndef SAGAS_MACHINE_TABLES_H
#define SAGAS_MACHINE_TABLES_H

#include "sagas/machine/saga.h"

enum saga_event {
    SAGA_GO,              /* its time has come */
    SAGA_QUEUE,           /* its time has come, and others may hold its lock */
    SAGA_GRANT,           /* the lock is its own */
    SAGA_ALL_DONE,        /* every step is through */
    SAGA_TURN_BACK,       /* a refusal, a cancel or the deadline: undo */
    SAGA_PIVOT_WON,       /* it succeeded while an undo waited for it */
    SAGA_ALL_UNDONE,      /* nothing is left to undo */
    SAGA_BLOCKED,         /* a step needs an operator */
    SAGA_UNBLOCKED_AHEAD, /* none does any more, the saga goes forward */
    SAGA_UNBLOCKED_BACK,  /* none does any more, the saga is being undone */
    SAGA_HOLD,            /* the definition says pause */
    SAGA_OVERDUE,         /* the deadline passed after the pivot */
    SAGA_CANCEL,          /* by an operator, from here on */
    SAGA_CANCEL_PAST_PIVOT,
    SAGA_PAUSE,
    SAGA_PAUSE_PAUSED,
    SAGA_RESUME,
    SAGA_RESUME_UNPAUSED,
    SAGA_RETRY,
    SAGA_RETRY_NOTHING, /* what is stuck has nothing to send again */
    SAGA_TERMINATE,
    SAGA_STEP_VERB, /* one of the verbs on a step; the run's own table decides */
    SAGA_EVENT_COUNT,
};

struct saga_transition {
    enum saga_state after;
    const char *entry; /* history type, "" for none; NULL: an empty cell */
};

enum run_event {
    RUN_REACHED,   /* what it depends on is through */
    RUN_SENT,      /* its action is out */
    RUN_PROGRESS,  /* a heartbeat */
    RUN_PROMISED,  /* pending: accepted, the result comes later */
    RUN_RETRY,     /* the attempt failed, the next one has its time */
    RUN_DONE,      /* success */
    RUN_NO_EFFECT, /* refused, or every attempt said that it had no effect */
    RUN_NO_ANSWER, /* attempts are over and one of them was never answered, or not as agreed */
    RUN_SKIP,      /* by its condition or by an operator */
    RUN_NEVER_RAN, /* the saga has ended without it */
    RUN_DROPPED,   /* a wait that nobody needs any more */
    RUN_PROBE,     /* attempts are over and one of them was never answered: ask */
    RUN_REOPENED,  /* may be sent again, when there is room */
    RUN_RESET,     /* failed before it was sent: reach it again */
    RUN_UNDO_SENT,
    RUN_UNDO_RETRY,
    RUN_UNDONE,
    RUN_UNDO_FAILED, /* refused, over, or cannot be asked for */
    RUN_UNDO_WAIVED, /* by the definition or by an operator */
    RUN_EVENT_COUNT,
};

struct run_transition {
    enum step_state after;
    const char *entry; /* as above */
};

struct saga_transition saga_transition(enum saga_state state, enum saga_event event);
struct run_transition run_transition(enum step_state state, enum run_event event);

const char *saga_event_name(enum saga_event event);
const char *run_event_name(enum run_event event);

#endif
