/*
 * orchestrator/engine/registry.h
 *   Compiled definitions by id and by name, shared by all threads.
 *
 * A compiled definition is immutable and lives until the registry is closed, so that a pointer
 * handed out stays valid. Newest versions, pauses and deprecations made by other nodes are seen
 * within a second.
 */
#ifndef ORCHESTRATOR_ENGINE_REGISTRY_H
#define ORCHESTRATOR_ENGINE_REGISTRY_H

#include "orchestrator/base/err.h"
#include "orchestrator/store/store.h"
#include "sagas/definition/definition.h"

struct registry;

struct registry *registry_new(const struct definition_rules *rules);
void registry_free(struct registry *registry);

struct registered {
    const struct definition *definition; /* stored_id and version are set */
    bool deprecated, paused;
    int64_t created_at_ms;
};

/* `store` is the caller's own connection, used on a miss. ERR_NOT_FOUND. */
MUST_CHECK bool registry_by_id(struct registry *registry, struct store *store, int64_t id,
                               const struct definition **ret_definition, struct err *err);
/*
 * version 0: the newest, at most a second old. `store` may be NULL here: then memory alone answers,
 * ERR_UNAVAILABLE when it does not know (for threads that must not wait).
 */
MUST_CHECK bool registry_by_name(struct registry *registry, struct store *store, struct bytes name,
                                 uint32_t version, struct registered *ret_registered,
                                 struct err *err);
/*
 * Check, store and compile. ERR_INVALID with report->error_count > 0 (problems in `arena`), or
 * with none when the stated version is wrong (err->text says which is next).
 */
MUST_CHECK bool registry_register(struct registry *registry, struct store *store,
                                  struct bytes source, struct arena *arena,
                                  struct definition_report *ret_report,
                                  struct registered *ret_registered, bool *ret_new,
                                  struct err *err);
/* The same for a definition given inline with a start. */
MUST_CHECK bool registry_inline(struct registry *registry, struct store *store, struct bytes source,
                                struct arena *arena, struct definition_report *ret_report,
                                const struct definition **ret_definition, struct err *err);
/* Only check. */
void registry_validate(struct registry *registry, struct bytes source, struct arena *arena,
                       struct definition_report *ret_report, bool *ret_valid);
/* Forget what is known of this name's newest version and flags (after a change through this node).
 */
void registry_refresh(struct registry *registry, struct bytes name);

#endif
