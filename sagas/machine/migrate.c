#include "sagas/machine/migrate.h"

#include "sagas/machine/turn.h"

#include <assert.h>
#include <stdio.h>

struct step_plan {
    int place;          /* position in the next version; -1: it has none */
    bool renamed;       /* its id is another one */
    const char *shape;  /* why nothing that has begun can go on as that; NULL: it can */
    const char *effect; /* why nothing that may have had an effect can; NULL: it can */
    uint32_t items_max; /* of the next version's foreach */
    bool same_signal;   /* it waits for the same one, or for none */
};

/* ---- comparing two steps ---- */

struct comparison {
    const struct step *before, *after;
    const struct json_view *before_text, *after_text; /* as written */
    const struct step_plan *steps;                    /* places */
};

static const struct json_view *step_text(const struct json_view *root, struct bytes id)
{
    const struct json_view *const steps = json_view_member(root, "steps");
    for (const struct json_view *at = steps == NULL ? NULL : steps->child; at != NULL;
         at = at->next) {
        const struct json_view *const name = json_view_member(at, "id");
        if (name != NULL && bytes_equal(name->string, id)) return at;
    }
    return NULL;
}

static struct bytes text_at(const struct json_view *step, const char *object, const char *name)
{
    const struct json_view *const inner = step == NULL ? NULL : json_view_member(step, object);
    const struct json_view *const member =
        inner == NULL || inner->type != VIEW_OBJECT ? NULL : json_view_member(inner, name);
    if (member == NULL) return (struct bytes){0};
    return member->type == VIEW_STRING ? member->string : member->text;
}

static bool is_written_alike(const struct comparison *pair, const char *object, const char *name)
{
    return bytes_equal(text_at(pair->before_text, object, name),
                       text_at(pair->after_text, object, name));
}

static bool is_same_send(const struct comparison *pair, const char *object,
                         const struct send *before, const struct send *after)
{
    return bytes_equal(before->topic, after->topic) && bytes_equal(before->type, after->type) &&
           is_written_alike(pair, object, "key");
}

static bool is_same_probe(const struct comparison *pair)
{
    const struct send *const before = pair->before->probe;
    const struct send *const after = pair->after->probe;
    if (before == NULL || after == NULL) return before == after;
    return is_same_send(pair, "probe", before, after);
}

/* Needs are without doubles: as many, and each of them there. */
static bool is_same_place(const struct comparison *pair)
{
    const struct step *const before = pair->before;
    const struct step *const after = pair->after;
    if (before->need_count != after->need_count) return false;
    for (size_t i = 0; i < before->need_count; i++) {
        bool found = false;
        for (size_t k = 0; k < after->need_count; k++) {
            found |= pair->steps[before->needs[i]].place == after->needs[k];
        }
        if (!found) return false;
    }
    return true;
}

static bool is_same_foreach(const struct comparison *pair)
{
    if ((pair->before->foreach == NULL) != (pair->after->foreach == NULL)) return false;
    return is_written_alike(pair, "foreach", "in") && is_written_alike(pair, "foreach", "as");
}

static const char *compare_shape(const struct comparison *pair)
{
    const struct step *const before = pair->before;
    const struct step *const after = pair->after;
    if (before->kind != after->kind) return "has begun, and is of another kind";
    if (!is_same_foreach(pair)) return "has begun, and goes over another list";
    if (!is_same_place(pair)) return "has begun, and depends on other steps";
    if (before->pivot != after->pivot || before->after_pivot != after->after_pivot) {
        return "has begun, and stands elsewhere towards the pivot";
    }
    return NULL;
}

static const char *compare_effect(const struct comparison *pair)
{
    const struct step *const before = pair->before;
    const struct step *const after = pair->after;
    if (before->kind == STEP_ACTION &&
        !is_same_send(pair, "action", &before->action, &after->action)) {
        return "may have had an effect, and has another action";
    }
    if (before->undo != after->undo ||
        (before->undo == UNDO_COMMAND &&
         !is_same_send(pair, "compensation", &before->compensation, &after->compensation))) {
        return "may have had an effect, and is undone otherwise";
    }
    return is_same_probe(pair) ? NULL : "may have had an effect, and is probed otherwise";
}

/* ---- the plan ---- */

static struct bytes moved_to(struct bytes id, const struct step_move *moves, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(moves[i].before, id)) return moves[i].after;
    }
    return id;
}

/* Another step moves there, so one of that id that does not move has no place. */
static bool is_taken(struct bytes id, const struct step_move *moves, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(moves[i].after, id)) return true;
    }
    return false;
}

static bool is_moved(struct bytes id, const struct step_move *moves, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(moves[i].before, id)) return true;
    }
    return false;
}

