/* Another version for a saga under way: what may change, and what has begun stays as it is. */
#include "test_machine_support.h"

#include "sagas/machine/codec.h"
#include "sagas/machine/fold.h"
#include "sagas/machine/migrate.h"

#include <stdlib.h>

#define LINE SAGA(STEP("a") "," STEP("b") "," BARE("c"))

static struct definition *before, *after;

static int leave(void **state)
{
    const bool migrated = stage.definition == after;
    if (migrated) definition_free(before);
    if (!migrated && after != NULL) definition_free(after);
    before = after = NULL;
    return leave_stage(state);
}

#define MIGRATION_TEST(name) cmocka_unit_test_teardown(name, leave)

static void no_hash(const void *data, size_t size, uint8_t ret_hash[DEFINITION_HASH_SIZE])
{
    (void)data;
    (void)size;
    memset(ret_hash, 0, DEFINITION_HASH_SIZE);
}

static struct definition *version_of(const char *text, uint32_t version)
{
    struct definition_report report;
    char *const copy = arena_copy(&stage.memory, text, strlen(text));
    for (char *at = copy; *at != '\0'; at++) {
        if (*at == '\'') *at = '"';
    }
    struct definition *const definition = definition_parse(
        bytes_of(copy), &(struct definition_rules){0}, no_hash, &stage.memory, &report);
    if (definition == NULL) {
        fail_msg("%s: %s", report.errors[0].pointer.data, report.errors[0].detail.data);
        abort();
    }
    definition->version = version;
    return definition;
}

static void given_line(void)
{
    given_started(LINE);
    before = stage.definition;
    before->version = 1;
}

/* Moves as pairs, NULL at the end. */
static enum verdict when_migrated_with(const char *text, const char *const *pairs)
{
    struct step_move moves[8];
    size_t count = 0;
    if (after != NULL) definition_free(after);
    after = version_of(text, 2);
    for (; pairs != NULL && pairs[2 * count] != NULL; count++) {
        moves[count] =
            (struct step_move){bytes_of(pairs[2 * count]), bytes_of(pairs[2 * count + 1])};
    }
    const struct migration migration = {after, moves, count};
    const enum verdict verdict = when((struct event){.kind = EVENT_MIGRATE,
                                                     .step = -1,
                                                     .index = INDEX_NONE,
                                                     .actor = BYTES("key:ops"),
                                                     .reason = BYTES("v2"),
                                                     .migration = &migration});
    if (verdict == VERDICT_APPLIED) stage.definition = after;
    return verdict;
}

static enum verdict when_migrated(const char *text)
{
    return when_migrated_with(text, NULL);
}

static void assert_refused(const char *text, const char *piece)
{
    assert_int_equal(when_migrated(text), VERDICT_ILLEGAL);
    assert_why_names(piece);
    assert_ptr_equal(stage.saga->definition, before);
}

static void what_has_not_begun_may_be_anything(void **state)
{
    (void)state;
    given_line();
    success("a");
    assert_int_equal(when_migrated(SAGA(STEP("a") "," STEP("b") "," STEP("new") "," BARE("d"))),
                     VERDICT_APPLIED);
    assert_ptr_equal(stage.saga->definition, after);
    assert_recorded("\"saga.migrated\"");
    assert_recorded("\"version_before\":1,\"version\":2");
    assert_step("b", STEP_DISPATCHED);
    success("b");
    assert_sent("new");
    success("new");
    assert_sent("d");
    success("d");
    assert_saga(SAGA_SUCCEEDED);
}

static void what_became_possible_is_sent_at_once(void **state)
{
    (void)state;
    given_line();
    assert_int_equal(
        when_migrated(SAGA(STEP("a") "," STEP_AND("beside", "'depends_on':[],") "," STEP("c"))),
        VERDICT_APPLIED);
    assert_sent("beside");
}

