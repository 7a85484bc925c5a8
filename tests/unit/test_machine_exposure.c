/* What a saga has done that is neither confirmed nor undone. */
#include "sagas/machine/codec.h"
#include "sagas/machine/exposure.h"
#include "test_machine_support.h"

#include <stdio.h>

#define MONEY_IN(currency)                                                                         \
    "'effect':{'kind':'money','amount':'${input.total}','currency':'" currency "'},"
#define CHARGE STEP_AND("charge", MONEY_IN("EUR"))

static const char *exposed_name(enum exposed exposed)
{
    switch (exposed) {
    case EXPOSED_NOT: return "not";
    case EXPOSED_DONE: return "done";
    case EXPOSED_UNKNOWN: return "unknown";
    }
    return "?";
}

static void assert_exposed(const char *run, const char *expected)
{
    const char *const bracket = strchr(run, '[');
    const size_t size = bracket == NULL ? strlen(run) : (size_t)(bracket - run);
    const int position = definition_find_step(stage.definition, (struct bytes){run, size});
    const struct step *const step = &stage.definition->steps[position];
    assert_string_equal(exposed_name(run_exposed(stage.saga, step, run_of(run))), expected);
}

/* "": not known */
static void assert_worth(const char *run, const char *amount, const char *currency)
{
    const struct run_effect *const effect = run_of(run)->effect;
    assert_non_null(effect);
    assert_string_equal(effect->amount.data == NULL ? "" : effect->amount.data, amount);
    assert_string_equal(effect->currency.data == NULL ? "" : effect->currency.data, currency);
}

static void an_effect_counts_from_success_until_the_saga_ends(void **state)
{
    (void)state;
    given_started_with(SAGA(CHARGE "," BARE("ship")), "{'total':120.10}");
    assert_exposed("charge", "not");
    assert_recorded("'effect':{'amount':'120.10','currency':'EUR'}");

    success("charge");
    assert_exposed("charge", "done");
    assert_worth("charge", "120.10", "EUR");

    success("ship");
    assert_saga(SAGA_SUCCEEDED);
    assert_exposed("charge", "not");
}

static void an_effect_counts_until_it_is_undone(void **state)
{
    (void)state;
    given_started_with(SAGA(CHARGE "," BARE("ship")), "{'total':5}");
    success("charge");
    failure("ship", "closed");

    assert_step("charge", STEP_COMPENSATING);
    assert_exposed("charge", "done");

    failure("charge", "locked");
    assert_saga(SAGA_STUCK);
    assert_exposed("charge", "done");

    operator_says_of("retry", "charge");
    success("charge");
    assert_exposed("charge", "not");
}

static void an_undo_that_is_waived_counts_no_more(void **state)
{
    (void)state;
    given_started_with(SAGA(CHARGE "," STEP_AND("pack", MONEY_IN("EUR")) "," BARE("ship")),
                       "{'total':5}");
    success("charge");
    success("pack");
    failure("ship", "closed");
    failure("pack", "locked");

    operator_says_of("skip", "pack");

    assert_exposed("pack", "not");
    assert_exposed("charge", "done");
}

static void what_nobody_answers_counts_as_unknown(void **state)
{
    (void)state;
    given_started_with(
        SAGA(BARE_AND("charge", MONEY_IN("EUR") "'on_unknown':'hold','compensation':null,")),
        "{'total':7}");
    while (run_of("charge")->state != STEP_UNKNOWN) {
        due_in(saga_next_due_ms(stage.saga) - stage.now_ms);
    }
    assert_exposed("charge", "unknown");

    operator_says_of("fail", "charge");

    assert_exposed("charge", "not");
}

static void what_was_refused_never_counts(void **state)
{
    (void)state;
    given_started_with(SAGA("{'id':'charge','on_failure':'ignore'," MONEY_IN(
                           "EUR") "'action':{'topic':'a'},'compensation':null}," BARE("ship")),
                       "{'total':7}");
    failure("charge", "declined");

    assert_saga(SAGA_RUNNING);
    assert_exposed("charge", "not");
}

static void each_item_is_worth_what_it_says(void **state)
{
    (void)state;
    given_started_with(SAGA("{'id':'reserve','foreach':{'in':'${input.items}'},'effect':{'kind':"
                            "'stock','amount':'${item.price * item.qty}'},'action':{'topic':'a'},"
                            "'compensation':{'topic':'u'}}," BARE("ship")),
                       "{'items':[{'price':2,'qty':3},{'price':0.5,'qty':1}]}");
    success("reserve[1]");

    assert_exposed("reserve[0]", "not");
    assert_exposed("reserve[1]", "done");
    assert_worth("reserve[0]", "6", "");
    assert_worth("reserve[1]", "0.5", "");
}

