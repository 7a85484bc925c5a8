/*
 * api/batch_migrate.c
 *   A batch that migrates: to a version of which definition, and by which steps.
 */
#include "api/batch_read.h"
#include "api/results.h"
#include "api/server.h"
#include "orchestrator/engine/registry.h"

#include <string.h>

/* False with *ret_name absent: there is none to be found. */
static bool find_name(struct exchange *exchange, struct store *store, const struct batch_wish *wish,
                      struct bytes *ret_name, struct err *err)
{
    const struct definition *definition = NULL;
    struct saga_row row = {0};
    struct uuid first;
    *ret_name = (struct bytes){0};
    if (wish->sagas.definition_count == 1) {
        *ret_name = wish->sagas.definitions[0];
        return true;
    }
    if (wish->batch.sample.size < sizeof(first)) return true;
    memcpy(&first, wish->batch.sample.data, sizeof(first));
    if (!store_load(store, &first, 1, &exchange->arena, &row, err)) return false;
    if (!row.found) return true;
    if (!registry_by_id(exchange->api->registry, store, row.definition_id, &definition, err)) {
        return false;
    }
    *ret_name = definition->name;
    return true;
}

static void write_migration(struct batch_wish *wish, const struct definition *to,
                            struct arena *arena)
{
    struct buffer text = buffer_in(arena);
    buffer_add_text(&text, "{\"definition\":");
    json_write_string(&text, to->name);
    buffer_add_format(&text, ",\"version\":%u,\"step_map\":{", to->version);
    for (size_t i = 0; i < wish->map.count; i++) {
        if (i > 0) buffer_add_char(&text, ',');
        json_write_string(&text, wish->map.moves[i].before);
        buffer_add_char(&text, ':');
        json_write_string(&text, wish->map.moves[i].after);
    }
    buffer_add_text(&text, "}}");
    wish->batch.output = buffer_bytes(&text);
}

bool batch_plan_migration(struct exchange *exchange, struct store *store, struct batch_wish *wish)
{
    struct refusal *const refusal = &exchange->refusal;
    struct registered found;
    struct bytes name;
    bool failed = false;
    struct err err;
    if (!find_name(exchange, store, wish, &name, &err)) {
        (void)exchange_failed(exchange, &err, PROBLEM_DEFINITION_NOT_FOUND);
        return false;
    }
    if (name.data == NULL) {
        (void)refuse_at(refusal, wish->source.ids != NULL ? BYTES("/ids") : BYTES("/filter"),
                        "finds no saga that tells which definition is meant; a filter may name one "
                        "`definition`");
        (void)exchange_refused(exchange);
        return false;
    }
    const bool is_known =
        registry_by_name(exchange->api->registry, store, name, wish->version, &found, &err);
    if (is_known && step_map_fits(exchange, store, &wish->map, found.definition, &failed, &err)) {
        write_migration(wish, found.definition, &exchange->arena);
        return true;
    }
    if (failed || (!is_known && err.kind != ERR_NOT_FOUND)) {
        (void)exchange_failed(exchange, &err, PROBLEM_DEFINITION_NOT_FOUND);
        return false;
    }
    if (!is_known) (void)refuse_at(refusal, BYTES("/version"), "names no registered version");
    (void)exchange_refused(exchange);
    return false;
}
