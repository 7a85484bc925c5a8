/*
 * sagas/machine/machine.h
 *   The rules: what an event does to a saga.
 *
 * saga_decide is pure: no clock, no I/O, no randomness but what it is given. It
 * cannot fail; it answers with a verdict. APPLIED changed the saga, raised its
 * revision by exactly one and appended history. A valid reply that changes nothing
 * appends `reply.ignored` history and leaves the revision. Every other verdict
 * leaves the saga as it was. Commands leave as data and are to be sent only after
 * the changed saga is committed.
 */
#ifndef SAGAS_MACHINE_MACHINE_H
#define SAGAS_MACHINE_MACHINE_H

#include "sagas/machine/saga.h"
#include "sagas/schema/schema.h"

enum event_kind {
    EVENT_START, /* first event of a saga: go, or wait for start_at (held = definition paused) */
    EVENT_TIMER, /* something may be due at `now`: fires all that is */
    EVENT_REPLY, /* of a participant */
    EVENT_BAD_REPLY, /* a valid token with a malformed reply: raises attention, changes no step */
    /*
     * The transport may have lost commands: every outstanding one is in `commands` again, same
     * attempt; with a `name` only those of that topic. A deadline that had passed meanwhile starts
     * anew. `held`: they never left, so their time starts anew where a noticeable part of it is
     * gone. APPLIED where one started anew, else NOTHING.
     */
    EVENT_RESEND,
    /*
     * A signal by `name`. The first run that waits for it succeeds with `payload`; if none does it
     * is kept for the next one. Nothing is recorded of one that is not taken. UNKNOWN: no step of
     * the definition waits for that name. DUPLICATE: `key` came before, also if a step has taken
     * that signal since. ILLEGAL: the saga takes none any more, or remembers too many, or the
     * payload breaks a schema (saga_signal_fits tells more).
     */
    EVENT_SIGNAL,
    EVENT_MIGRATE, /* an operator gives it another version of its definition: migrate.h */
    EVENT_GRANTED, /* it is its turn: a saga that stands in line starts; NOTHING for any other */
    EVENT_CANCEL,
    EVENT_PAUSE,
    EVENT_RESUME,
    EVENT_RETRY, /* of a stuck saga: every stuck step again */
    EVENT_TERMINATE,
    EVENT_STEP_RETRY,
    EVENT_STEP_SKIP,
    EVENT_STEP_COMPLETE,
    EVENT_STEP_FAIL,
    EVENT_KIND_COUNT,
};

enum outcome { OUTCOME_SUCCESS, OUTCOME_FAILURE, OUTCOME_RETRY, OUTCOME_PROGRESS, OUTCOME_PENDING };

struct event {
    enum event_kind kind;
    /* which command: replies and step verbs */
    int step;      /* position; -1: none */
    int32_t index; /* foreach item or INDEX_NONE */
    enum op op;
    uint32_t attempt;
    /* replies */
    enum outcome outcome;
    bool delay_stated;
    uint64_t delay_ms;    /* ce_sagaretryafter */
    struct bytes code;    /* ce_sagaerror, or `code` of fail */
    struct bytes payload; /* output | problem | progress note | `output` of skip, complete, `input`
                             of retry | payload of a signal, valid JSON or absent */
    /* signals; `payload`, `actor` and `reason` too */
    struct bytes name;                   /* of a resend the topic; absent: of all */
    struct bytes key;                    /* makes it once; absent: it is always a new one */
    uint8_t key_digest[SIGNAL_KEY_SIZE]; /* of `key`, by whoever has cryptography (BLAKE2b) */
    /* operators */
    struct bytes actor;  /* who, e.g. "key:ops" */
    struct bytes reason; /* plain text */
    /*
     * EVENT_START: the definition is paused. EVENT_RESUME: it is no longer, so what only it held
     * goes on; NOTHING where it held nothing. EVENT_RESEND: see there.
     */
    bool held;
    const struct fork *fork;           /* EVENT_START of a fork (fork.h); else NULL */
    const struct migration *migration; /* EVENT_MIGRATE; else NULL */
};

enum verdict {
    VERDICT_APPLIED,
    VERDICT_DUPLICATE, /* that outcome is known already */
    VERDICT_LATE,      /* of an older attempt, or the step is settled */
    VERDICT_ILLEGAL,   /* the state does not allow it; `decision.why` says what would be */
    VERDICT_NOTHING,   /* a timer with nothing due, a resend with nothing out */
    VERDICT_UNKNOWN,   /* no such step or index */
};

