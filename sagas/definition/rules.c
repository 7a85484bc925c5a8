/*
 * sagas/definition/rules.c
 *   What only the whole definition can tell.
 *
 * Undo or say that there is none: a step whose effect may have to be taken back says how. After
 * the pivot nothing is taken back. (contracts, section 1)
 */
#include "sagas/definition/draft.h"

#include <assert.h>

enum { GAPS_COUNTED_MAX = 10000 };

/* ---- pivot ---- */

static void find_pivot(struct draft *draft)
{
    struct definition *definition = draft->definition;
    definition->pivot = -1;
    for (size_t i = 0; i < draft->step_count; i++) {
        if (!draft->steps[i].pivot) continue;
        if (definition->pivot < 0) {
            definition->pivot = (int)i;
            continue;
        }
        problems_error(&draft->problems, draft->step_drafts[i].pivot,
                       "a saga has at most one pivot, and step `%s` is it; keep one of them",
                       shown_text(draft->steps[definition->pivot].id).text);
    }
    for (size_t i = 0; i < draft->step_count && definition->pivot >= 0; i++) {
        draft->steps[i].after_pivot =
            graph_is_above(&draft->graph, i, (size_t)definition->pivot) && !draft->steps[i].pivot;
    }
}

static void check_pivot_itself(struct draft *draft, size_t i)
{
    if (draft->steps[i].undo == UNDO_COMMAND) {
        problems_warning(&draft->problems, draft->step_drafts[i].compensation,
                         "the pivot is never undone: this is kept and never sent; leave "
                         "`compensation` out");
    }
    if (draft->steps[i].on_failure == ON_FAILURE_IGNORE) {
        problems_error(&draft->problems, draft->step_drafts[i].on_failure,
                       "the pivot decides whether the saga goes forward, so its failure cannot be "
                       "ignored; leave `on_failure` out");
    }
}

static void check_after_pivot(struct draft *draft, size_t i)
{
    const struct step *step = &draft->steps[i];
    if (step->undo == UNDO_COMMAND) {
        problems_error(&draft->problems, draft->step_drafts[i].compensation,
                       "this step comes after the pivot, where nothing is undone; leave "
                       "`compensation` out");
    }
    if (step->on_failure_stated && step->on_failure == ON_FAILURE_COMPENSATE) {
        problems_error(&draft->problems, draft->step_drafts[i].on_failure,
                       "this step comes after the pivot, where nothing is undone; leave "
                       "`on_failure` out (it is retried, then the saga is stuck), or write "
                       "\"ignore\" or \"pause\"");
    }
}

/* ---- undo ---- */

/* A step whose failure turns the saga to undo, and that may fail after `step` succeeded; -1: none.
 */
static int can_fail_after(const struct draft *draft, size_t step)
{
    for (size_t other = 0; other < draft->step_count; other++) {
        if (other == step || graph_is_above(&draft->graph, step, other)) continue;
        if (draft->steps[other].after_pivot) continue;
        if (draft->steps[other].on_failure != ON_FAILURE_IGNORE) return (int)other;
    }
    return -1;
}

static void warn_of_stuck(struct draft *draft, const struct step_draft *step)
{
    if (step->step->foreach != NULL) {
        problems_warning(&draft->problems, step->view,
                         "no `compensation`: when one item is refused after others succeeded, the "
                         "saga is stuck and an operator decides");
    } else if (!step->step->pivot) {
        problems_warning(&draft->problems, step->view,
                         "no `compensation`: when the outcome stays unknown the saga is stuck and "
                         "an operator decides; \"compensation\": null says that there is nothing "
                         "to undo");
    }
}

static void check_undo(struct draft *draft, size_t i)
{
    const struct step *step = &draft->steps[i];
    if (step->undo != UNDO_UNDECLARED || step->after_pivot) return;
    if (draft->step_drafts[i].kinds[STEP_ACTION] == NULL) return;
    const int other = step->pivot ? -1 : can_fail_after(draft, i);
    if (other >= 0) {
        problems_error(&draft->problems, draft->step_drafts[i].view,
                       "step `%s` can fail after this one succeeded, so say how to undo it; add "
                       "`compensation`, or \"compensation\": null when there is nothing to undo",
                       shown_text(draft->steps[other].id).text);
    } else if (step->on_failure != ON_FAILURE_IGNORE) {
        warn_of_stuck(draft, &draft->step_drafts[i]);
    }
}

/* ---- unknown outcomes ---- */

