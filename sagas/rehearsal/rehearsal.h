/*
 * sagas/rehearsal/rehearsal.h
 *   What a definition does before anybody relies on it: the real rules, played against participants
 *   that are made to fail.
 *
 * A run plays one saga from its start to its end with at most two faults in it. Time jumps to
 * whatever is due next. Participants dedup as participants/ do: an effect happens once for a key,
 * an undo of what never happened changes nothing. What a run leaves behind is judged: an effect
 * that is neither confirmed by the saga's success nor undone is a problem.
 */
#ifndef SAGAS_REHEARSAL_REHEARSAL_H
#define SAGAS_REHEARSAL_REHEARSAL_H

#include "sagas/machine/machine.h"

enum { REHEARSAL_FAULTS_MAX = 2 };

enum fault_kind {
    FAULT_REFUSAL,   /* answers `failure`: there is no effect */
    FAULT_NO_EFFECT, /* no command of it arrives: no effect, no answer; a signal never comes */
    FAULT_NO_ANSWER, /* takes effect each time, but no answer arrives */
};

/* A command that goes wrong each time it is sent; of a foreach the first item. */
struct rehearsal_fault {
    int step; /* position */
    enum op op;
    enum fault_kind kind;
};

/* What was sent, a command and its further attempts as one; or a signal that was waited for. */
struct rehearsal_call {
    int step;
    int32_t index; /* or INDEX_NONE */
    enum op op;
    uint32_t attempts;
    const char *answer; /* success | failure | none */
};

enum rehearsal_end {
    REHEARSAL_ENDED,   /* `state` says how */
    REHEARSAL_STUCK,   /* an operator has to decide */
    REHEARSAL_WAITS,   /* nothing is due and nothing is out: a pause, a held step, a signal */
    REHEARSAL_GOES_ON, /* it was stopped after REHEARSAL_DECISIONS_MAX events */
};

enum { REHEARSAL_DECISIONS_MAX = 1000 };

struct rehearsal_run {
    struct rehearsal_fault faults[REHEARSAL_FAULTS_MAX];
    size_t fault_count;
    bool twice; /* every command and every reply came twice */
    const struct rehearsal_call *calls;
    size_t call_count;
    enum rehearsal_end end;
    enum saga_state state;
    const char *error_code;    /* "": none */
    struct bytes error_detail; /* plain text */
    struct bytes error_step;   /* absent: the saga as a whole */
    struct bytes problem;      /* one sentence; absent: none */
};

struct rehearsal {
    const struct rehearsal_run *runs;
    size_t run_count;
    size_t problem_count;
    bool truncated; /* there would have been more runs */
};

struct rehearsal_plan {
    struct bytes input;              /* JSON; absent: {} */
    const struct json_view *outputs; /* {step id: output of its action}; NULL: {} each */
    int64_t now_ms;
    /* One run with these faults, or every run with at most two of them (`explore`). */
    const struct rehearsal_fault *faults;
    size_t fault_count;
    bool explore;
    size_t events_max; /* of all runs together; 0: no limit */
};

/*
 * Everything of the result lives in `arena`. False: the start itself is refused; ret_error says
 * why.
 *
 * Explored is: no fault; each fault at each command that a run makes; and beside such a fault each
 * refusal and each silence of an undo or a probe that it leads to. Every run is played again with
 * everything delivered twice, which must change nothing: where it does, that is a problem.
 */
bool rehearse(const struct definition *definition, const struct rehearsal_plan *plan,
              struct arena *arena, struct rehearsal *ret_rehearsal,
              struct expression_error *ret_error);

const char *fault_kind_name(enum fault_kind kind); /* refuses, no_effect, no_answer */
bool fault_kind_parse(struct bytes name, enum fault_kind *ret_kind);
const char *rehearsal_end_name(const struct rehearsal_run *run);

/* {"runs":[..],"ends":{..},"problems":n,"truncated":b}: the shape of POST .../simulate. */
void rehearsal_write(const struct definition *definition, const struct rehearsal *rehearsal,
                     struct buffer *json);

#endif
