/*
 * tests/unit/test_reply.c
 *   Which replies count, which are forged, which are malformed.
 */
#include "orchestrator/bus/record.h"
#include "orchestrator/bus/reply.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEADERS_MAX = 8 };

static const struct token_keys KEYS = {
    .key = {{1}, {2}},
      .count = 1
};
static struct arena arena;
static char token_text[TOKEN_TEXT_MAX + 1];

/* A reply under construction. */
struct draft {
    struct bus_header headers[HEADERS_MAX];
    size_t count;
    struct bytes value;
};

static void add(struct draft *draft, const char *name, const char *value)
{
    assert_true(draft->count < HEADERS_MAX);
    draft->headers[draft->count++] = (struct bus_header){bytes_of(name), bytes_of(value)};
}

/* A reply with our token; outcome NULL leaves that header out. */
static struct draft a_reply(const char *outcome, const char *value)
{
    struct draft draft = {.value = bytes_of(value)};
    add(&draft, "ce_sagatoken", token_text);
    if (outcome != NULL) add(&draft, "ce_sagaoutcome", outcome);
    return draft;
}

static enum reply_result read_draft(const struct draft *draft, struct reply *ret_reply)
{
    const struct bus_record record = {.topic = BYTES("saga.replies"),
                                      .value = draft->value,
                                      .headers = draft->headers,
                                      .header_count = draft->count};
    return reply_read(&record, &KEYS, &arena, ret_reply);
}

static struct event valid(const struct draft *draft)
{
    struct reply reply;
    assert_int_equal(read_draft(draft, &reply), REPLY_VALID);
    assert_int_equal(reply.event.kind, EVENT_REPLY);
    assert_null(reply.what);
    return reply.event;
}

static void assert_malformed(const struct draft *draft, const char *what)
{
    struct reply reply;
    assert_int_equal(read_draft(draft, &reply), REPLY_MALFORMED);
    assert_int_equal(reply.event.kind, EVENT_BAD_REPLY);
    assert_string_equal(reply.token.step_id, "pay");
    assert_non_null(strstr(reply.what, what));
}

static void assert_forged(const struct draft *draft, const char *what)
{
    struct reply reply;
    assert_int_equal(read_draft(draft, &reply), REPLY_FORGED);
    assert_non_null(strstr(reply.what, what));
}

static void assert_bytes(struct bytes actual, const char *expected)
{
    assert_int_equal(actual.size, strlen(expected));
    assert_memory_equal(actual.data, expected, actual.size);
}

static int given_a_token(void **state)
{
    (void)state;
    struct token token = {.op = OP_ACTION, .attempt = 3, .index = 7, .step_id = "pay"};
    token.saga_id.byte[0] = 42;
    token_print(&KEYS, &token, token_text);
    return 0;
}

static int release(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void the_token_says_which_command_is_answered(void **state)
{
    (void)state;
    const struct draft draft = a_reply("success", "{\"ok\":true}");
    struct reply reply;

    assert_int_equal(read_draft(&draft, &reply), REPLY_VALID);

    assert_int_equal(reply.token.saga_id.byte[0], 42);
    assert_string_equal(reply.token.step_id, "pay");
    assert_int_equal(reply.event.step, -1);
    assert_int_equal(reply.event.index, 7);
    assert_int_equal(reply.event.op, OP_ACTION);
    assert_int_equal(reply.event.attempt, 3);
    assert_int_equal(reply.event.outcome, OUTCOME_SUCCESS);
}

static void payload_bytes_stay_as_they_were(void **state)
{
    (void)state;
    const struct draft draft = a_reply("success", "{\"a\":0.10, \"b\" : 1e400}");

    assert_bytes(valid(&draft).payload, "{\"a\":0.10, \"b\" : 1e400}");
}

static void an_empty_value_and_null_are_an_absent_payload(void **state)
{
    (void)state;
    const char *values[] = {NULL, "", "null", " null "};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const struct draft draft = a_reply("success", values[i]);
        assert_null(valid(&draft).payload.data);
    }
}

static void all_five_outcomes_are_known_and_no_other(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum outcome outcome;
    } KNOWN[] = {
        {"success",  OUTCOME_SUCCESS },
        {"failure",  OUTCOME_FAILURE },
        {"retry",    OUTCOME_RETRY   },
        {"progress", OUTCOME_PROGRESS},
        {"pending",  OUTCOME_PENDING }
    };
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        const struct draft draft = a_reply(KNOWN[i].name, NULL);
        assert_int_equal(valid(&draft).outcome, KNOWN[i].outcome);
    }

    const char *unknown[] = {"", "Success", "success ", "ok", "error"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        const struct draft draft = a_reply(unknown[i], NULL);
        assert_malformed(&draft, "ce_sagaoutcome");
    }
}