static void check_unknown(struct draft *draft, size_t i)
{
    const struct step *step = &draft->steps[i];
    const struct step_draft *found = &draft->step_drafts[i];
    const struct json_view *stated = found->probe != NULL ? found->probe : found->on_unknown;
    if (stated == NULL) return;
    if (step_only_waits(step)) {
        problems_error(&draft->problems, stated,
                       "the outcome of a signal or a delay is always known; leave `%s` out",
                       found->probe != NULL ? "probe" : "on_unknown");
    } else if (found->probe != NULL && step->on_unknown != ON_UNKNOWN_PROBE) {
        problems_error(&draft->problems, found->probe,
                       "a probe is only sent where the step says so; add \"on_unknown\": "
                       "\"probe\", or leave `probe` out");
    } else if (found->probe == NULL && step->on_unknown == ON_UNKNOWN_PROBE) {
        problems_error(&draft->problems, found->on_unknown,
                       "there is nothing to probe with; add `probe`, the command that asks whether "
                       "the action was done");
    } else if (found->probe != NULL && !bytes_equal(step->probe->topic, step->action.topic)) {
        problems_warning(&draft->problems, found->probe,
                         "goes by another topic than the action and may overtake it; a participant "
                         "that answers `failure` must refuse the action from then on");
    }
}

/* ---- horizon ---- */

/* All waits between `attempts` attempts, jitter at its longest; never more than it really is. */
static double gaps_ms(const struct retry_policy *retry)
{
    double total = 0;
    double gap = (double)retry->initial_ms;
    const double most = (double)retry->max_ms;
    uint32_t left = retry->max_attempts - 1;
    for (int i = 0; left > 0 && i < GAPS_COUNTED_MAX && gap < most; i++, left--) {
        total += gap;
        gap *= retry->multiplier;
    }
    return total + (double)left * (gap < most ? gap : most);
}

static void check_horizon(struct draft *draft, size_t i)
{
    const struct json_view *view = draft->step_drafts[i].kinds[STEP_ACTION];
    const struct send *action = &draft->steps[i].action;
    const struct retry_policy *retry = &action->retry;
    const uint64_t deadline_ms = draft->definition->timeout_ms;
    if (view == NULL || deadline_ms == 0) return;
    if (retry->max_elapsed_ms > deadline_ms) {
        problems_error(&draft->problems, view,
                       "its attempts may go on for %s (`max_elapsed`), longer than the saga's "
                       "timeout of %s; shorten the one or raise the other",
                       shown_duration(retry->max_elapsed_ms).text,
                       shown_duration(deadline_ms).text);
    }
    if (retry->max_elapsed_ms > 0 || retry->max_attempts == 0) return;
    const double horizon_ms =
        (double)retry->max_attempts * (double)action->timeout_ms + gaps_ms(retry);
    if (horizon_ms <= (double)deadline_ms) return;
    const uint64_t shown_ms = horizon_ms < 1e15 ? (uint64_t)horizon_ms : UINT64_C(1000000000000000);
    problems_error(&draft->problems, view,
                   "its %u attempts of %s and the waits between them may take %s, longer than the "
                   "saga's timeout of %s; lower `max_attempts` or `timeout`, set `max_elapsed`, or "
                   "raise the saga's timeout",
                   retry->max_attempts, shown_duration(action->timeout_ms).text,
                   shown_duration(shown_ms).text, shown_duration(deadline_ms).text);
}

/* A wait that is known now. */
static void check_wait(struct draft *draft, size_t i)
{
    const struct step *step = &draft->steps[i];
    const uint64_t deadline_ms = draft->definition->timeout_ms;
    uint64_t waits_ms = 0;
    if (step->kind == STEP_DELAY) waits_ms = step->delay->for_ms;
    if (step->kind == STEP_SIGNAL) waits_ms = step->signal->timeout_ms;
    if (deadline_ms == 0 || waits_ms <= deadline_ms) return;
    problems_error(&draft->problems, draft->step_drafts[i].kinds[step->kind],
                   "it may wait for %s, longer than the saga's timeout of %s; shorten the one or "
                   "raise the other",
                   shown_duration(waits_ms).text, shown_duration(deadline_ms).text);
}

/* ---- all ---- */

static void check_when(struct draft *draft, size_t i)
{
    const struct expression *when = draft->steps[i].when;
    if (when == NULL || !expression_is_constant_false(when)) return;
    problems_error(&draft->problems, draft->step_drafts[i].when,
                   "is never true, so the step can never run; remove the step or mend the "
                   "condition");
}

void check_rules(struct draft *draft)
{
    find_pivot(draft);
    for (size_t i = 0; i < draft->step_count; i++) {
        check_when(draft, i);
        check_horizon(draft, i);
        check_wait(draft, i);
        check_unknown(draft, i);
        if (draft->steps[i].pivot) check_pivot_itself(draft, i);
        if (draft->steps[i].after_pivot) check_after_pivot(draft, i);
        if (draft->graph.sound) check_undo(draft, i);
    }
}
