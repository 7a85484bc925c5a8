/*
 * sagas/machine/saga.h
 *   One saga in memory: what is stored, and nothing that could be derived.
 *
 * Everything hangs in one arena that belongs to whoever holds the saga. The
 * packed form (codec.h) holds all but the payload bytes: outputs are in
 * history rows, found by the `seq` of their first entry.
 */
#ifndef SAGAS_MACHINE_SAGA_H
#define SAGAS_MACHINE_SAGA_H

#include "sagas/base/bytes.h"
#include "sagas/base/json_view.h"
#include "sagas/base/uuid.h"
#include "sagas/definition/definition.h"

#include <stdint.h>

enum {
    ERROR_CODE_SIZE = 65,        /* [a-z0-9_]{1,64} and the NUL */
    ERROR_DETAIL_SIZE_MAX = 240, /* longer ones are cut at a character */
    PAYLOAD_SIZE_MAX = 256 * 1024,
    INDEX_NONE = -1,      /* the step has no foreach */
    SIGNAL_KEY_SIZE = 16, /* of the digest of a signal's key */
    SIGNALS_MAX = 1000,   /* that one saga remembers */
    CURRENCY_SIZE_MAX = 16,
    LOCK_KEY_SIZE_MAX = 1024,
};

enum saga_state {
    SAGA_PENDING, /* waits for start_at or its place in line, or its definition is paused */
    SAGA_RUNNING,
    SAGA_COMPENSATING,
    SAGA_SUCCEEDED,
    SAGA_COMPENSATED,
    SAGA_STUCK,
    SAGA_TERMINATED,
    SAGA_STATE_COUNT,
};

enum step_state {
    STEP_WAITING,
    STEP_READY, /* may be sent, held back by a pause or by foreach concurrency */
    STEP_DISPATCHED,
    STEP_RETRYING,
    STEP_SUCCEEDED,
    STEP_FAILED,
    STEP_UNKNOWN,
    STEP_SKIPPED,
    STEP_COMPENSATING,
    STEP_COMPENSATED,
    STEP_COMPENSATION_FAILED,
    STEP_COMPENSATION_SKIPPED,
    STEP_STATE_COUNT,
};

/* The place of a saga among those that its definition's `concurrency` lets be open at once. */
enum lock_state {
    LOCK_NONE,    /* it needs none, its time has not come, or it is over */
    LOCK_AWAITED, /* it stands in line */
    LOCK_HELD,
    LOCK_STATE_COUNT,
};

enum op { OP_ACTION, OP_COMPENSATE, OP_PROBE };

enum attention {
    ATTENTION_RETRYING = 1 << 0,   /* a step has been sent more than once, or waits to be */
    ATTENTION_NO_HANDLER = 1 << 1, /* set by the runtime, never by the core */
    ATTENTION_OVERDUE = 1 << 2,    /* the deadline passed after the pivot */
    ATTENTION_STUCK = 1 << 3,
    ATTENTION_PAUSED = 1 << 4,
    ATTENTION_BAD_REPLY = 1 << 5, /* a reply with a valid token was malformed */
    ATTENTION_HELD = 1 << 6,
};

struct saga_error {
    char code[ERROR_CODE_SIZE]; /* "": no error */
    struct bytes detail;        /* plain text */
};

/* What the `effect` of a step came to when it was sent first. */
struct run_effect {
    struct bytes amount;   /* exact, plain digits; absent: not known */
    struct bytes currency; /* absent: none */
};

/* One command's life: a step, or one foreach item of it. */
struct step_run {
    enum step_state state;
    enum op op;       /* direction that `attempt`, `deadline_at_ms` and the rest speak of */
    uint32_t attempt; /* sendings in this direction; 0: never sent */
    uint32_t
        uncounted; /* of those, sendings asked for by ce_sagaretryafter or granted by an operator */
    /* Of action and probe the other one's attempts: their numbers go on when it is sent again. */
    uint32_t attempts_aside;
    bool unanswered;            /* an attempt of this direction timed out: its effect is unknown */
    bool promised;              /* `pending` came for the newest attempt */
    bool bad_reply;             /* the last reply was malformed; a valid final one clears it */
    int64_t first_sent_at_ms;   /* of this direction: where max_elapsed counts from */
    int64_t sent_at_ms;         /* the newest sending */
    int64_t deadline_at_ms;     /* of the newest attempt, while it is out; else 0 */
    int64_t next_attempt_at_ms; /* while a retry waits; else 0 */
    int64_t started_at_ms, finished_at_ms;
    struct bytes output; /* JSON text; absent: null */
    uint32_t output_seq; /* history row that holds it; 0: none */
    /* What a retry said to send instead of the mapped input, in this direction; absent: nothing. */
    struct bytes input;
    uint32_t input_seq;              /* history row that holds it; 0: none */
    struct saga_error error;         /* last error of the step */
    const struct run_effect *effect; /* NULL: none is declared, or it was never sent */
};

