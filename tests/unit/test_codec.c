/* A saga as bytes: what goes in comes out, and damage is found. */
#include "sagas/machine/codec.h"
#include "sagas/machine/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STEPS = 3, NOW = 1750000000 };

static const struct foreach EACH = {
    .as = {"item", 4},
      .concurrency = 3, .max_items = 1000
};
static const struct step THE_STEPS[STEPS] = {
    {.id = {"reserve", 7}, .position = 0, .foreach = &EACH},
    {.id = {"charge", 6},                    .position = 1              },
    {.id = {"ship", 4},                    .position = 2  },
};
static const struct definition THE_DEFINITION = {.steps = THE_STEPS, .step_count = STEPS};

static struct arena memory;

static int release(void **state)
{
    (void)state;
    arena_done(&memory);
    return 0;
}

static struct saga_error given_error(const char *code, const char *detail)
{
    struct saga_error error = {.detail = bytes_of(detail)};
    (void)snprintf(error.code, sizeof(error.code), "%s", code);
    return error;
}

static struct saga *given_plain_saga(void);

/* With everything. */
static struct saga *given_saga(void)
{
    struct saga *const saga = given_plain_saga();
    saga->steps[0].run[1].attempts_aside = 3;
    saga->lock = LOCK_HELD;
    saga->lock_key = BYTES("ann");
    saga->signals = arena_array(&memory, 3, sizeof(*saga->signals));
    saga->signals[0] = (struct signal){
        .has_key = true, .key = {1, 2, [SIGNAL_KEY_SIZE - 1] = 3}
    };
    saga->signals[1] = (struct signal){.name = BYTES("go"), .seq = 14};
    saga->signals[2] = (struct signal){.name = BYTES("halt"), .has_key = true, .key = {9}};
    saga->signal_count = saga->signal_room = 3;
    return saga;
}

/* Without what later versions added. */
static struct saga *given_plain_saga(void)
{
    struct saga *const saga = saga_new(&memory, &THE_DEFINITION);
    saga->state = SAGA_STUCK;
    saga->stuck_in = SAGA_COMPENSATING;
    saga->paused = saga->cancel_requested = true;
    saga->attention = ATTENTION_STUCK | ATTENTION_PAUSED;
    saga->revision = 300;
    saga->history_seq = 70000;
    saga->updated_at_ms = NOW;
    saga->started_at_ms = NOW - 5;
    saga->deadline_at_ms = INT64_MAX / 4;
    saga->error = given_error("gone", "nobody knows");
    saga->error_step = BYTES("charge");
    saga->error_op = OP_COMPENSATE;
    saga->cause = given_error("card_declined", NULL);
    saga->cause_step = BYTES("ship");
    saga->paused_by = BYTES("key:ops");
    saga->output_seq = 9;
    saga->steps[0].expanded = true;
    saga->steps[0].count = 2;
    saga->steps[0].run = arena_array(&memory, 2, sizeof(struct step_run));
    saga->steps[0].run[0] = (struct step_run){.state = STEP_READY};
    saga->steps[0].run[1] = (struct step_run){
        .state = STEP_COMPENSATION_FAILED,
        .op = OP_COMPENSATE,
        .attempt = 7,
        .uncounted = 2,
        .unanswered = true,
        .promised = true,
        .bad_reply = true,
        .first_sent_at_ms = NOW - 100,
        .sent_at_ms = 1,
        .deadline_at_ms = NOW + 100,
        .next_attempt_at_ms = INT64_MAX / 2,
        .started_at_ms = -7,
        .finished_at_ms = NOW,
        .output_seq = 12,
        .error = given_error("gateway_down", "\xc3\xa4"),
    };
    saga->steps[1].run[0] = (struct step_run){.state = STEP_DISPATCHED, .attempt = 1};
    return saga;
}

static struct bytes packed(const struct saga *saga)
{
    struct buffer buffer = buffer_in(&memory);
    saga_pack(saga, &buffer);
    return buffer_bytes(&buffer);
}

static struct saga *unpacked(struct bytes bytes)
{
    struct saga *const saga = saga_new(&memory, &THE_DEFINITION);
    const char *what = NULL;
    return saga_unpack(saga, bytes, &what) ? saga : NULL;
}

/* A body that carries the right checksum, so that only its meaning can be wrong. */
static struct bytes sealed(const unsigned char *body, size_t size)
{
    struct buffer buffer = buffer_in(&memory);
    uint32_t sum = 2166136261U;
    buffer_add(&buffer, body, size);
    for (size_t i = 0; i < size; i++) {
        sum = (sum ^ body[i]) * 16777619U;
    }
    for (unsigned i = 0; i < 4; i++) {
        buffer_add_char(&buffer, (char)(unsigned char)(sum >> (8 * i)));
    }
    return buffer_bytes(&buffer);
}

