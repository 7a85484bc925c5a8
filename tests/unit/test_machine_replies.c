/* Every outcome of every attempt in every state: which reply is applied, known, late or illegal. */
#include "test_machine_support.h"

/* ---- a step in every state, with two attempts sent in its direction where there are any ---- */

static void begin_two(void)
{
    given_started(SAGA(STEP("x") "," STEP("a") "," BARE("b")));
    success("x");
    retry("a", "first");
    due_in(100);
}

static void ready(void)
{
    given_started(SAGA(STEP("x") "," STEP("a") "," BARE("b")));
    operator_says("pause");
    success("x");
}

static void reopened(void)
{
    given_started(SAGA(STEP_AND("a", "'on_failure':'pause',") "," BARE("b")));
    retry("a", "first");
    due_in(100);
    failure("a", "no");
    operator_says("resume");
    operator_says("pause");
    failure("a", "no");
    stage.saga->steps[0].run[0].state = STEP_READY;
    assert_int_equal(run_of("a")->attempt, 3);
}

static void retrying(void)
{
    begin_two();
    retry("a", "no");
}

static void timed_out(void)
{
    begin_two();
    due_in(10000);
}

static void succeeded(void)
{
    begin_two();
    success("a");
}

static void failed(void)
{
    begin_two();
    failure("a", "no");
}

static void unknown(void)
{
    given_started(SAGA(STEP("x") "," BARE("a")));
    success("x");
    retry("a", "first");
    due_in(100);
    due_in(10000);
    due_in(200);
    due_in(10000);
    assert_saga(SAGA_STUCK);
}

static void skipped(void)
{
    retrying();
    operator_says_of("skip", "a");
}

static void undoing(void)
{
    succeeded();
    failure("b", "no");
    retry("a", "first");
    due_in(200);
}

static void undo_waiting(void)
{
    undoing();
    retry("a", "no");
}

static void undone(void)
{
    undoing();
    success("a");
}

static void undo_failed(void)
{
    undoing();
    failure("a", "no");
}

static void undo_waived(void)
{
    undo_failed();
    operator_says_of("skip", "a");
}

static void undone_at_last(void)
{
    undone();
    success("x");
    assert_saga(SAGA_COMPENSATED);
}

/* ---- the table ---- */

#define A VERDICT_APPLIED
#define D VERDICT_DUPLICATE
#define L VERDICT_LATE
#define I VERDICT_ILLEGAL

enum { OUTCOMES = 5 };

/* In this order: success, failure, retry, progress, pending. */
#define LATE                                                                                       \
    {                                                                                              \
        L, L, L, L, L                                                                              \
    }
#define ILLEGAL                                                                                    \
    {                                                                                              \
        I, I, I, I, I                                                                              \
    }

/* clang-format off */
static const struct {
    void (*given)(void);
    enum step_state state;
    enum verdict newest[OUTCOMES];
    enum verdict older[OUTCOMES];   /* of the attempt before */
    enum verdict other[OUTCOMES];   /* of the other direction */
} CASES[] = {
    {ready,          STEP_READY,                ILLEGAL,         ILLEGAL,         ILLEGAL},
    {reopened,       STEP_READY,                {A, L, L, L, L}, {A, L, L, L, L}, ILLEGAL},
    {begin_two,      STEP_DISPATCHED,           {A, A, A, A, A}, {A, L, L, L, L}, ILLEGAL},
    {retrying,       STEP_RETRYING,             {A, A, D, L, L}, {A, L, L, L, L}, ILLEGAL},
    {timed_out,      STEP_RETRYING,             {A, A, L, L, L}, {A, L, L, L, L}, ILLEGAL},
    {succeeded,      STEP_SUCCEEDED,            {D, L, L, L, L}, {D, L, L, L, L}, ILLEGAL},
    {failed,         STEP_FAILED,               {L, D, L, L, L}, LATE,            ILLEGAL},
    {unknown,        STEP_UNKNOWN,              LATE,            LATE,            ILLEGAL},
    {skipped,        STEP_SKIPPED,              LATE,            LATE,            ILLEGAL},
    {undoing,        STEP_COMPENSATING,         {A, A, A, A, A}, {A, L, L, L, L}, LATE   },
    {undo_waiting,   STEP_COMPENSATING,         {A, A, D, L, L}, {A, L, L, L, L}, LATE   },
    {undone,         STEP_COMPENSATED,          {D, L, L, L, L}, {D, L, L, L, L}, LATE   },
    {undo_failed,    STEP_COMPENSATION_FAILED,  {L, D, L, L, L}, LATE,            LATE   },
    {undo_waived,    STEP_COMPENSATION_SKIPPED, LATE,            LATE,            LATE   },
    {undone_at_last, STEP_COMPENSATED,          {D, L, L, L, L}, {D, L, L, L, L}, LATE   },
};
/* clang-format on */

