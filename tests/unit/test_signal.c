/*
 * tests/unit/test_signal.c
 *   Which records of the signal topic are signals, and what they say.
 */
#include "orchestrator/bus/signal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEADERS_MAX = 8 };

static const char ID[] = "0190a0b0-1111-7222-8333-444455556666";
static struct arena arena;

/* A signal under construction. */
struct draft {
    struct bus_header headers[HEADERS_MAX];
    size_t count;
    struct bytes value;
};

static void set(struct draft *draft, const char *name, struct bytes value)
{
    size_t i = 0;
    while (i < draft->count && !bytes_equal_text(draft->headers[i].name, name)) {
        i++;
    }
    assert_true(i < HEADERS_MAX);
    draft->headers[i] = (struct bus_header){bytes_of(name), value};
    if (i == draft->count) draft->count++;
}

static struct draft a_signal(const char *value)
{
    struct draft draft = {.value = bytes_of(value)};
    set(&draft, "ce_type", BYTES("approved"));
    set(&draft, "ce_subject", bytes_of(ID));
    set(&draft, "ce_id", BYTES("mail-17"));
    set(&draft, "ce_source", BYTES("/orders"));
    return draft;
}

static bool read_draft(const struct draft *draft, struct signal_record *ret_signal)
{
    const struct bus_record record = {.topic = BYTES("blue.saga.signals"),
                                      .partition = 3,
                                      .offset = 12345678901,
                                      .value = draft->value,
                                      .headers = draft->headers,
                                      .header_count = draft->count};
    return signal_read(&record, &arena, ret_signal);
}

static struct event valid(const struct draft *draft)
{
    struct signal_record signal;
    assert_true(read_draft(draft, &signal));
    assert_null(signal.what);
    assert_int_equal(signal.event.kind, EVENT_SIGNAL);
    return signal.event;
}

static void assert_malformed(const struct draft *draft, const char *what)
{
    struct signal_record signal;
    assert_false(read_draft(draft, &signal));
    if (strstr(signal.what, what) == NULL) fail_msg("\"%s\", not \"%s\"", signal.what, what);
}

static void assert_bytes(struct bytes actual, const char *expected)
{
    assert_int_equal(actual.size, strlen(expected));
    assert_memory_equal(actual.data, expected, actual.size);
}

static int release(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void headers_say_which_saga_which_signal_and_which_key(void **state)
{
    (void)state;
    const struct draft draft = a_signal("{\"by\":\"ann\", \"n\":0.10}");
    struct signal_record signal;

    assert_true(read_draft(&draft, &signal));

    char text[UUID_TEXT_SIZE];
    uuid_print(&signal.saga_id, text);
    assert_string_equal(text, ID);
    assert_bytes(signal.event.name, "approved");
    assert_bytes(signal.event.key, "mail-17");
    assert_bytes(signal.event.payload, "{\"by\":\"ann\", \"n\":0.10}");
    assert_int_equal(signal.event.step, -1);
    assert_int_equal(signal.event.index, INDEX_NONE);
}

static void the_history_learns_who_says_to_have_sent_it_and_which_record_it_was(void **state)
{
    (void)state;
    struct draft draft = a_signal(NULL);
    assert_bytes(valid(&draft).actor, "kafka:/orders");
    assert_bytes(valid(&draft).reason, "blue.saga.signals/3/12345678901");

    set(&draft, "ce_source", BYTES("\xff\xfe"));
    assert_bytes(valid(&draft).actor, "kafka");
    set(&draft, "ce_source", (struct bytes){0});
    assert_bytes(valid(&draft).actor, "kafka");
}

static void a_key_is_known_by_the_same_digest_wherever_it_comes_from(void **state)
{
    (void)state;
    const struct draft draft = a_signal(NULL);
    struct event by_request = {0};
    const struct event by_record = valid(&draft);

    signal_set_key(&by_request, BYTES("mail-17"));
    assert_memory_equal(by_record.key_digest, by_request.key_digest, SIGNAL_KEY_SIZE);
    signal_set_key(&by_request, BYTES("mail-18"));
    assert_memory_not_equal(by_record.key_digest, by_request.key_digest, SIGNAL_KEY_SIZE);
}

static void an_empty_value_and_null_are_an_absent_payload(void **state)
{
    (void)state;
    static const char *const VALUES[] = {NULL, "", "null", " null "};
    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
        const struct draft draft = a_signal(VALUES[i]);
        assert_null(valid(&draft).payload.data);
    }
}

