/* orchestrator/store/failure.h: what is wrong, in groups (failure.c) */
#ifndef ORCHESTRATOR_STORE_FAILURE_H
#define ORCHESTRATOR_STORE_FAILURE_H

#include "orchestrator/store/store.h"

struct failure_group {
    enum failure_state state;
    int64_t definition_id;
    int64_t key;
    int64_t count;
    int64_t first_at_ms, last_at_ms; /* when those that are in it came */
    struct bytes definition;         /* name */
    uint32_t version;
    enum op op;
    struct bytes step, code; /* absent: none */
    struct bytes sample;     /* ids, 16 bytes each, those that came last first */
};

struct failure_filter {
    const enum failure_state *states; /* at least one */
    size_t state_count;
    const struct bytes *definitions; /* names, any of; none given: all */
    size_t definition_count;
    bool has_before; /* groups with fewer sagas, or as many and a key below */
    int64_t before_count, before_key;
    size_t limit, sample;
};

/* Groups of stuck and retrying sagas, largest first. */
MUST_CHECK bool store_failures(struct store *store, const struct failure_filter *filter,
                               struct arena *arena, struct failure_group **ret_groups,
                               size_t *ret_count, struct err *err);
/* The group of this state, definition and key; ERR_NOT_FOUND when nothing is in it. */
MUST_CHECK bool store_failure(struct store *store, enum failure_state state, int64_t definition_id,
                              int64_t key, size_t sample, struct arena *arena,
                              struct failure_group *ret_group, struct err *err);

/* Were there sagas before this table was, that nobody has looked through? */
MUST_CHECK bool store_failures_wanted(struct store *store, bool *ret_wanted, struct err *err);
/* Sagas that are stuck or try again and of which no row says so, by id. */
MUST_CHECK bool store_failures_missing(struct store *store, const struct uuid *after, size_t limit,
                                       struct arena *arena, struct saga_row **ret_rows,
                                       size_t *ret_count, struct err *err);
/* Add what is right of these at their revision; *ret_added tells of how many it still was. */
MUST_CHECK bool store_failures_add_missing(struct store *store,
                                           const struct failure_write *failures, size_t count,
                                           size_t *ret_added, struct err *err);
MUST_CHECK bool store_failures_complete(struct store *store, struct err *err);

#endif
