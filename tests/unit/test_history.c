/* Entries of the history as people read them. */
#include "sagas/machine/history_entry.h"
#include "sagas/machine/machine.h"
#include "sagas/machine/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct arena memory;

static int release(void **state)
{
    (void)state;
    arena_done(&memory);
    return 0;
}

static const char *shown(struct bytes packed)
{
    struct buffer json = buffer_in(&memory);
    const char *what = NULL;
    assert_true(history_write_json(packed, &json, &what));
    return json.data;
}

static const char *refused(struct bytes packed)
{
    struct buffer json = buffer_in(&memory);
    const char *what = NULL;
    assert_false(history_write_json(packed, &json, &what));
    assert_non_null(what);
    return what;
}

/* An entry that has every member. */
static struct buffer everything(void)
{
    struct buffer packed = buffer_in(&memory);
    pack_number(&packed, HISTORY_FORMAT);
    pack_number(&packed, 0);
    pack_number(&packed, (1U << MEMBER_COUNT) - 1);
    for (unsigned i = 0; i < MEMBER_COUNT; i++) {
        switch (HISTORY_MEMBERS[i].kind) {
        case MEMBER_IS_TEXT: pack_bytes(&packed, BYTES("\"t\"")); break;
        case MEMBER_IS_JSON: pack_bytes(&packed, BYTES("0.10")); break;
        case MEMBER_IS_NUMBER: pack_number(&packed, 300); break;
        case MEMBER_IS_DIRECTION: pack_number(&packed, OP_COMPENSATE); break;
        case MEMBER_IS_TIME: pack_number(&packed, 1700000000123); break;
        case MEMBER_IS_TRUE: break;
        }
    }
    return packed;
}

static void every_member_is_shown_under_its_name(void **state)
{
    (void)state;
    const struct buffer packed = everything();

    assert_string_equal(
        shown(buffer_bytes(&packed)),
        "[{\"type\":\"step.dispatched\",\"step\":\"\\\"t\\\"\",\"index\":300,\"op\":\"compensate\","
        "\"attempt\":300,\"actor\":\"\\\"t\\\"\",\"detail\":{\"verb\":\"\\\"t\\\"\","
        "\"outcome\":\"\\\"t\\\"\",\"reason\":\"\\\"t\\\"\",\"code\":\"\\\"t\\\"\","
        "\"detail\":\"\\\"t\\\"\",\"progress\":0.10,\"message\":\"\\\"t\\\"\","
        "\"state\":\"\\\"t\\\"\",\"paused\":true,\"again\":true,\"stated\":true,\"items\":300,"
        "\"delay_ms\":300,\"next_attempt_at\":\"2023-11-14T22:13:20.123Z\","
        "\"deadline_at\":\"2023-11-14T22:13:20.123Z\",\"start_at\":\"2023-11-14T22:13:20.123Z\","
        "\"name\":\"\\\"t\\\"\",\"key\":\"\\\"t\\\"\","
        "\"forked_from\":\"\\\"t\\\"\",\"from_step\":\"\\\"t\\\"\","
        "\"version_before\":300,\"version\":300,\"step_map\":0.10,\"effect\":0.10}}]");
}

static void what_is_about_the_saga_is_found_behind_every_member(void **state)
{
    (void)state;
    struct buffer packed = everything();
    struct buffer damaged = buffer_in(&memory);
    pack_number(&damaged, HISTORY_FORMAT);
    pack_number(&damaged, 0);
    pack_number(&damaged, 1U << MEMBER_STEP);
    pack_number(&damaged, 100);

    assert_false(history_tells_of_saga(buffer_bytes(&packed)));
    pack_number(&packed, 2); /* saga.created */
    pack_number(&packed, 0);
    assert_true(history_tells_of_saga(buffer_bytes(&packed)));
    assert_true(history_tells_of_saga(buffer_bytes(&damaged)));
}

static void types_are_known_by_their_whole_name(void **state)
{
    (void)state;

    assert_true(history_knows_type(BYTES("saga.terminated")));
    assert_true(history_knows_type(BYTES("step.dispatched")));
    assert_false(history_knows_type(BYTES("saga.terminate")));
    assert_false(history_knows_type(BYTES("")));
}

static void entries_follow_each_other(void **state)
{
    (void)state;
    struct buffer packed = buffer_in(&memory);
    pack_number(&packed, HISTORY_FORMAT);
    pack_number(&packed, 2);
    pack_number(&packed, 0);
    pack_number(&packed, 3);
    pack_number(&packed, 0);

    assert_string_equal(shown(buffer_bytes(&packed)),
                        "[{\"type\":\"saga.created\"},{\"type\":\"saga.started\"}]");
}

static void rows_from_before_entries_were_packed_are_shown_as_they_are(void **state)
{
    (void)state;

    assert_string_equal(shown(BYTES("[{\"type\":\"saga.created\"}]")),
                        "[{\"type\":\"saga.created\"}]");
}

static void what_is_cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    const struct buffer packed = everything();

    for (size_t size = 2; size < packed.size; size++) {
        (void)refused((struct bytes){packed.data, size});
    }
}

static void what_a_newer_program_wrote_is_refused(void **state)
{
    (void)state;

    assert_string_equal(refused(BYTES("\x02")), "the format is newer than this program");
    assert_string_equal(refused(BYTES("\x01\x3f\x00")), "no such type of entry");
    assert_string_equal(refused(BYTES("\x01\x00\xff\xff\xff\xff\x0f")), "no such member");
    (void)refused(BYTES(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_member_is_shown_under_its_name, release),
        cmocka_unit_test_teardown(what_is_about_the_saga_is_found_behind_every_member, release),
        cmocka_unit_test_teardown(types_are_known_by_their_whole_name, release),
        cmocka_unit_test_teardown(entries_follow_each_other, release),
        cmocka_unit_test_teardown(rows_from_before_entries_were_packed_are_shown_as_they_are,
                                  release),
        cmocka_unit_test_teardown(what_is_cut_off_anywhere_is_refused, release),
        cmocka_unit_test_teardown(what_a_newer_program_wrote_is_refused, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