static void assert_same_run(const struct step_run *a, const struct step_run *b)
{
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->op, b->op);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->uncounted, b->uncounted);
    assert_int_equal(a->attempts_aside, b->attempts_aside);
    assert_int_equal(a->unanswered, b->unanswered);
    assert_int_equal(a->promised, b->promised);
    assert_int_equal(a->bad_reply, b->bad_reply);
    assert_int_equal(a->first_sent_at_ms, b->first_sent_at_ms);
    assert_int_equal(a->sent_at_ms, b->sent_at_ms);
    assert_int_equal(a->deadline_at_ms, b->deadline_at_ms);
    assert_int_equal(a->next_attempt_at_ms, b->next_attempt_at_ms);
    assert_int_equal(a->started_at_ms, b->started_at_ms);
    assert_int_equal(a->finished_at_ms, b->finished_at_ms);
    assert_int_equal(a->output_seq, b->output_seq);
    assert_string_equal(a->error.code, b->error.code);
    assert_true(bytes_equal(a->error.detail, b->error.detail));
}

/* It failed before it was sent, and is to be reached again. */
static void a_run_that_waits_anew_keeps_what_happened_to_it(void **state)
{
    (void)state;
    struct saga *const before = saga_new(&memory, &THE_DEFINITION);
    before->updated_at_ms = NOW;
    before->steps[1].run[0].error = given_error("expression_error", "no such thing");
    before->steps[1].run[0].finished_at_ms = NOW - 1;

    const struct saga *const after = unpacked(packed(before));

    assert_non_null(after);
    assert_same_run(&before->steps[1].run[0], &after->steps[1].run[0]);
}

static void every_packed_field_comes_back(void **state)
{
    (void)state;
    const struct saga *const before = given_saga();

    const struct saga *const after = unpacked(packed(before));

    assert_non_null(after);
    assert_int_equal(after->state, SAGA_STUCK);
    assert_int_equal(after->stuck_in, SAGA_COMPENSATING);
    assert_true(after->paused && after->cancel_requested && !after->paused_by_timeout);
    assert_int_equal(after->attention, before->attention);
    assert_int_equal(after->revision, 300);
    assert_int_equal(after->lock, LOCK_HELD);
    assert_true(bytes_equal_text(after->lock_key, "ann"));
    assert_int_equal(after->history_seq, 70000);
    assert_int_equal(after->updated_at_ms, NOW);
    assert_int_equal(after->started_at_ms, NOW - 5);
    assert_int_equal(after->finished_at_ms, 0);
    assert_int_equal(after->deadline_at_ms, INT64_MAX / 4);
    assert_string_equal(after->error.code, "gone");
    assert_true(bytes_equal_text(after->error.detail, "nobody knows"));
    assert_true(bytes_equal_text(after->error_step, "charge"));
    assert_int_equal(after->error_op, OP_COMPENSATE);
    assert_string_equal(after->cause.code, "card_declined");
    assert_true(bytes_equal_text(after->cause_step, "ship"));
    assert_true(bytes_equal_text(after->paused_by, "key:ops"));
    assert_int_equal(after->output_seq, 9);
    for (size_t i = 0; i < STEPS; i++) {
        assert_int_equal(after->steps[i].count, before->steps[i].count);
        assert_int_equal(after->steps[i].expanded, before->steps[i].expanded);
        for (uint32_t k = 0; k < before->steps[i].count; k++) {
            assert_same_run(&after->steps[i].run[k], &before->steps[i].run[k]);
        }
    }
}

static void signals_come_back_and_their_payloads_too(void **state)
{
    (void)state;
    const struct saga *const before = given_saga();
    struct saga *const after = unpacked(packed(before));

    saga_attach(after, 14, BYTES("{\"a\":0.10}"), (struct bytes){0});

    assert_int_equal(after->signal_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(bytes_equal(after->signals[i].name, before->signals[i].name));
        assert_int_equal(after->signals[i].has_key, before->signals[i].has_key);
        assert_memory_equal(after->signals[i].key, before->signals[i].key, SIGNAL_KEY_SIZE);
    }
    assert_true(bytes_equal_text(after->signals[1].payload, "{\"a\":0.10}"));
    assert_null(after->signals[2].payload.data);
}