static void what_has_to_be_there_is_named_where_it_is_not(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"ce_type", "ce_subject", "ce_id"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        struct draft draft = a_signal("{}");
        set(&draft, NAMES[i], (struct bytes){0});
        assert_malformed(&draft, NAMES[i]);
        if (strcmp(NAMES[i], "ce_subject") != 0) {
            set(&draft, NAMES[i], BYTES(""));
            assert_malformed(&draft, NAMES[i]);
        }
        draft = a_signal("{}");
        draft.headers[draft.count++] = (struct bus_header){bytes_of(NAMES[i]), BYTES("other")};
        assert_malformed(&draft, "there twice");
    }
}

static void a_subject_is_a_sagas_id_and_nothing_else(void **state)
{
    (void)state;
    static const char *const SUBJECTS[] = {"", "x", "0190a0b0-1111-7222-8333-44445555666",
                                           "0190a0b0-1111-7222-8333-4444555566667",
                                           "{0190a0b0-1111-7222-8333-444455556666}"};
    for (size_t i = 0; i < sizeof SUBJECTS / sizeof SUBJECTS[0]; i++) {
        struct draft draft = a_signal("{}");
        set(&draft, "ce_subject", bytes_of(SUBJECTS[i]));
        assert_malformed(&draft, "ce_subject is no id of a saga");
    }
}

static void a_key_is_a_text_of_at_most_255_bytes(void **state)
{
    (void)state;
    char long_text[SIGNAL_ID_SIZE_MAX + 1];
    memset(long_text, 'k', sizeof long_text);
    struct draft draft = a_signal("{}");

    set(&draft, "ce_id", (struct bytes){long_text, SIGNAL_ID_SIZE_MAX});
    assert_int_equal(valid(&draft).key.size, SIGNAL_ID_SIZE_MAX);
    set(&draft, "ce_id", (struct bytes){long_text, sizeof long_text});
    assert_malformed(&draft, "ce_id is no text");
    set(&draft, "ce_id", BYTES("a\0b"));
    assert_malformed(&draft, "ce_id is no text");
    set(&draft, "ce_id", BYTES("\xc3\x28"));
    assert_malformed(&draft, "ce_id is no text");
    set(&draft, "ce_id", BYTES("\xc3\xa4 \xe2\x82\xac"));
    assert_int_equal(valid(&draft).key.size, 6);
}

static void a_value_that_is_no_json_or_too_large_is_malformed(void **state)
{
    (void)state;
    static char large[PAYLOAD_SIZE_MAX + 2];
    memset(large, ' ', sizeof large - 1);
    large[0] = '1';
    static const char *const VALUES[] = {"{", "{\"a\":1,\"a\":2}", "\xff", "1 2"};
    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
        const struct draft draft = a_signal(VALUES[i]);
        assert_malformed(&draft, "the value is no JSON");
    }
    const struct draft draft = a_signal(large);
    assert_malformed(&draft, "larger than 256 KiB");
}

static void the_topic_tells_signals_from_replies(void **state)
{
    (void)state;
    static const struct {
        const char *topic;
        bool is_signal;
    } TOPICS[] = {
        {"saga.signals",      true },
        {"blue.saga.signals", true },
        {"saga.replies",      false},
        {"aga.signals",       false},
        {"saga.signals.",     false},
        {"",                  false},
    };
    for (size_t i = 0; i < sizeof TOPICS / sizeof TOPICS[0]; i++) {
        const struct bus_record record = {.topic = bytes_of(TOPICS[i].topic)};
        assert_int_equal(signal_is_one(&record), TOPICS[i].is_signal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_say_which_saga_which_signal_and_which_key),
        cmocka_unit_test(the_history_learns_who_says_to_have_sent_it_and_which_record_it_was),
        cmocka_unit_test(a_key_is_known_by_the_same_digest_wherever_it_comes_from),
        cmocka_unit_test(an_empty_value_and_null_are_an_absent_payload),
        cmocka_unit_test(what_has_to_be_there_is_named_where_it_is_not),
        cmocka_unit_test(a_subject_is_a_sagas_id_and_nothing_else),
        cmocka_unit_test(a_key_is_a_text_of_at_most_255_bytes),
        cmocka_unit_test(a_value_that_is_no_json_or_too_large_is_malformed),
        cmocka_unit_test(the_topic_tells_signals_from_replies),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