static enum op other_op(enum op op)
{
    return op == OP_ACTION ? OP_COMPENSATE : OP_ACTION;
}

static void check(size_t i, const char *what, enum outcome outcome, enum verdict found,
                  enum verdict wanted)
{
    if (found != wanted) {
        fail_msg("case %zu, %s attempt, outcome %d: %s, not %s", i, what, outcome,
                 verdict_name(found), verdict_name(wanted));
    }
    if (found == VERDICT_APPLIED) return;
    const bool undo = (run_of("a")->op == OP_COMPENSATE) != (strcmp(what, "other") == 0);
    assert_history(undo ? "reply.ignored undo a" : "reply.ignored a");
    assert_recorded(verdict_name(found));
}

static void every_outcome_of_every_attempt_in_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        for (enum outcome at = OUTCOME_SUCCESS; at <= OUTCOME_PENDING; at++) {
            CASES[i].given();
            assert_step("a", CASES[i].state);
            const enum op op = run_of("a")->op;
            const uint32_t newest = run_of("a")->attempt;
            check(i, "newest", at, reply_of("a", op, newest, at), CASES[i].newest[at]);
            CASES[i].given();
            check(i, "older", at, reply_of("a", op, newest > 0 ? newest - 1 : 0, at),
                  CASES[i].older[at]);
            CASES[i].given();
            check(i, "other", at, reply_of("a", other_op(op), 1, at), CASES[i].other[at]);
        }
    }
}

static void a_success_of_an_attempt_that_the_saga_has_forgotten_is_taken(void **state)
{
    (void)state;
    begin_two();
    assert_int_equal(reply_of("a", OP_ACTION, 7, OUTCOME_FAILURE), VERDICT_LATE);
    assert_int_equal(reply_of("a", OP_ACTION, 7, OUTCOME_SUCCESS), VERDICT_APPLIED);
}

static void a_probe_was_never_sent(void **state)
{
    (void)state;
    begin_two();
    assert_int_equal(reply_of("a", OP_PROBE, 1, OUTCOME_SUCCESS), VERDICT_UNKNOWN);
    assert_history("");
}

static void an_ignored_reply_says_what_it_was(void **state)
{
    (void)state;
    succeeded();
    reply_of("a", OP_ACTION, 1, OUTCOME_FAILURE);
    assert_recorded(
        "{'type':'reply.ignored','step':'a','op':'action','attempt':1,'detail':"
        "{'outcome':'failure','reason':'late','code':'no'}}");
}

/* ---- malformed replies ---- */

static enum verdict malformed(const char *run)
{
    return when((struct event){.kind = EVENT_BAD_REPLY,
                               .step = definition_find_step(stage.definition, bytes_of(run)),
                               .index = INDEX_NONE,
                               .op = run_of(run)->op,
                               .attempt = run_of(run)->attempt,
                               .reason = BYTES("no such outcome")});
}

static void a_malformed_reply_raises_attention_and_leaves_the_step_open(void **state)
{
    (void)state;
    begin_two();
    assert_int_equal(malformed("a"), VERDICT_APPLIED);
    assert_recorded("'reason':'malformed','detail':'no such outcome'");
    assert_int_equal(stage.saga->attention, ATTENTION_BAD_REPLY | ATTENTION_RETRYING);
    assert_step("a", STEP_DISPATCHED);
    assert_int_equal(malformed("a"), VERDICT_DUPLICATE);
}

static void a_valid_final_reply_of_that_step_clears_it(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," STEP_AND("b", "'depends_on':[],") "," BARE_AND(
        "c", "'depends_on':['a','b'],")));
    malformed("a");
    success("b");
    progress("a");
    assert_int_equal(stage.saga->attention, ATTENTION_BAD_REPLY);
    success("a");
    assert_int_equal(stage.saga->attention, 0);

    malformed("c");
    failure("c", "no");
    assert_int_equal(stage.saga->attention, 0);
}

static void a_malformed_reply_of_a_settled_step_is_late(void **state)
{
    (void)state;
    succeeded();
    assert_int_equal(malformed("a"), VERDICT_LATE);
    assert_int_equal(stage.saga->attention, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_outcome_of_every_attempt_in_every_state),
        TEST(a_success_of_an_attempt_that_the_saga_has_forgotten_is_taken),
        TEST(a_probe_was_never_sent),
        TEST(an_ignored_reply_says_what_it_was),
        TEST(a_malformed_reply_raises_attention_and_leaves_the_step_open),
        TEST(a_valid_final_reply_of_that_step_clears_it),
        TEST(a_malformed_reply_of_a_settled_step_is_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
