/*
 * tests/unit/test_machine_support.h
 *   Given a saga, when an event, then ...: one saga on a stage, and short words to move it.
 *
 * Definitions and payloads are written with ' for ". A run is named "charge" or "reserve[2]". The
 * clock stands still but for later().
 */
#ifndef TESTS_UNIT_TEST_MACHINE_SUPPORT_H
#define TESTS_UNIT_TEST_MACHINE_SUPPORT_H

#include "sagas/machine/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* ---- definitions ---- */

/* Three attempts of ten seconds, 100 ms apart, doubled, no jitter; undo likewise, at most 5. */
#define SAGA_WITH(top, steps)                                                                      \
    "{'name':'order'," top                                                                         \
    "'defaults':{'timeout':'10s',"                                                                 \
    "'retry':{'max_attempts':3,'initial':'100ms','multiplier':2,'max':'1s','jitter':'none'},"      \
    "'compensation_retry':{'max_attempts':5,'initial':'200ms','multiplier':2,'max':'1s',"          \
    "'jitter':'none','max_elapsed':'1h'}},'steps':[" steps "]}"
#define SAGA(steps) SAGA_WITH("", steps)

/* A step with an undo; `more` are further members, each ended by a comma. */
#define STEP_AND(id, more)                                                                         \
    "{'id':'" id "'," more "'action':{'topic':'a'},'compensation':{'topic':'u'}}"
#define STEP(id) STEP_AND(id, "")
/* The same without a compensation. */
#define BARE_AND(id, more) "{'id':'" id "'," more "'action':{'topic':'a'}}"
#define BARE(id)           BARE_AND(id, "")
#define EACH               "'foreach':{'in':'${input}'},"

#define TEST(name) cmocka_unit_test_teardown(name, leave_stage)

/* ---- the stage ---- */

struct stage {
    struct arena memory, scratch;
    struct definition *definition;
    struct saga *saga;
    struct decision decision; /* the last one */
    int64_t now_ms;
    uint64_t random;
    const struct bytes *held_topics; /* for which time stands still */
    size_t held_topic_count;
};
extern struct stage stage;

enum { START_MS = 1700000000 };

/* A saga that is not started yet; the input is {}. */
void given(const char *definition);
/* ... started */
void given_started(const char *definition);
void given_started_with(const char *definition, const char *input);
int leave_stage(void **state); /* a cmocka teardown */

/* ---- when ---- */

enum verdict when(struct event event);
enum verdict when_started(void);
/* Replies of the newest attempt, in the run's own direction. */
enum verdict success(const char *run);
enum verdict success_with(const char *run, const char *output);
enum verdict failure(const char *run, const char *code);
enum verdict retry(const char *run, const char *code);
enum verdict retry_after(const char *run, uint64_t delay_ms);
enum verdict progress(const char *run);
enum verdict pending(const char *run);
/* A reply of any attempt and direction. */
enum verdict reply_of(const char *run, enum op op, uint32_t attempt, enum outcome outcome);
/* Time goes on, then the timer. */
enum verdict later(int64_t ms);
/* Time goes on to the next due instant; it must be `ms` away. */
void due_in(int64_t ms);
/* An operator: "cancel", "pause", "resume", "retry", "terminate". */
enum verdict operator_says(const char *verb);
/* "retry", "skip", "complete", "fail" of a run. */
enum verdict operator_says_of(const char *verb, const char *run);

/* ---- then ---- */

const struct step_run *run_of(const char *run);
/* The last decision's commands: "charge, undo reserve[1]"; "" for none. */
void assert_sent(const char *commands);
void assert_saga(enum saga_state state);
void assert_step(const char *run, enum step_state state);
/* "saga.started, step.dispatched charge, step.dispatched undo charge": of the last decision. */
void assert_history(const char *entries);
/* A piece of the last decision's history. */
void assert_recorded(const char *piece);
void assert_error(const char *code, const char *step);
void assert_why_names(const char *piece); /* of a refusal */

#endif
