#include "orchestrator/engine/registry.h"

#include "orchestrator/base/clock.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1024, NEWEST_KEPT_MS = 1000 };

struct known {
    struct definition *definition;
    struct known *next;
};

/* What was last read of a name (version 0: the newest) from PostgreSQL. */
struct answer_kept {
    struct bytes name; /* owned */
    uint32_t version;
    struct registered registered;
    int64_t read_at_ms;
    struct answer_kept *next;
};

/* An inline definition by its very bytes: the same text is not parsed and stored again. */
struct inline_kept {
    uint8_t hash[DEFINITION_HASH_SIZE];
    const struct definition *definition; /* NULL: free */
};

struct registry {
    pthread_mutex_t lock; /* guards the lists; definitions themselves never change */
    struct known *by_id[SLOTS];
    struct answer_kept *by_name[SLOTS];
    struct inline_kept by_source[SLOTS]; /* the last one of each slot */
    char *topics_allow;
    struct definition_rules rules;
};

struct registry *registry_new(const struct definition_rules *rules)
{
    struct registry *registry = calloc(1, sizeof *registry);
    if (registry == NULL) abort();
    pthread_mutex_init(&registry->lock, NULL);
    if (rules->topics_allow != NULL) {
        registry->topics_allow = strdup(rules->topics_allow);
        if (registry->topics_allow == NULL) abort();
    }
    registry->rules.topics_allow = registry->topics_allow;
    return registry;
}

void registry_free(struct registry *registry)
{
    if (registry == NULL) return;
    for (size_t i = 0; i < SLOTS; i++) {
        while (registry->by_id[i] != NULL) {
            struct known *known = registry->by_id[i];
            registry->by_id[i] = known->next;
            definition_free(known->definition);
            free(known);
        }
        while (registry->by_name[i] != NULL) {
            struct answer_kept *kept = registry->by_name[i];
            registry->by_name[i] = kept->next;
            free((char *)(uintptr_t)kept->name.data);
            free(kept);
        }
    }
    free(registry->topics_allow);
    pthread_mutex_destroy(&registry->lock);
    free(registry);
}

static void hash_content(const void *data, size_t size, uint8_t ret_hash[DEFINITION_HASH_SIZE])
{
    crypto_generichash(ret_hash, DEFINITION_HASH_SIZE, data, size, NULL, 0);
}

static size_t slot_of_name(struct bytes name)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < name.size; i++) {
        hash = (hash ^ (uint8_t)name.data[i]) * 16777619U;
    }
    return hash % SLOTS;
}

/* ---- by id ---- */

static const struct definition *find_id(struct registry *registry, int64_t id)
{
    const struct definition *found = NULL;
    pthread_mutex_lock(&registry->lock);
    for (struct known *at = registry->by_id[(size_t)id % SLOTS]; at != NULL; at = at->next) {
        if (at->definition->stored_id == id) found = at->definition;
    }
    pthread_mutex_unlock(&registry->lock);
    return found;
}

/* Takes the definition over; another thread may have been faster, then its own one is used. */
static const struct definition *keep(struct registry *registry, struct definition *definition)
{
    struct known **slot = &registry->by_id[(size_t)definition->stored_id % SLOTS];
    pthread_mutex_lock(&registry->lock);
    struct known *known = *slot;
    while (known != NULL && known->definition->stored_id != definition->stored_id) {
        known = known->next;
    }
    const bool there = known != NULL;
    if (!there) {
        known = calloc(1, sizeof *known);
        if (known == NULL) abort();
        known->definition = definition;
        known->next = *slot;
        *slot = known;
    }
    const struct definition *kept = known->definition;
    pthread_mutex_unlock(&registry->lock);
    if (there) definition_free(definition);
    return kept;
}

/*
 * A stored definition was checked when it was registered. Rules may have become stricter since (the
 * topic allow-list): a saga runs to its end under the definition it started with, so
 * stored ones are compiled under no such rule.
 */
static bool compile_stored(struct registry *registry, const struct definition_row *row,
                           const struct definition **ret_definition, struct err *err)
{
    static const struct definition_rules ANY_TOPIC = {.topics_allow = "*", .stored = true};
    struct arena arena = {0};
    struct definition_report report;
    struct definition *definition =
        definition_parse(row->source, &ANY_TOPIC, hash_content, &arena, &report);
    if (definition == NULL) {
        err_set(err, ERR_INTERNAL, "stored definition %.*s version %u does not compile: %.*s %.*s",
                (int)row->name.size, row->name.data, row->version,
                (int)report.errors[0].pointer.size, report.errors[0].pointer.data,
                (int)report.errors[0].detail.size, report.errors[0].detail.data);
        arena_done(&arena);
        return false;
    }
    arena_done(&arena);
    definition->stored_id = row->id;
    definition->version = row->version;
    *ret_definition = keep(registry, definition);
    return true;
}

bool registry_by_id(struct registry *registry, struct store *store, int64_t id,
                    const struct definition **ret_definition, struct err *err)
{
    const struct definition *found = find_id(registry, id);
    if (found != NULL) {
        *ret_definition = found;
        return true;
    }
    struct arena arena = {0};
    struct definition_row row;
    const bool good = store_definition_by_id(store, id, &arena, &row, err) &&
                      compile_stored(registry, &row, ret_definition, err);
    arena_done(&arena);
    return good;
}

/* ---- by name ---- */