static void an_action_that_is_out_stays_what_it_is(void **state)
{
    (void)state;
    given_line();
    assert_refused(
        SAGA("{'id':'a','action':{'topic':'other'},'compensation':{'topic':'u'}}," BARE("c")),
        "step a may have had an effect, and has another action");
    assert_refused(SAGA("{'id':'a','action':{'topic':'a','key':'${input.k}'},'compensation':{'"
                        "topic':'u'}}," BARE("c")),
                   "another action");
    assert_refused(
        SAGA("{'id':'a','action':{'topic':'a'},'compensation':{'topic':'v'}}," BARE("c")),
        "is undone otherwise");
    assert_refused(SAGA("{'id':'a','action':{'topic':'a'},'compensation':null}," BARE("c")),
                   "is undone otherwise");
    assert_refused(SAGA(STEP("b") "," BARE("c")), "is not in that version");
}

static void what_was_done_keeps_its_place(void **state)
{
    (void)state;
    given_line();
    success("a");
    assert_refused(SAGA(STEP("first") "," STEP("a") "," STEP("b") "," BARE("c")),
                   "step a has begun, and depends on other steps");
    assert_refused(SAGA(STEP("a") "," STEP("first") "," STEP("b") "," BARE("c")),
                   "step b has begun, and depends on other steps");
}

static void the_pivot_stays_where_it_is_towards_what_has_begun(void **state)
{
    (void)state;
    given_line();
    success("a");
    assert_refused(SAGA(STEP("a") ",{'id':'b','pivot':true,'action':{'topic':'a'}}," BARE("c")),
                   "towards the pivot");
    assert_int_equal(when_migrated(SAGA(STEP("a") "," STEP(
                         "b") ",{'id':'c','pivot':true,'action':{'topic':'a'}}")),
                     VERDICT_APPLIED);
}

static void a_step_that_was_sent_keeps_its_id(void **state)
{
    (void)state;
    given_line();
    assert_int_equal(when_migrated_with(SAGA(STEP("one") "," STEP("b") "," BARE("c")),
                                        (const char *const[]){"a", "one", NULL}),
                     VERDICT_ILLEGAL);
    assert_why_names("its key is made of its id");
}

static void a_step_that_had_no_effect_may_be_mended(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") "," BARE_AND("b", "'on_failure':'pause',")));
    before = stage.definition;
    before->version = 1;
    success("a");
    failure("b", "no_such_topic");
    assert_true(stage.saga->paused);
    assert_int_equal(
        when_migrated_with(
            SAGA(STEP("a") ",{'id':'bee','on_failure':'pause','action':{'topic':'right'}}"),
            (const char *const[]){"b", "bee", NULL}),
        VERDICT_APPLIED);
    assert_step("bee", STEP_FAILED);
    operator_says_of("retry", "bee");
    assert_sent("bee");
}

static void a_list_that_was_begun_stays_the_same(void **state)
{
    (void)state;
    given_started_with(SAGA(STEP_AND("each", EACH) "," BARE("c")), "[1,2]");
    before = stage.definition;
    before->version = 1;
    assert_refused(SAGA(STEP_AND("each", "'foreach':{'in':'${[1]}'},") "," BARE("c")),
                   "another list");
    assert_refused(
        SAGA(STEP_AND("each", "'foreach':{'in':'${input}','max_items':1},") "," BARE("c")),
        "more items");
    assert_int_equal(when_migrated(SAGA(STEP_AND(
                         "each", "'foreach':{'in':'${input}','concurrency':1},") "," BARE("d"))),
                     VERDICT_APPLIED);
    success("each[0]");
    success("each[1]");
    assert_sent("d");
}

