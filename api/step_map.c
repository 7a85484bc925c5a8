#include "api/step_map.h"

#include "api/server.h"
#include "orchestrator/engine/registry.h"

static struct bytes pointer_of(struct refusal *refusal, struct bytes step)
{
    struct buffer pointer = buffer_in(refusal->arena);
    buffer_add_text(&pointer, "/step_map");
    json_pointer_add(&pointer, step);
    return buffer_bytes(&pointer);
}

bool step_map_read(struct refusal *refusal, const struct json_view *view, struct step_map *ret_map)
{
    const char *what = NULL;
    bool right = true;
    *ret_map = (struct step_map){0};
    if (view == NULL) return true;
    if (view->count > DEFINITION_STEPS_MAX) {
        return refuse_at(refusal, BYTES("/step_map"), "at most %d steps", DEFINITION_STEPS_MAX);
    }
    ret_map->moves = arena_array(refusal->arena, view->count, sizeof(*ret_map->moves));
    for (const struct json_view *at = view->child; at != NULL; at = at->next) {
        if (at->type != VIEW_STRING) {
            right = refuse_at(refusal, pointer_of(refusal, at->key), "must be the id of a step");
            continue;
        }
        ret_map->moves[ret_map->count++] = (struct step_move){at->key, at->string};
    }
    if (!right) return false;
    const int bad = migration_bad_move(ret_map->moves, ret_map->count, &what);
    return bad < 0 ||
           refuse_at(refusal, pointer_of(refusal, ret_map->moves[bad].before), "%s", what);
}

/* How many of the moved steps are known once this version is looked at. */
static size_t find_known(const struct step_map *map, const struct definition *definition,
                         bool *known)
{
    size_t count = 0;
    for (size_t i = 0; i < map->count; i++) {
        known[i] |= definition_find_step(definition, map->moves[i].before) >= 0;
        count += known[i];
    }
    return count;
}

/* The first move of a step that no version of that name has; `ret` NULL: there is none. */
static bool find_unknown(struct exchange *exchange, struct store *store, const struct step_map *map,
                         const struct definition *to, const struct step_move **ret_move,
                         struct err *err)
{
    struct registry *const registry = exchange->api->registry;
    struct registered each;
    *ret_move = NULL;
    if (!registry_by_name(registry, store, to->name, 0, &each, err)) {
        return err->kind == ERR_NOT_FOUND;
    }
    bool *const known = arena_array(&exchange->arena, map->count, sizeof(*known));
    uint32_t version = each.definition->version;
    while (find_known(map, each.definition, known) < map->count && --version > 0) {
        if (!registry_by_name(registry, store, to->name, version, &each, err)) return false;
    }
    for (size_t i = 0; i < map->count && *ret_move == NULL; i++) {
        if (!known[i]) *ret_move = &map->moves[i];
    }
    return true;
}

bool step_map_fits(struct exchange *exchange, struct store *store, const struct step_map *map,
                   const struct definition *to, bool *ret_failed, struct err *err)
{
    struct refusal *const refusal = &exchange->refusal;
    const struct step_move *unknown = NULL;
    bool right = true;
    *ret_failed = false;
    for (size_t i = 0; i < map->count; i++) {
        const struct step_move *const move = &map->moves[i];
        if (definition_find_step(to, move->after) >= 0) continue;
        right = refuse_at(refusal, pointer_of(refusal, move->before),
                          "names a step that the next version does not have");
    }
    if (!right || map->count == 0) return right;
    if (!find_unknown(exchange, store, map, to, &unknown, err)) {
        *ret_failed = true;
        return false;
    }
    return unknown == NULL || refuse_at(refusal, pointer_of(refusal, unknown->before),
                                        "no version of the definition has this step");
}