static bool find_kept(struct registry *registry, struct bytes name, uint32_t version,
                      struct registered *ret_registered)
{
    bool fresh = false;
    const int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&registry->lock);
    for (struct answer_kept *at = registry->by_name[slot_of_name(name)]; at != NULL;
         at = at->next) {
        if (at->version != version || !bytes_equal(at->name, name)) continue;
        fresh = now_ms - at->read_at_ms < NEWEST_KEPT_MS;
        *ret_registered = at->registered;
        break;
    }
    pthread_mutex_unlock(&registry->lock);
    return fresh;
}

static void keep_answer(struct registry *registry, struct bytes name, uint32_t version,
                        const struct registered *registered)
{
    pthread_mutex_lock(&registry->lock);
    struct answer_kept **slot = &registry->by_name[slot_of_name(name)];
    struct answer_kept *at = *slot;
    while (at != NULL && (at->version != version || !bytes_equal(at->name, name))) {
        at = at->next;
    }
    if (at == NULL) {
        at = calloc(1, sizeof *at);
        char *copy = malloc(name.size + 1);
        if (at == NULL || copy == NULL) abort();
        memcpy(copy, name.data, name.size);
        copy[name.size] = '\0';
        at->name = (struct bytes){copy, name.size};
        at->version = version;
        at->next = *slot;
        *slot = at;
    }
    at->registered = *registered;
    at->read_at_ms = clock_monotonic_ms();
    pthread_mutex_unlock(&registry->lock);
}

bool registry_by_name(struct registry *registry, struct store *store, struct bytes name,
                      uint32_t version, struct registered *ret_registered, struct err *err)
{
    if (find_kept(registry, name, version, ret_registered)) return true;
    if (store == NULL) return err_set(err, ERR_UNAVAILABLE, "not in memory, or too old");
    struct arena arena = {0};
    struct definition_row row;
    const struct definition *definition = NULL;
    bool good = store_definition_by_name(store, name, version, &arena, &row, err);
    if (good) {
        definition = find_id(registry, row.id);
        good = definition != NULL || compile_stored(registry, &row, &definition, err);
    }
    if (good) {
        const struct registered registered = {definition, row.deprecated, row.paused,
                                              row.created_at_ms};
        keep_answer(registry, name, version, &registered);
        *ret_registered = registered;
    }
    arena_done(&arena);
    return good;
}

void registry_refresh(struct registry *registry, struct bytes name)
{
    pthread_mutex_lock(&registry->lock);
    for (struct answer_kept *at = registry->by_name[slot_of_name(name)]; at != NULL;
         at = at->next) {
        if (bytes_equal(at->name, name)) at->read_at_ms = INT64_MIN / 2;
    }
    pthread_mutex_unlock(&registry->lock);
}

/* ---- storing ---- */

void registry_validate(struct registry *registry, struct bytes source, struct arena *arena,
                       struct definition_report *ret_report, bool *ret_valid)
{
    struct definition *definition =
        definition_parse(source, &registry->rules, hash_content, arena, ret_report);
    *ret_valid = definition != NULL;
    definition_free(definition);
}

bool registry_register(struct registry *registry, struct store *store, struct bytes source,
                       struct arena *arena, struct definition_report *ret_report,
                       struct registered *ret_registered, bool *ret_new, struct err *err)
{
    struct definition *definition =
        definition_parse(source, &registry->rules, hash_content, arena, ret_report);
    if (definition == NULL) return err_set(err, ERR_INVALID, "the definition has errors");
    struct definition_row row;
    if (!store_definition_put(store, definition->name, definition->hash, source,
                              definition->stated_version, arena, &row, ret_new, err)) {
        definition_free(definition);
        return false;
    }
    registry_refresh(registry, definition->name);
    definition->stored_id = row.id;
    definition->version = row.version;
    *ret_registered = (struct registered){keep(registry, definition), row.deprecated, row.paused,
                                          row.created_at_ms};
    return true;
}

static struct inline_kept *inline_slot(struct registry *registry, const uint8_t *hash)
{
    return &registry->by_source[((size_t)hash[0] << 8 | hash[1]) % SLOTS];
}

static const struct definition *find_inline(struct registry *registry, const uint8_t *hash)
{
    const struct definition *found = NULL;
    pthread_mutex_lock(&registry->lock);
    const struct inline_kept *kept = inline_slot(registry, hash);
    if (kept->definition != NULL && memcmp(kept->hash, hash, sizeof kept->hash) == 0) {
        found = kept->definition;
    }
    pthread_mutex_unlock(&registry->lock);
    return found;
}

static void keep_inline(struct registry *registry, const uint8_t *hash,
                        const struct definition *definition)
{
    pthread_mutex_lock(&registry->lock);
    struct inline_kept *kept = inline_slot(registry, hash);
    memcpy(kept->hash, hash, sizeof kept->hash);
    kept->definition = definition;
    pthread_mutex_unlock(&registry->lock);
}

bool registry_inline(struct registry *registry, struct store *store, struct bytes source,
                     struct arena *arena, struct definition_report *ret_report,
                     const struct definition **ret_definition, struct err *err)
{
    uint8_t hash[DEFINITION_HASH_SIZE];
    hash_content(source.data, source.size, hash);
    *ret_definition = find_inline(registry, hash);
    if (*ret_definition != NULL) return true;
    struct definition *definition =
        definition_parse(source, &registry->rules, hash_content, arena, ret_report);
    if (definition == NULL) return err_set(err, ERR_INVALID, "the definition has errors");
    struct definition_row row;
    if (!store_definition_put_inline(store, definition->name, definition->hash, source, arena, &row,
                                     err)) {
        definition_free(definition);
        return false;
    }
    definition->stored_id = row.id;
    definition->version = row.version;
    *ret_definition = keep(registry, definition);
    keep_inline(registry, hash, *ret_definition);
    return true;
}