static void a_kept_signal_needs_a_step_that_waits_for_it(void **state)
{
    (void)state;
    given_started(SAGA(STEP("a") ",{'id':'w','signal':{'name':'go'}}"));
    before = stage.definition;
    before->version = 1;
    assert_int_equal(when((struct event){.kind = EVENT_SIGNAL, .step = -1, .name = BYTES("go")}),
                     VERDICT_APPLIED);
    assert_refused(SAGA(STEP("a") ",{'id':'w','signal':{'name':'other'}}"), "keeps a signal");
    assert_int_equal(when_migrated(SAGA(STEP("a") ",{'id':'x','signal':{'name':'go'}}")),
                     VERDICT_APPLIED);
    success("a");
    assert_saga(SAGA_SUCCEEDED);
}

static void a_wait_may_get_another_name(void **state)
{
    (void)state;
    given_started(SAGA("{'id':'w','signal':{'name':'go'}}," BARE("c")));
    before = stage.definition;
    before->version = 1;
    assert_int_equal(when_migrated_with(SAGA("{'id':'v','signal':{'name':'go'}}," BARE("c")),
                                        (const char *const[]){"w", "v", NULL}),
                     VERDICT_APPLIED);
    assert_step("v", STEP_DISPATCHED);
    assert_int_equal(when((struct event){.kind = EVENT_SIGNAL, .step = -1, .name = BYTES("go")}),
                     VERDICT_APPLIED);
    assert_sent("c");
}

static void what_is_over_is_not_migrated(void **state)
{
    (void)state;
    given_line();
    operator_says("terminate");
    assert_refused(LINE, "it is over");
}

static void a_stuck_saga_is_migrated_and_stays_stuck(void **state)
{
    (void)state;
    given_line();
    success("a");
    success("b");
    failure("c", "no");
    failure("b", "cannot");
    assert_saga(SAGA_STUCK);
    assert_int_equal(
        when_migrated(SAGA(STEP("a") ","
                                     "{'id':'b','action':{'topic':'a'},'compensation':{'topic':'u',"
                                     "'input':{'mended':true}}}," BARE("c"))),
        VERDICT_APPLIED);
    assert_saga(SAGA_STUCK);
    assert_error("cannot", "b");
    operator_says("retry");
    assert_sent("undo b");
    assert_non_null(strstr(stage.decision.commands[0].value.data, "mended"));
}

static void bad_moves_are_found(void **state)
{
    (void)state;
    const char *what = NULL;
    const struct step_move ring[] = {
        {BYTES("x"), BYTES("y")},
        {BYTES("a"), BYTES("b")},
        {BYTES("b"), BYTES("a")},
    };
    const struct step_move twice[] = {
        {BYTES("a"), BYTES("c")},
        {BYTES("b"), BYTES("c")},
    };
    const struct step_move chain[] = {
        {BYTES("a"), BYTES("b")},
        {BYTES("b"), BYTES("c")},
        {BYTES("d"), BYTES("d")},
    };
    assert_int_equal(migration_bad_move(ring, 3, &what), 1);
    assert_non_null(strstr(what, "ring"));
    assert_int_equal(migration_bad_move(twice, 2, &what), 1);
    assert_int_equal(migration_bad_move(chain, 3, &what), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MIGRATION_TEST(what_has_not_begun_may_be_anything),
        MIGRATION_TEST(what_became_possible_is_sent_at_once),
        MIGRATION_TEST(an_action_that_is_out_stays_what_it_is),
        MIGRATION_TEST(what_was_done_keeps_its_place),
        MIGRATION_TEST(the_pivot_stays_where_it_is_towards_what_has_begun),
        MIGRATION_TEST(a_step_that_was_sent_keeps_its_id),
        MIGRATION_TEST(a_step_that_had_no_effect_may_be_mended),
        MIGRATION_TEST(a_list_that_was_begun_stays_the_same),
        MIGRATION_TEST(a_kept_signal_needs_a_step_that_waits_for_it),
        MIGRATION_TEST(a_wait_may_get_another_name),
        MIGRATION_TEST(what_is_over_is_not_migrated),
        MIGRATION_TEST(a_stuck_saga_is_migrated_and_stays_stuck),
        MIGRATION_TEST(bad_moves_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