static void digits_and_currency_are_exactly_those_of_the_input(void **state)
{
    (void)state;
    static const struct {
        const char *total, *amount;
    } CASES[] = {
        {"0.1",                 "0.1"                },
        {"9007199254740993.10", "9007199254740993.10"},
        {"'12.50'",             "12.50"              },
        {"1e2",                 "100"                },
        {"-3",                  "-3"                 },
        {"null",                ""                   },
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char input[80];
        (void)snprintf(input, sizeof(input), "{'total':%s,'in':'USD'}", CASES[i].total);
        given_started_with(SAGA(BARE_AND("charge", MONEY_IN("${input.in}"))), input);
        assert_worth("charge", CASES[i].amount, "USD");
        leave_stage(NULL);
    }
}

static void what_comes_to_no_amount_is_told_and_holds_nothing_back(void **state)
{
    (void)state;
    static const struct {
        const char *input, *amount, *message;
    } CASES[] = {
        {"{'total':true}",                           "",  "effect.amount: it must be a number"},
        {"{'total':[1]}",                            "",  "effect.amount: it must be a number"},
        {"{'total':'12,50'}",                        "",  "effect.amount: it must be a number"},
        {"{'total':1e400}",                          "",  "effect.amount: it must be a number"},
        {"{'total':1,'in':7}",                       "1", "effect.currency: it must be a text"},
        {"{'total':1,'in':''}",                      "1", "effect.currency: it must be a text"},
        {"{'total':1,'in':'\\u0000'}",               "1", "effect.currency: it must be a text"},
        {"{'total':1,'in':'twenty-two-bytes-long'}", "1", "effect.currency: it must be a text"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        given_started_with(SAGA(BARE_AND("charge", MONEY_IN("${input.in}"))), CASES[i].input);
        assert_sent("charge");
        assert_recorded(CASES[i].message);
        assert_worth("charge", CASES[i].amount, "");
        success("charge");
        assert_saga(SAGA_SUCCEEDED);
        leave_stage(NULL);
    }
}

static void what_an_expression_cannot_do_is_told_too(void **state)
{
    (void)state;
    given_started_with(
        SAGA(BARE_AND("charge", "'effect':{'kind':'money','amount':'${1 / input.n}'},")),
        "{'n':0}");
    assert_sent("charge");
    assert_recorded("effect.amount: ");
    assert_worth("charge", "", "");
}

static void it_is_told_once_however_often_the_step_is_sent(void **state)
{
    (void)state;
    given_started_with(SAGA(CHARGE), "{'total':3}");
    retry("charge", "busy");
    due_in(100);

    assert_sent("charge");
    assert_null(strstr(stage.decision.history.data, "amount"));
    assert_worth("charge", "3", "EUR");
}

static void a_packed_saga_keeps_what_its_effects_are_worth(void **state)
{
    (void)state;
    const char *what = NULL;
    given_started_with(SAGA(CHARGE "," STEP_AND("pack", "'effect':{'kind':'work'},")),
                       "{'total':3.50}");
    success("charge");
    struct buffer packed = buffer_in(&stage.memory);
    saga_pack(stage.saga, &packed);
    struct saga *const read = saga_new(&stage.memory, stage.definition);
    assert_true(saga_unpack(read, buffer_bytes(&packed), &what));

    stage.saga = read;

    assert_exposed("charge", "done");
    assert_worth("charge", "3.50", "EUR");
    assert_worth("pack", "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_effect_counts_from_success_until_the_saga_ends),
        TEST(an_effect_counts_until_it_is_undone),
        TEST(an_undo_that_is_waived_counts_no_more),
        TEST(what_nobody_answers_counts_as_unknown),
        TEST(what_was_refused_never_counts),
        TEST(each_item_is_worth_what_it_says),
        TEST(digits_and_currency_are_exactly_those_of_the_input),
        TEST(what_comes_to_no_amount_is_told_and_holds_nothing_back),
        TEST(what_an_expression_cannot_do_is_told_too),
        TEST(it_is_told_once_however_often_the_step_is_sent),
        TEST(a_packed_saga_keeps_what_its_effects_are_worth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
