/* Why a saga stands where it stands: an answer in every state, whole, and every sentence said. */
#include "tests/simulation/checks.h"

#include "sagas/machine/why.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum kind {
    KIND_REPLY,
    KIND_RETRY,
    KIND_TIMER,
    KIND_SIGNAL,
    KIND_LOCK,
    KIND_OPERATOR,
    KIND_NOTHING,
    KINDS
};

#define SET(kind) (1U << (kind))

/* What each kind must tell. */
static const struct {
    const char *name;
    bool step, sent, next, deadline, error, signal;
} RULES[KINDS] = {
    [KIND_REPLY] = {.name = "reply", .step = true, .sent = true, .deadline = true},
    [KIND_RETRY] = {.name = "retry",   .step = true, .next = true, .error = true},
    [KIND_TIMER] = {.name = "timer",               .next = true},
    [KIND_SIGNAL] = {.name = "signal", .step = true, .signal = true},
    [KIND_LOCK] = {.name = "lock" },
    [KIND_OPERATOR] = {.name = "operator"},
    [KIND_NOTHING] = {.name = "nothing"              },
};

/* What a saga can wait for in each state. */
static const unsigned KINDS_OF[SAGA_STATE_COUNT] = {
    [SAGA_PENDING] = SET(KIND_TIMER) | SET(KIND_LOCK) | SET(KIND_OPERATOR),
    [SAGA_RUNNING] =
        SET(KIND_REPLY) | SET(KIND_RETRY) | SET(KIND_TIMER) | SET(KIND_SIGNAL) | SET(KIND_OPERATOR),
    [SAGA_COMPENSATING] = SET(KIND_REPLY) | SET(KIND_RETRY) | SET(KIND_OPERATOR),
    [SAGA_STUCK] = SET(KIND_OPERATOR),
    [SAGA_SUCCEEDED] = SET(KIND_NOTHING),
    [SAGA_COMPENSATED] = SET(KIND_NOTHING),
    [SAGA_TERMINATED] = SET(KIND_NOTHING),
};
static uint64_t seen[SAGA_STATE_COUNT][KINDS];

/* A piece of every sentence that there is. */
static const char *const PIECES[] = {
    " was sent to ",
    " was accepted by ",
    " for the 2nd time",
    ", then it is undone if it may have taken effect",
    "; the saga is to be undone, unless the pivot has succeeded",
    " attempt starts at ",
    " is to ask whether the step took effect, at ",
    "The undo of step ",
    "The probe of step ",
    " waits for the signal ",
    ", then it goes on without",
    ", then it fails",
    " waits until ",
    "The saga starts at ",
    " is open at once, and the saga waits for its turn since ",
    " are open at once, and the saga waits for its turn since ",
    " for an operator, who decides: ",
    " nobody knows whether it took effect; an operator decides: ",
    " after the pivot; an operator decides: ",
    "; an operator decides: skip waives it.",
    "; an operator decides: retry sends it again, skip waives it.",
    " has an unknown outcome",
    " and the saga is paused; ",
    "The saga was paused by ",
    " and its definition says pause; ",
    "The saga succeeded; nothing is to come.",
    "The saga was compensated",
    "The saga was terminated",
};
enum { PIECE_COUNT = sizeof(PIECES) / sizeof(PIECES[0]) };
static uint64_t said[PIECE_COUNT];

static enum kind kind_of(const struct why *why)
{
    enum kind kind = 0;
    while (kind < KINDS && strcmp(RULES[kind].name, why->kind) != 0) {
        kind++;
    }
    return kind;
}

/* What is missing; NULL: nothing. */
static const char *missing(const struct saga *saga, const struct why *why, enum kind kind)
{
    const struct bytes sentence = why->sentence;
    if (sentence.size < 12 || !isupper((unsigned char)sentence.data[0])) return "a sentence";
    if (sentence.data[sentence.size - 1] != '.') return "the end of its sentence";
    if (why->since_ms == 0) return "since when";
    if (RULES[kind].step && (why->step < 0 || why->attempt == 0) && why->op != OP_PROBE) {
        return "step and attempt";
    }
    if (RULES[kind].sent &&
        (why->topic.data == NULL || why->key.data == NULL || why->command_sent_at_ms == 0)) {
        return "what was sent, and when";
    }
    if (RULES[kind].next && why->next_attempt_at_ms == 0) return "when it goes on";
    if (RULES[kind].deadline && why->deadline_at_ms == 0) return "until when";
    if (RULES[kind].error && why->last_error == NULL) return "the last error";
    if (RULES[kind].signal && why->signal.data == NULL) return "the signal";
    if (saga->state == SAGA_STUCK && (why->step < 0 || why->last_error == NULL)) {
        return "what has to be decided";
    }
    return NULL;
}

void check_why(struct world *world, const struct saga *saga, int node)
{
    struct why why;
    saga_why(saga, node_now(world, node), &world->scratch, &why);
    const enum kind kind = kind_of(&why);
    if (kind == KINDS || (KINDS_OF[saga->state] & SET(kind)) == 0) {
        violate(world, "why", "%s in state %s: %s", why.kind, saga_state_name(saga->state),
                why.sentence.data);
        return;
    }
    const char *const what = missing(saga, &why, kind);
    if (what != NULL) {
        violate(world, "why", "%s in state %s does not tell %s: %s", why.kind,
                saga_state_name(saga->state), what, why.sentence.data);
    }
    seen[saga->state][kind]++;
    for (size_t i = 0; i < PIECE_COUNT; i++) {
        if (said[i] == 0 && strstr(why.sentence.data, PIECES[i]) != NULL) said[i]++;
    }
}

size_t report_unsaid(void)
{
    size_t unsaid = 0;
    for (enum saga_state state = SAGA_PENDING; state < SAGA_STATE_COUNT; state++) {
        for (enum kind kind = 0; kind < KINDS; kind++) {
            if ((KINDS_OF[state] & SET(kind)) == 0 || seen[state][kind] > 0) continue;
            (void)printf("never asked why: %s, %s\n", saga_state_name(state), RULES[kind].name);
            unsaid++;
        }
    }
    for (size_t i = 0; i < PIECE_COUNT; i++) {
        if (said[i] > 0) continue;
        (void)printf("never said: %s\n", PIECES[i]);
        unsaid++;
    }
    return unsaid;
}
