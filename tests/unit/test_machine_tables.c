/* The two tables: every cell is looked at, and the diagram in the README says the same. */
#include "sagas/base/arena.h"
#include "sagas/machine/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Where the README is: ctest says it. */
static const char *readme_path(void)
{
    const char *const path = getenv("SAGA_MACHINE_README");
    return path == NULL ? "sagas/machine/README.md" : path;
}

/* ---- every cell ---- */

static const char *const TYPES[] = {
    "",
    "saga.started",
    "saga.lock_queued",
    "saga.lock_granted",
    "saga.succeeded",
    "saga.compensating",
    "saga.compensated",
    "saga.stuck",
    "saga.terminated",
    "saga.paused",
    "saga.resumed",
    "saga.cancel_requested",
    "saga.overdue",
    "step.ready",
    "step.dispatched",
    "step.retry_scheduled",
    "step.succeeded",
    "step.failed",
    "step.unknown",
    "step.skipped",
    "step.progress",
    "step.pending",
};

static bool is_type(const char *entry)
{
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        if (strcmp(entry, TYPES[i]) == 0) return true;
    }
    return false;
}

static void every_cell_is_empty_or_names_an_entry_of_the_history(void **state)
{
    (void)state;
    for (enum saga_state at = SAGA_PENDING; at < SAGA_STATE_COUNT; at++) {
        for (enum saga_event event = SAGA_GO; event < SAGA_EVENT_COUNT; event++) {
            const struct saga_transition cell = saga_transition(at, event);
            if (cell.entry == NULL) continue;
            assert_true(is_type(cell.entry));
            assert_true(cell.after < SAGA_STATE_COUNT);
            if (cell.after != at) assert_true(cell.entry[0] != '\0');
        }
    }
    for (enum step_state at = STEP_WAITING; at < STEP_STATE_COUNT; at++) {
        for (enum run_event event = RUN_REACHED; event < RUN_EVENT_COUNT; event++) {
            const struct run_transition cell = run_transition(at, event);
            if (cell.entry == NULL) continue;
            assert_true(is_type(cell.entry));
            assert_true(cell.after < STEP_STATE_COUNT);
        }
    }
}

static bool saga_ends_here(enum saga_state at)
{
    for (enum saga_event event = SAGA_GO; event < SAGA_EVENT_COUNT; event++) {
        if (saga_transition(at, event).entry != NULL) return false;
    }
    return true;
}

static bool run_ends_here(enum step_state at)
{
    for (enum run_event event = RUN_REACHED; event < RUN_EVENT_COUNT; event++) {
        if (run_transition(at, event).entry != NULL) return false;
    }
    return true;
}

static void only_what_has_ended_has_no_way_out(void **state)
{
    (void)state;
    for (enum saga_state at = SAGA_PENDING; at < SAGA_STATE_COUNT; at++) {
        assert_int_equal(saga_ends_here(at), saga_is_finished(at));
    }
    for (enum step_state at = STEP_WAITING; at < STEP_STATE_COUNT; at++) {
        const bool settled =
            at == STEP_SKIPPED || at == STEP_COMPENSATED || at == STEP_COMPENSATION_SKIPPED;
        assert_int_equal(run_ends_here(at), settled);
    }
}

static void only_an_operator_or_the_end_of_trouble_leaves_stuck(void **state)
{
    (void)state;
    for (enum saga_event event = SAGA_GO; event < SAGA_EVENT_COUNT; event++) {
        const struct saga_transition cell = saga_transition(SAGA_STUCK, event);
        if (cell.entry == NULL || cell.after == SAGA_STUCK) continue;
        assert_true(event == SAGA_UNBLOCKED_AHEAD || event == SAGA_UNBLOCKED_BACK ||
                    event == SAGA_TERMINATE);
    }
}

static void some_events_are_never_legal(void **state)
{
    (void)state;
    static const enum saga_event NEVER[] = {SAGA_CANCEL_PAST_PIVOT, SAGA_PAUSE_PAUSED,
                                            SAGA_RESUME_UNPAUSED, SAGA_RETRY_NOTHING};
    for (enum saga_state at = SAGA_PENDING; at < SAGA_STATE_COUNT; at++) {
        for (size_t i = 0; i < sizeof(NEVER) / sizeof(NEVER[0]); i++) {
            assert_null(saga_transition(at, NEVER[i]).entry);
        }
    }
}