/* A signal that came: kept until a step waits for it; after that only its key is remembered. */
struct signal {
    struct bytes name; /* absent: a step has taken it */
    bool has_key;
    uint8_t key[SIGNAL_KEY_SIZE]; /* digest */
    uint32_t seq;                 /* history row that holds the payload; 0: none */
    struct bytes payload;         /* JSON text; absent: null */
};

/* A step of the definition with its runs. */
struct step_runs {
    /* `count` of them; run[0] is always there: before a foreach is reached, and when it is empty */
    struct step_run *run;
    uint32_t count;
    bool expanded; /* foreach: the width is known (count may then be 0) */
    /* Derived and kept only to save time; not packed. */
    const struct bytes *items; /* of a foreach, `count` JSON texts; NULL: not evaluated yet */
    struct bytes collected;    /* JSON array of the items' outputs; absent: not joined yet */
};

struct saga {
    /* what it is: never changes */
    struct uuid id;
    const struct definition *definition;
    struct bytes input;      /* JSON text as submitted */
    struct bytes labels;     /* JSON object */
    struct bytes attributes; /* JSON object, computed at the start */
    struct bytes trace;      /* traceparent of the caller; absent: derived from the id */
    struct bytes trace_state;
    int64_t created_at_ms;
    int64_t start_at_ms; /* 0: at once */
    /* Of a fork (packed, too): the saga that it comes from, and the step that it begins with. */
    bool forked;
    struct uuid forked_from;
    struct bytes fork_step; /* id; absent: from the beginning */

    /* where it stands: packed */
    enum saga_state state;
    enum saga_state stuck_in; /* while stuck: SAGA_RUNNING or SAGA_COMPENSATING */
    bool paused;
    bool paused_by_timeout; /* on_timeout: pause set the flag */
    bool cancel_requested;
    uint32_t attention; /* bits of enum attention */
    enum lock_state lock;
    struct bytes lock_key; /* while `lock` is not LOCK_NONE; empty: the definition's only one */
    uint32_t revision;     /* applied events */
    uint32_t history_seq;  /* history entries written; the next one is history_seq + 1 */
    int64_t started_at_ms, updated_at_ms, finished_at_ms;
    int64_t deadline_at_ms; /* of the saga; 0: none */
    /* The first cause; while stuck: what an operator has to decide about. */
    struct saga_error error;
    struct bytes error_step; /* id; absent: the saga as a whole (error_op says nothing then) */
    enum op error_op;
    /* While stuck: the first cause, to come back when the saga goes on. */
    struct saga_error cause;
    struct bytes cause_step;
    enum op cause_op;
    struct bytes output;     /* JSON text once it succeeded */
    uint32_t output_seq;     /* history row that holds it; 0: none */
    struct bytes paused_by;  /* actor, for why; absent: the definition (a start of a paused one
                                too: EVENT_RESUME lets it go) or not paused */
    struct step_runs *steps; /* by position of the definition */
    struct signal *signals;  /* in the order in which they came; `signal_room` places */
    uint32_t signal_count, signal_room;
    struct arena *arena; /* owns runs, outputs and texts */
};

const char *saga_state_name(enum saga_state state);
const char *step_state_name(enum step_state state);
const char *op_name(enum op op);
const char *lock_state_name(enum lock_state lock); /* none waiting held */
/* False when no state has that name. */
bool saga_state_parse(struct bytes name, enum saga_state *ret_state);
bool attention_parse(struct bytes name, enum attention *ret_attention);
/* `["retrying","stuck"]` */
void attention_write(struct buffer *buffer, uint32_t attention);
bool saga_is_finished(enum saga_state state); /* succeeded, compensated, terminated */

/* A new saga in `arena`; the texts are borrowed: keep them as long. State PENDING, revision 0. */
struct saga *saga_new(struct arena *arena, const struct definition *definition);

#endif