static void what_was_packed_before_there_were_signals_reads_back(void **state)
{
    (void)state;
    static const unsigned char OLD[] = {
        /* clang-format off */
        0x01, 0x7d, 0x05, 0x02, 0x18, 0xac, 0x02, 0xf0, 0xa2, 0x04, 0x81, 0x86,
        0xf7, 0x84, 0x0d, 0x0a, 0x00, 0xff, 0xf9, 0x88, 0xfb, 0xf2, 0xff, 0xff,
        0xff, 0x3f, 0x04, 0x67, 0x6f, 0x6e, 0x65, 0x0c, 0x6e, 0x6f, 0x62, 0x6f,
        0x64, 0x79, 0x20, 0x6b, 0x6e, 0x6f, 0x77, 0x73, 0x06, 0x63, 0x68, 0x61,
        0x72, 0x67, 0x65, 0x01, 0x0d, 0x63, 0x61, 0x72, 0x64, 0x5f, 0x64, 0x65,
        0x63, 0x6c, 0x69, 0x6e, 0x65, 0x64, 0x00, 0x04, 0x73, 0x68, 0x69, 0x70,
        0x00, 0x07, 0x6b, 0x65, 0x79, 0x3a, 0x6f, 0x70, 0x73, 0x09, 0x02, 0x07,
        0x72, 0x65, 0x73, 0x65, 0x72, 0x76, 0x65, 0x05, 0x01, 0x9a, 0xff, 0x1f,
        0x07, 0x02, 0x0c, 0x0c, 0x67, 0x61, 0x74, 0x65, 0x77, 0x61, 0x79, 0x5f,
        0x64, 0x6f, 0x77, 0x6e, 0x02, 0xc3, 0xa4, 0xc8, 0x01, 0xfe, 0x85, 0xf7,
        0x84, 0x0d, 0xc9, 0x01, 0xff, 0xf9, 0x88, 0xfb, 0xf2, 0xff, 0xff, 0xff,
        0x7f, 0x8e, 0x86, 0xf7, 0x84, 0x0d, 0x01, 0x06, 0x63, 0x68, 0x61, 0x72,
        0x67, 0x65, 0x02, 0x82, 0x00, 0x01, 0x49, 0xb5, 0x73, 0xf5
        /* clang-format on */
    };
    const struct bytes old = {(const char *)OLD, sizeof(OLD)};

    assert_true(bytes_equal(packed(given_plain_saga()), old));
    assert_non_null(unpacked(old));
}

static void a_fresh_saga_is_small(void **state)
{
    (void)state;
    assert_true(packed(saga_new(&memory, &THE_DEFINITION)).size < 20);
}

static void an_empty_foreach_keeps_its_one_run(void **state)
{
    (void)state;
    struct saga *const saga = saga_new(&memory, &THE_DEFINITION);
    saga->steps[0].expanded = true;
    saga->steps[0].count = 0;
    saga->steps[0].run[0].state = STEP_SUCCEEDED;

    const struct saga *const after = unpacked(packed(saga));

    assert_non_null(after);
    assert_int_equal(after->steps[0].count, 0);
    assert_int_equal(after->steps[0].run[0].state, STEP_SUCCEEDED);
}

static void any_damaged_byte_is_found(void **state)
{
    (void)state;
    const struct bytes good = packed(given_saga());
    for (size_t i = 0; i < good.size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            char *const bad = arena_copy(&memory, good.data, good.size);
            bad[i] = (char)(unsigned char)((unsigned char)bad[i] ^ 1U << bit);
            assert_null(unpacked((struct bytes){bad, good.size}));
        }
    }
}

static void any_cut_is_found(void **state)
{
    (void)state;
    const struct bytes good = packed(given_saga());
    for (size_t size = 0; size < good.size; size++) {
        assert_null(unpacked((struct bytes){good.data, size}));
    }
    assert_null(unpacked((struct bytes){0}));
}

static void nonsense_with_a_right_checksum_does_no_harm(void **state)
{
    (void)state;
    const struct bytes good = packed(given_saga());
    uint64_t random = 42;
    for (int round = 0; round < 20000; round++) {
        unsigned char body[512];
        const size_t size = good.size - 4;
        memcpy(body, good.data, size);
        for (uint64_t changes = 1 + random_next(&random) % 4; changes > 0; changes--) {
            body[random_next(&random) % size] = (unsigned char)random_next(&random);
        }
        struct arena arena = {0};
        struct saga *const saga = saga_new(&arena, &THE_DEFINITION);
        const char *what = NULL;
        if (saga_unpack(saga, sealed(body, size), &what)) {
            (void)packed(saga);
        } else {
            assert_non_null(what);
        }
        arena_done(&arena);
    }
}