static void an_undone_or_undoing_step_never_goes_forward_again(void **state)
{
    (void)state;
    static const enum step_state BACK[] = {STEP_COMPENSATING, STEP_COMPENSATED,
                                           STEP_COMPENSATION_FAILED, STEP_COMPENSATION_SKIPPED};
    for (size_t i = 0; i < sizeof(BACK) / sizeof(BACK[0]); i++) {
        for (enum run_event event = RUN_REACHED; event < RUN_EVENT_COUNT; event++) {
            const struct run_transition cell = run_transition(BACK[i], event);
            if (cell.entry != NULL) assert_true(cell.after >= STEP_COMPENSATING);
        }
    }
}

static void refused_and_skipped_steps_are_never_undone(void **state)
{
    (void)state;
    static const enum step_state NOT_DONE[] = {STEP_WAITING, STEP_READY, STEP_FAILED, STEP_SKIPPED};
    for (size_t i = 0; i < sizeof(NOT_DONE) / sizeof(NOT_DONE[0]); i++) {
        for (enum run_event event = RUN_UNDO_SENT; event < RUN_EVENT_COUNT; event++) {
            assert_null(run_transition(NOT_DONE[i], event).entry);
        }
    }
}

/* ---- the diagram ---- */

static void draw_saga(struct buffer *text, enum saga_state at)
{
    for (enum saga_event event = SAGA_GO; event < SAGA_EVENT_COUNT; event++) {
        const struct saga_transition cell = saga_transition(at, event);
        if (cell.entry == NULL || cell.after == at) continue;
        buffer_add_format(text, "%-13s --- %s ---> %s\n", saga_state_name(at),
                          saga_event_name(event), saga_state_name(cell.after));
    }
}

/* One line a state: what may follow. */
static void draw_run(struct buffer *text, enum step_state at)
{
    const char *separator = " ---> ";
    bool drawn[STEP_STATE_COUNT] = {false};
    drawn[at] = true;
    buffer_add_format(text, "%-20s", step_state_name(at));
    for (enum run_event event = RUN_REACHED; event < RUN_EVENT_COUNT; event++) {
        const struct run_transition cell = run_transition(at, event);
        if (cell.entry == NULL || drawn[cell.after]) continue;
        drawn[cell.after] = true;
        buffer_add_text(text, separator);
        buffer_add_text(text, step_state_name(cell.after));
        separator = " | ";
    }
    buffer_add_text(text, run_ends_here(at) ? " .\n" : "\n");
}

static struct bytes diagram(struct arena *arena)
{
    struct buffer text = buffer_in(arena);
    buffer_add_text(&text, "```\n");
    for (enum saga_state at = SAGA_PENDING; at < SAGA_STATE_COUNT; at++) {
        draw_saga(&text, at);
    }
    buffer_add_char(&text, '\n');
    for (enum step_state at = STEP_WAITING; at < STEP_STATE_COUNT; at++) {
        draw_run(&text, at);
    }
    buffer_add_text(&text, "```\n");
    return buffer_bytes(&text);
}

static struct bytes file_text(struct arena *arena)
{
    char part[4096];
    struct buffer text = buffer_in(arena);
    FILE *const file = fopen(readme_path(), "r");
    if (file == NULL) fail_msg("cannot read %s", readme_path());
    for (size_t got = 1; got > 0;) {
        got = fread(part, 1, sizeof(part), file);
        buffer_add(&text, part, got);
    }
    (void)fclose(file);
    return buffer_bytes(&text);
}

static void the_readme_has_the_diagram_of_the_tables(void **state)
{
    (void)state;
    struct arena arena = {0};
    const struct bytes wanted = diagram(&arena);
    const struct bytes found = file_text(&arena);
    if (strstr(found.data, wanted.data) == NULL) {
        (void)printf("%s", wanted.data);
        fail_msg("%s is out of date; its diagram should be the one above", readme_path());
    }
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_is_empty_or_names_an_entry_of_the_history),
        cmocka_unit_test(only_what_has_ended_has_no_way_out),
        cmocka_unit_test(only_an_operator_or_the_end_of_trouble_leaves_stuck),
        cmocka_unit_test(some_events_are_never_legal),
        cmocka_unit_test(an_undone_or_undoing_step_never_goes_forward_again),
        cmocka_unit_test(refused_and_skipped_steps_are_never_undone),
        cmocka_unit_test(the_readme_has_the_diagram_of_the_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