static void a_reply_without_outcome_is_malformed(void **state)
{
    (void)state;
    const struct draft draft = a_reply(NULL, "{}");

    assert_malformed(&draft, "ce_sagaoutcome is missing");
}

static void a_refusal_carries_its_code_and_problem(void **state)
{
    (void)state;
    struct draft draft = a_reply("failure", "{\"detail\":\"no\"}");
    add(&draft, "ce_sagaerror", "card_declined");

    const struct event event = valid(&draft);

    assert_int_equal(event.outcome, OUTCOME_FAILURE);
    assert_bytes(event.code, "card_declined");
    assert_bytes(event.payload, "{\"detail\":\"no\"}");
}

static void a_missing_or_ill_formed_code_counts_as_failed(void **state)
{
    (void)state;
    char too_long[66] = {0};
    memset(too_long, 'c', 65);
    const char *codes[] = {NULL, "", "Card", "card-declined", "card declined", too_long};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct draft draft = a_reply("failure", NULL);
        if (codes[i] != NULL) add(&draft, "ce_sagaerror", codes[i]);
        assert_bytes(valid(&draft).code, "failed");
    }
}

static void retry_may_state_its_delay(void **state)
{
    (void)state;
    struct draft draft = a_reply("retry", NULL);
    assert_false(valid(&draft).delay_stated);

    add(&draft, "ce_sagaretryafter", "1500ms");

    const struct event event = valid(&draft);
    assert_true(event.delay_stated);
    assert_int_equal(event.delay_ms, 1500);
}

static void a_delay_that_is_none_is_malformed_and_a_long_one_is_taken(void **state)
{
    (void)state;
    const char *delays[] = {"", "soon", "5", "-1s", "1.5"};
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        struct draft draft = a_reply("retry", NULL);
        add(&draft, "ce_sagaretryafter", delays[i]);
        assert_malformed(&draft, "ce_sagaretryafter");
    }
    struct draft day = a_reply("retry", NULL);
    add(&day, "ce_sagaretryafter", "2d"); /* the core cuts it */
    assert_int_equal(valid(&day).delay_ms, 48 * 60 * 60 * 1000);
}

static void a_delay_counts_with_retry_only(void **state)
{
    (void)state;
    struct draft draft = a_reply("success", NULL);
    add(&draft, "ce_sagaretryafter", "soon");

    assert_false(valid(&draft).delay_stated);
}

static void progress_may_carry_a_note_or_none(void **state)
{
    (void)state;
    const struct draft bare = a_reply("progress", NULL);
    const struct draft noted = a_reply("progress", "{\"progress\":0.4}");

    assert_null(valid(&bare).payload.data);
    assert_bytes(valid(&noted).payload, "{\"progress\":0.4}");
}

static void a_value_that_is_no_json_is_malformed_whatever_the_outcome(void **state)
{
    (void)state;
    const char *outcomes[] = {"success", "failure", "retry", "progress", "pending"};
    const char *values[] = {"{",          "no", "{} {}", "\"\xff\"", "[1,]", "{\"a\":1,\"a\":2}",
                            "\"\\ud800\""};
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
            const struct draft draft = a_reply(outcomes[i], values[j]);
            assert_malformed(&draft, "the value is no JSON");
        }
    }
}

static void a_value_may_have_256_kib_and_no_byte_more(void **state)
{
    (void)state;
    char *text = malloc(PAYLOAD_SIZE_MAX + 1);
    memset(text, 'x', PAYLOAD_SIZE_MAX + 1);
    text[0] = text[PAYLOAD_SIZE_MAX - 1] = '"';
    struct draft draft = a_reply("success", NULL);

    draft.value = (struct bytes){text, PAYLOAD_SIZE_MAX};
    assert_int_equal(valid(&draft).payload.size, PAYLOAD_SIZE_MAX);
    text[PAYLOAD_SIZE_MAX - 1] = 'x';
    text[PAYLOAD_SIZE_MAX] = '"';
    draft.value.size++;
    assert_malformed(&draft, "256 KiB");
    free(text);
}

static void a_value_may_be_128_deep_and_no_deeper(void **state)
{
    (void)state;
    char text[2 * (JSON_DEPTH_MAX + 1)];
    struct draft draft = a_reply("success", NULL);

    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    draft.value = (struct bytes){text, 2 * JSON_DEPTH_MAX};
    assert_int_equal(valid(&draft).payload.size, 2 * JSON_DEPTH_MAX);

    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    draft.value.size = sizeof text;
    assert_malformed(&draft, "the value is no JSON");
}