static void a_newer_format_is_refused_by_name(void **state)
{
    (void)state;
    const unsigned char newer[] = {SAGA_PACK_FORMAT + 1, 0, 0};
    const char *what = NULL;

    assert_false(
        saga_unpack(saga_new(&memory, &THE_DEFINITION), sealed(newer, sizeof(newer)), &what));

    assert_string_equal(what, "the format is newer than this program");
}

static void a_step_that_the_definition_does_not_have_is_refused(void **state)
{
    (void)state;
    static const struct step OTHER[] = {{.id = {"refund", 6}}};
    static const struct definition ANOTHER = {.steps = OTHER, .step_count = 1};
    struct saga *const saga = saga_new(&memory, &ANOTHER);
    saga->steps[0].run[0].state = STEP_SUCCEEDED;
    const char *what = NULL;

    assert_false(saga_unpack(saga_new(&memory, &THE_DEFINITION), packed(saga), &what));

    assert_string_equal(what, "it names a step that its definition does not have");
}

static void steps_are_found_by_id_whatever_their_position(void **state)
{
    (void)state;
    static const struct step TURNED[] = {{.id = {"ship", 4}}, {.id = {"charge", 6}}};
    static const struct definition ANOTHER = {.steps = TURNED, .step_count = 2};
    struct saga *const saga = saga_new(&memory, &ANOTHER);
    saga->steps[0].run[0].state = STEP_SUCCEEDED;
    saga->steps[1].run[0].state = STEP_SKIPPED;

    const struct saga *const after = unpacked(packed(saga));

    assert_non_null(after);
    assert_int_equal(after->steps[1].run[0].state, STEP_SKIPPED);
    assert_int_equal(after->steps[2].run[0].state, STEP_SUCCEEDED);
}

static void payloads_come_back_to_the_rows_that_hold_them(void **state)
{
    (void)state;
    struct saga *const saga = unpacked(packed(given_saga()));

    saga_attach(saga, 12, BYTES("{\"a\":0.10}"), (struct bytes){0});
    saga_attach(saga, 9, BYTES("{\"title\":\"no\"}"), BYTES("[1]"));

    assert_true(bytes_equal_text(saga->steps[0].run[1].output, "{\"a\":0.10}"));
    assert_null(saga->steps[0].run[0].output.data);
    assert_true(bytes_equal_text(saga->output, "[1]"));
}

static void names_read_back(void **state)
{
    (void)state;
    for (enum saga_state at = SAGA_PENDING; at < SAGA_STATE_COUNT; at++) {
        enum saga_state found = SAGA_STATE_COUNT;
        assert_true(saga_state_parse(bytes_of(saga_state_name(at)), &found));
        assert_int_equal(found, at);
    }
    enum saga_state none = SAGA_PENDING;
    assert_false(saga_state_parse(BYTES("runnin"), &none));
    enum attention attention = ATTENTION_HELD;
    assert_true(attention_parse(BYTES("no_handler"), &attention));
    assert_int_equal(attention, ATTENTION_NO_HANDLER);
    assert_false(attention_parse(BYTES(""), &attention));
    struct buffer text = buffer_in(&memory);
    attention_write(&text, ATTENTION_STUCK | ATTENTION_RETRYING);
    assert_string_equal(text.data, "[\"retrying\",\"stuck\"]");
    enum outcome outcome = OUTCOME_SUCCESS;
    assert_true(outcome_parse(BYTES("pending"), &outcome));
    assert_int_equal(outcome, OUTCOME_PENDING);
    assert_false(outcome_parse(BYTES("done"), &outcome));
    assert_string_equal(event_kind_name(EVENT_STEP_SKIP), "skip");
    assert_string_equal(verdict_name(VERDICT_LATE), "late");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packed_field_comes_back),
        cmocka_unit_test(a_run_that_waits_anew_keeps_what_happened_to_it),
        cmocka_unit_test(signals_come_back_and_their_payloads_too),
        cmocka_unit_test(what_was_packed_before_there_were_signals_reads_back),
        cmocka_unit_test(a_fresh_saga_is_small),
        cmocka_unit_test(an_empty_foreach_keeps_its_one_run),
        cmocka_unit_test(any_damaged_byte_is_found),
        cmocka_unit_test(any_cut_is_found),
        cmocka_unit_test(nonsense_with_a_right_checksum_does_no_harm),
        cmocka_unit_test(a_newer_format_is_refused_by_name),
        cmocka_unit_test(a_step_that_the_definition_does_not_have_is_refused),
        cmocka_unit_test(steps_are_found_by_id_whatever_their_position),
        cmocka_unit_test(payloads_come_back_to_the_rows_that_hold_them),
        cmocka_unit_test(names_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
