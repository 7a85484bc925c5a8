/* A saga that was migrated, folded: from that entry on it has the other definition. */
#include "sagas/machine/fold.h"

#include "sagas/machine/migrate.h"
#include "sagas/machine/turn.h"

void fold_versions(struct fold *fold, const struct definition *const *versions, size_t count)
{
    fold->versions = versions;
    fold->version_count = count;
}

struct fold_step *fold_notes(struct arena *arena, const struct definition *definition)
{
    struct fold_step *const steps = arena_array(arena, definition->step_count, sizeof(*steps));
    for (size_t i = 0; i < definition->step_count; i++) {
        steps[i].run = arena_alloc(arena, sizeof(*steps[i].run));
    }
    return steps;
}

static const struct definition *find_version(const struct fold *fold,
                                             const struct json_view *number)
{
    int64_t version = 0;
    if (number == NULL || !json_view_int64(number, &version)) return NULL;
    for (size_t i = 0; i < fold->version_count; i++) {
        if (fold->versions[i]->version == version) return fold->versions[i];
    }
    return NULL;
}

static size_t read_moves(const struct json_view *map, struct arena *arena,
                         struct step_move **ret_moves)
{
    size_t count = 0;
    *ret_moves = arena_array(arena, map == NULL ? 0 : map->count, sizeof(**ret_moves));
    for (const struct json_view *at = map == NULL ? NULL : map->child; at != NULL; at = at->next) {
        if (at->type != VIEW_STRING) continue;
        (*ret_moves)[count++] = (struct step_move){at->key, at->string};
    }
    return count;
}

/* What is noted of the steps moves with them. */
static void move_notes(struct fold *fold, const struct migration_plan *plan)
{
    const struct fold_step *const before = fold->steps;
    fold->steps = fold_notes(fold->saga->arena, plan->to);
    for (int i = 0; i < plan->from->step_count; i++) {
        const int place = migration_place(plan, i);
        if (place >= 0) fold->steps[place] = before[i];
    }
}

const char *fold_version(struct fold *fold, const struct json_view *detail)
{
    struct saga *const saga = fold->saga;
    struct migration_plan plan;
    struct migration_fault faults[MIGRATION_FAULTS_MAX];
    struct step_move *moves = NULL;
    const struct json_view *const number =
        detail == NULL ? NULL : json_view_member(detail, "version");
    const struct json_view *const map =
        detail == NULL ? NULL : json_view_member(detail, "step_map");
    const struct definition *const to = find_version(fold, number);
    if (to == NULL) return " names a version that is not there";
    const size_t count = read_moves(map, saga->arena, &moves);
    if (migration_bad_move(moves, count, &(const char *){0}) >= 0) return " moves steps in a ring";
    migration_plan(saga->definition, to, moves, count, saga->arena, &plan);
    if (migration_check(&plan, saga, faults) > 0) return ": what has begun is another thing there";
    migration_apply(&plan, saga);
    move_notes(fold, &plan);
    return NULL;
}