static void a_reply_without_our_token_is_forged(void **state)
{
    (void)state;
    struct draft none = {0}, empty = {0}, damaged = {0};
    add(&none, "ce_sagaoutcome", "success");
    add(&empty, "ce_sagatoken", "");
    add(&empty, "ce_sagaoutcome", "success");
    char text[TOKEN_TEXT_MAX + 1];
    strcpy(text, token_text);
    text[5] = text[5] == 'A' ? 'B' : 'A';
    add(&damaged, "ce_sagatoken", text);
    add(&damaged, "ce_sagaoutcome", "nonsense");

    assert_forged(&none, "missing");
    assert_forged(&empty, "not one of ours");
    assert_forged(&damaged, "not one of ours");
}

static void a_header_that_contradicts_itself_is_not_believed(void **state)
{
    (void)state;
    struct draft two_outcomes = a_reply("success", NULL);
    add(&two_outcomes, "ce_sagaoutcome", "failure");
    struct draft two_tokens = a_reply("success", NULL);
    add(&two_tokens, "ce_sagatoken", "another");
    struct draft the_same_twice = a_reply("success", NULL);
    add(&the_same_twice, "ce_sagaoutcome", "success");
    add(&the_same_twice, "ce_sagatoken", token_text);

    assert_malformed(&two_outcomes, "twice");
    assert_forged(&two_tokens, "twice");
    assert_int_equal(valid(&the_same_twice).outcome, OUTCOME_SUCCESS);
}

static void headers_of_others_are_left_alone(void **state)
{
    (void)state;
    struct draft draft = a_reply("success", NULL);
    add(&draft, "ce_sagatokens", "x");
    add(&draft, "x-trace", "y");
    add(&draft, "ce_sagaerror", NULL);

    assert_int_equal(valid(&draft).outcome, OUTCOME_SUCCESS);
}

static void headers_are_kept_as_json_whatever_bytes_they_hold(void **state)
{
    (void)state;
    const struct bus_header headers[] = {
        {BYTES("plain"),     BYTES("caf\xc3\xa9 \"x\"\\")},
        {BYTES("none"),      {0}                         },
        {BYTES("empty"),     BYTES("")                   },
        {BYTES("nul\n"),     {"a\0b", 3}                 },
        {BYTES("latin\xff"), BYTES("\xe9\xc3")           },
    };
    const struct bus_record record = {.headers = headers, .header_count = 5};

    const struct bytes json = record_headers_json(&record, &arena);

    assert_bytes(json,
                 "[[\"plain\",\"caf\xc3\xa9 \\\"x\\\"\\\\\"],[\"none\",null],[\"empty\",\"\"],"
                 "[\"nul\\n\",\"a\\u0000b\"],[\"latin\xc3\xbf\",\"\xc3\xa9\xc3\x83\"]]");
    const struct json_view *view = NULL;
    struct json_error error;
    assert_true(json_view_parse(json, &arena, &view, &error));
}

static void no_headers_are_an_empty_list(void **state)
{
    (void)state;
    const struct bus_record record = {0};

    assert_bytes(record_headers_json(&record, &arena), "[]");
}

int main(void)
{
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_token_says_which_command_is_answered),
        cmocka_unit_test(payload_bytes_stay_as_they_were),
        cmocka_unit_test(an_empty_value_and_null_are_an_absent_payload),
        cmocka_unit_test(all_five_outcomes_are_known_and_no_other),
        cmocka_unit_test(a_reply_without_outcome_is_malformed),
        cmocka_unit_test(a_refusal_carries_its_code_and_problem),
        cmocka_unit_test(a_missing_or_ill_formed_code_counts_as_failed),
        cmocka_unit_test(retry_may_state_its_delay),
        cmocka_unit_test(a_delay_that_is_none_is_malformed_and_a_long_one_is_taken),
        cmocka_unit_test(a_delay_counts_with_retry_only),
        cmocka_unit_test(progress_may_carry_a_note_or_none),
        cmocka_unit_test(a_value_that_is_no_json_is_malformed_whatever_the_outcome),
        cmocka_unit_test(a_value_may_have_256_kib_and_no_byte_more),
        cmocka_unit_test(a_value_may_be_128_deep_and_no_deeper),
        cmocka_unit_test(a_reply_without_our_token_is_forged),
        cmocka_unit_test(a_header_that_contradicts_itself_is_not_believed),
        cmocka_unit_test(headers_of_others_are_left_alone),
        cmocka_unit_test(headers_are_kept_as_json_whatever_bytes_they_hold),
        cmocka_unit_test(no_headers_are_an_empty_list),
    };
    return cmocka_run_group_tests(tests, given_a_token, release);
}