static void compare_step(const struct migration_plan *plan, const struct json_view *from,
                         const struct json_view *to, size_t position, struct step_plan *steps)
{
    struct step_plan *const step = &steps[position];
    const struct step *const before = &plan->from->steps[position];
    if (step->place < 0) return;
    const struct step *const after = &plan->to->steps[step->place];
    const struct comparison pair = {
        .before = before,
        .after = after,
        .before_text = step_text(from, before->id),
        .after_text = step_text(to, after->id),
        .steps = steps,
    };
    step->renamed = !bytes_equal(before->id, after->id);
    step->shape = compare_shape(&pair);
    step->effect = step->shape == NULL ? compare_effect(&pair) : NULL;
    step->items_max = after->foreach == NULL ? 0 : after->foreach->max_items;
    step->same_signal = before->signal == NULL || after->signal == NULL ||
                        bytes_equal(before->signal->name, after->signal->name);
}

static const struct json_view *view_of(const struct definition *definition, struct arena *arena)
{
    const struct json_view *view = NULL;
    struct json_error error;
    const bool read = json_view_parse(definition->source, arena, &view, &error);
    assert(read); /* it was compiled */
    return view;
}

void migration_plan(const struct definition *from, const struct definition *to,
                    const struct step_move *moves, size_t move_count, struct arena *arena,
                    struct migration_plan *ret_plan)
{
    struct step_plan *const steps = arena_array(arena, from->step_count, sizeof(*steps));
    *ret_plan = (struct migration_plan){.from = from, .to = to, .steps = steps};
    for (size_t i = 0; i < from->step_count; i++) {
        const struct bytes id = from->steps[i].id;
        const bool stays = !is_moved(id, moves, move_count);
        steps[i].place = stays && is_taken(id, moves, move_count)
                             ? -1
                             : definition_find_step(to, moved_to(id, moves, move_count));
    }
    const struct json_view *const before = view_of(from, arena);
    const struct json_view *const after = view_of(to, arena);
    for (size_t i = 0; i < from->step_count; i++) {
        compare_step(ret_plan, before, after, i, steps);
    }
}

int migration_place(const struct migration_plan *plan, int position)
{
    return plan->steps[position].place;
}

/* ---- one saga ---- */

static bool has_begun(const struct step_runs *runs)
{
    if (runs->expanded) return true;
    const struct step_run *const run = &runs->run[0];
    return run->attempt > 0 || (run->state != STEP_WAITING && run->state != STEP_READY);
}

/* It failed or was skipped: nothing of it is anywhere. */
static bool is_without_effect(const struct step *step, const struct step_run *run)
{
    const bool unsent = run->state == STEP_WAITING || run->state == STEP_READY;
    if (run->state == STEP_FAILED || run->state == STEP_SKIPPED) return true;
    if (unsent && run->attempt == 0) return true;
    return step_only_waits(step) && (step->undo != UNDO_COMMAND || run->state == STEP_DISPATCHED);
}

static bool may_have_effect(const struct step *step, const struct step_runs *runs)
{
    for (uint32_t i = 0; i < runs->count; i++) {
        if (!is_without_effect(step, &runs->run[i])) return true;
    }
    return false;
}

/* A wait that goes on has to be for the same. */
static bool waits_for_another(const struct step_plan *plan, const struct step_runs *runs)
{
    for (uint32_t i = 0; i < runs->count; i++) {
        if (runs->run[i].state == STEP_DISPATCHED && !plan->same_signal) return true;
    }
    return false;
}

static bool any_goes_on(const struct step_runs *runs)
{
    for (uint32_t i = 0; i < runs->count; i++) {
        if (runs->run[i].state == STEP_DISPATCHED) return true;
    }
    return false;
}

static const char *check_step(const struct step *step, const struct step_plan *plan,
                              const struct step_runs *runs)
{
    if (!has_begun(runs)) return NULL;
    const bool effect = may_have_effect(step, runs);
    if (plan->place < 0) {
        if (effect) return "may have had an effect, and is not in that version";
        return any_goes_on(runs) ? "waits, and is not in that version" : NULL;
    }
    if (plan->shape != NULL) return plan->shape;
    if (runs->expanded && runs->count > plan->items_max) {
        return "has more items than that version allows";
    }
    if (waits_for_another(plan, runs)) return "waits for a signal of another name";
    if (!effect) return NULL;
    if (plan->renamed) return "may have had an effect, and its key is made of its id";
    return plan->effect;
}

static const char *check_saga(const struct migration_plan *plan, const struct saga *saga)
{
    if (saga_is_finished(saga->state)) return "it is over";
    if (plan->from == plan->to) return "it has that version already";
    if (plan->from->version == 0) return "an inline definition has no further versions";
    if (!bytes_equal(plan->from->name, plan->to->name)) return "that is another definition";
    for (uint32_t i = 0; i < saga->signal_count; i++) {
        const struct bytes name = saga->signals[i].name;
        if (name.data != NULL && !definition_waits_for(plan->to, name)) {
            return "it keeps a signal that no step of that version waits for";
        }
    }
    return NULL;
}