/* A command to send after the commit. All bytes live in the context's arena or in the saga. */
struct command {
    struct uuid saga_id;
    const struct step *step;
    int32_t index; /* or INDEX_NONE */
    enum op op;
    uint32_t attempt;
    const struct send *send;
    struct bytes key;            /* Kafka key */
    struct bytes value;          /* mapped input */
    const struct bytes *headers; /* values, parallel to send->headers */
    int64_t expires_at_ms;       /* the attempt's deadline */
    bool again;                  /* a re-send of the same attempt */
};

struct decision {
    enum verdict verdict;
    char why[200]; /* VERDICT_ILLEGAL: one sentence, names what would be allowed */
    const struct command *commands;
    size_t command_count;
    /*
     * Packed history entries (history_write_json); absent when nothing is to be recorded. The first
     * has the seq `history_first_seq`, the rest follow; saga->history_seq was raised by
     * history_count.
     */
    struct bytes history;
    uint32_t history_first_seq;
    uint32_t history_count;
    struct bytes
        payload; /* stored with the history row: output of a step or problem; absent: none */
    struct bytes saga_output; /* stored with the history row as the saga's output; absent: none */
};

struct decide_context {
    int64_t now_ms;      /* wall clock of the caller, Unix ms */
    uint64_t *random;    /* state of a splitmix64 generator: jitter comes from it alone */
    struct arena *arena; /* scratch: reset after the decision was carried out */
    /* Topics for which time stands still: commands that are out there do not fall due. */
    const struct bytes *held_topics;
    size_t held_topic_count;
};

/* Carry out `event` on `saga`. Changes *saga in place. */
void saga_decide(struct saga *saga, const struct event *event, struct decide_context *context,
                 struct decision *ret_decision);

/*
 * The entries that a decision recorded, as a JSON array of {"type","step"?,"index"?,"op"?,
 * "attempt"?,"actor"?,"detail"?}: names of docs and API, absent members left out. False: damaged.
 */
bool history_write_json(struct bytes entries, struct buffer *json, const char **ret_what);
/* Is one of them about the saga as a whole (saga.*)? True too where they cannot be read. */
bool history_tells_of_saga(struct bytes entries);
bool history_knows_type(struct bytes type);

/* When the saga next wants EVENT_TIMER, Unix ms; 0: never. */
int64_t saga_next_due_ms(const struct saga *saga);
/* The same without what is due by `now_ms` already: a topic holds that back. */
int64_t saga_next_due_after_ms(const struct saga *saga, int64_t now_ms);
/* Where a step's commands of that direction go. */
const struct send *saga_send_of(const struct step *step, enum op op);

/*
 * Evaluate the definition's attributes for a start (a JSON object of texts), and see that the key
 * of its `concurrency` can be. False: 422 expression_error.
 */
bool saga_attributes(const struct saga *saga, struct arena *arena, struct bytes *ret_json,
                     struct expression_error *ret_error);

/*
 * Evaluate the key of the definition's `concurrency`: empty where it has none. False: it is null,
 * empty, nothing that is compared as text, or longer than LOCK_KEY_SIZE_MAX bytes.
 */
bool saga_lock_key(const struct saga *saga, struct arena *arena, struct bytes *ret_key,
                   struct expression_error *ret_error);

/*
 * Whether a saga of this definition may start with `input`. `view`: the same input, where it has
 * been read before; NULL: it has not. False: 422 with the faults of the report.
 */
bool saga_input_fits(const struct definition *definition, struct bytes input,
                     const struct json_view *view, struct arena *arena,
                     struct schema_report *ret_report);

/* False: it is over, being undone or not started, and every signal is ILLEGAL. */
bool saga_takes_signals(const struct saga *saga);
/* The same of a signal: its payload must fit the schema of every step that waits for that name. */
bool saga_signal_fits(const struct definition *definition, struct bytes name, struct bytes payload,
                      struct arena *arena, struct schema_report *ret_report);

/* The names of an operator's verb ("cancel", "retry", ...), for history and errors. */
const char *event_kind_name(enum event_kind kind);
const char *verdict_name(enum verdict verdict); /* applied duplicate late illegal ... */
bool outcome_parse(struct bytes name, enum outcome *ret_outcome);

/* splitmix64: next value of the generator. */
uint64_t random_next(uint64_t *state);

#endif