size_t migration_check(const struct migration_plan *plan, const struct saga *saga,
                       struct migration_fault ret_faults[MIGRATION_FAULTS_MAX])
{
    size_t count = 0;
    const char *const whole = check_saga(plan, saga);
    assert(saga->definition == plan->from);
    if (whole != NULL) ret_faults[count++] = (struct migration_fault){.detail = whole};
    for (size_t i = 0; i < plan->from->step_count && count < MIGRATION_FAULTS_MAX; i++) {
        const struct step *const step = &plan->from->steps[i];
        const char *const fault = check_step(step, &plan->steps[i], &saga->steps[i]);
        if (fault != NULL) ret_faults[count++] = (struct migration_fault){step->id, fault};
    }
    return count;
}

/* ---- the change ---- */

static void move_blame(const struct migration_plan *plan, struct bytes *step)
{
    const int before = step->data == NULL ? -1 : definition_find_step(plan->from, *step);
    if (before < 0 || plan->steps[before].place < 0) return;
    *step = plan->to->steps[plan->steps[before].place].id;
}

void migration_apply(const struct migration_plan *plan, struct saga *saga)
{
    const struct step_runs *const before = saga->steps;
    struct saga *const fresh = saga_new(saga->arena, plan->to);
    for (size_t i = 0; i < plan->from->step_count; i++) {
        if (plan->steps[i].place < 0 || !has_begun(&before[i])) continue;
        fresh->steps[plan->steps[i].place] = before[i];
    }
    saga->steps = fresh->steps;
    saga->definition = plan->to;
    move_blame(plan, &saga->error_step);
    move_blame(plan, &saga->cause_step);
}

/* ---- moves ---- */

static bool is_ring(const int *next, size_t count, int first)
{
    int at = next[first];
    for (size_t n = 0; n < count && at >= 0 && at != first; n++) {
        at = next[at];
    }
    return at == first && next[first] != first;
}

int migration_bad_move(const struct step_move *moves, size_t count, const char **ret_what)
{
    int next[DEFINITION_STEPS_MAX];
    assert(count <= DEFINITION_STEPS_MAX);
    for (size_t i = 0; i < count; i++) {
        next[i] = -1;
        for (size_t k = 0; k < count; k++) {
            *ret_what = "another step is moved there, too";
            if (k < i && bytes_equal(moves[i].after, moves[k].after)) return (int)i;
            if (bytes_equal(moves[k].before, moves[i].after)) next[i] = (int)k;
        }
    }
    *ret_what = "the moves run in a ring";
    for (size_t i = 0; i < count; i++) {
        if (is_ring(next, count, (int)i)) return (int)i;
    }
    return -1;
}

/* ---- the event ---- */

static struct bytes map_text(const struct migration *migration, struct arena *arena)
{
    struct buffer map = buffer_in(arena);
    buffer_add_char(&map, '{');
    for (size_t i = 0; i < migration->move_count; i++) {
        if (i > 0) buffer_add_char(&map, ',');
        json_write_string(&map, migration->moves[i].before);
        buffer_add_char(&map, ':');
        json_write_string(&map, migration->moves[i].after);
    }
    buffer_add_char(&map, '}');
    return buffer_bytes(&map);
}

static enum verdict refuse(struct turn *turn, const struct migration_fault *fault)
{
    const bool of_step = fault->step.data != NULL;
    (void)snprintf(turn->decision->why, sizeof(turn->decision->why),
                   "migrate to version %u is not allowed: %s%.*s%s%s. Allowed now: to go on under "
                   "version %u.",
                   turn->event->migration->to->version, of_step ? "step " : "",
                   (int)fault->step.size, of_step ? fault->step.data : "", of_step ? " " : "",
                   fault->detail, turn->saga->definition->version);
    return VERDICT_ILLEGAL;
}

enum verdict take_migrate(struct turn *turn)
{
    const struct migration *const migration = turn->event->migration;
    struct saga *const saga = turn->saga;
    struct migration_plan plan;
    struct migration_fault faults[MIGRATION_FAULTS_MAX];
    migration_plan(saga->definition, migration->to, migration->moves, migration->move_count,
                   turn->context->arena, &plan);
    if (migration_check(&plan, saga, faults) > 0) return refuse(turn, &faults[0]);
    record(turn, "operator.command", NULL,
           &(struct detail){.verb = BYTES("migrate"), .reason = turn->event->reason});
    record(turn, "saga.migrated", NULL,
           &(struct detail){.migrates = true,
                            .version_before = plan.from->version,
                            .version = plan.to->version,
                            .step_map = map_text(migration, turn->context->arena)});
    migration_apply(&plan, saga);
    turn->changed = true;
    return VERDICT_APPLIED;
}
